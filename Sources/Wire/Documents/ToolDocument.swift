// An entry of the answer to `tools`.
package import JSON

/// A tool of the catalogue.
package struct ToolDocument: Sendable, Equatable {
    /// What workers say of it.
    package var description: ToolDescription
    /// The names of the workers that offer it.
    package var workers: [String]

    /// Makes the document of its fields.
    package init(description: ToolDescription, workers: [String]) {
        self.description = description
        self.workers = workers
    }
}

extension ToolDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        description = try ToolDescription(reading: fields)
        workers = try fields.strings("workers", bytes: 1...Limits.nameLength)
    }

    package func write(into writer: inout JSONWriter) {
        description.write(into: &writer, saysFalse: true)
        writer.field("workers", workers)
    }
}
