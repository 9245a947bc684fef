// The answer to `story`: all that happened to a node, or to all nodes, as far as it is kept.
package import Core
package import JSON

/// The records of a node, or of all nodes of a run.
package struct StoryDocument: Sendable, Equatable {
    /// The run.
    package var run: RunID
    /// The node; nil for all nodes, whose records name them by position.
    package var node: NodeID?
    /// Whether the first records are still kept.
    package var isComplete: Bool
    /// The records, the oldest first; their form is that of records of a run, without the output.
    package var records: [RawJSON]

    /// Makes the document of its fields.
    package init(run: RunID, node: NodeID?, isComplete: Bool, records: [RawJSON]) {
        self.run = run
        self.node = node
        self.isComplete = isComplete
        self.records = records
    }
}

extension StoryDocument: Document {
    /// The field that holds the list when the answer comes in pages.
    package static let list: StaticString = "records"

    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        node = try fields.optionalNode("node")
        isComplete = try fields.bool("complete")
        records = try fields.elements(Self.list)
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("node", node?.text)
        writer.field("complete", isComplete)
        writer.key(Self.list)
        writer.beginArray()
        for record in records { writer.raw(record) }
        writer.endArray()
    }
}
