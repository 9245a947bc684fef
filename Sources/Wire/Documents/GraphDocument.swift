// The answer to `graph`: what depends on what in a run, and the course of each node. Outputs and
// failures are not here, so that a page has many nodes.
package import Core
package import JSON

/// A page of the graph of a run.
package struct GraphPage: Sendable, Equatable {
    /// A node of the graph.
    package struct Node: Sendable, Equatable {
        /// Its name.
        package var id: NodeID
        /// Its course, without its output and its failure.
        package var course: NodeDocument
        /// The positions in the plan of the nodes that it depends on.
        package var dependencies: [Int]

        /// Makes the document of its fields.
        package init(id: NodeID, course: NodeDocument, dependencies: [Int]) {
            self.id = id
            self.course = course
            self.course.output = nil
            self.course.error = nil
            self.dependencies = dependencies
        }
    }

    /// The nodes, in the order of the plan.
    package var nodes: [Node]
    /// Nodes of the plan so far.
    package var total: Int

    /// The field with the list.
    package static let list: StaticString = "nodes"

    /// Makes the document of its fields.
    package init(nodes: [Node], total: Int) {
        self.nodes = nodes
        self.total = total
    }
}

extension GraphPage.Node: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        id = try fields.node("id")
        course = try NodeDocument(reading: fields)
        dependencies = try fields.integers("dependencies")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("id", id.text)
        course.write(into: &writer)
        writer.field("dependencies", dependencies)
    }
}

extension GraphPage: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        nodes = try fields.documents(Self.list)
        total = try fields.integer("total")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field(Self.list, nodes)
        writer.field("total", total)
    }
}
