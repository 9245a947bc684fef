// The answer to `logs`: what the tool of a node wrote, attempt by attempt, as far as it is kept.
package import Core
package import JSON

/// The log of a node.
package struct LogDocument: Sendable, Equatable {
    /// A piece of what was written.
    package struct Entry: Sendable, Equatable {
        /// The number of the attempt.
        package var attempt: Int
        /// The stream and the bytes.
        package var output: ToolOutput
        /// Whether something before it is not kept, or did not arrive.
        package var isCut: Bool

        /// Makes the entry of its fields.
        package init(attempt: Int, output: ToolOutput, isCut: Bool = false) {
            self.attempt = attempt
            self.output = output
            self.isCut = isCut
        }
    }

    /// The run.
    package var run: RunID
    /// The node.
    package var node: NodeID
    /// The pieces, in the order in which they were written.
    package var entries: [Entry]

    /// Makes the document of its fields.
    package init(run: RunID, node: NodeID, entries: [Entry]) {
        self.run = run
        self.node = node
        self.entries = entries
    }
}

extension LogDocument: Document {
    /// The field that holds the list when the answer comes in pages.
    package static let list: StaticString = "output"

    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        node = try fields.node("node")
        entries = try fields.documents(Self.list)
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("node", node.text)
        writer.field(Self.list, entries)
    }
}

extension LogDocument.Entry: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        attempt = try fields.integer("attempt")
        output = try ToolOutput(reading: fields)
        isCut = try fields.flag("cut")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("attempt", attempt)
        output.write(into: &writer)
        writer.flag("cut", isCut)
    }
}
