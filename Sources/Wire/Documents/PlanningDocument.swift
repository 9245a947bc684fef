// What language models did for a run, as part of the documents of runs and of their last event.
package import JSON

/// The calls of models for a run, beside the tokens that they used.
package struct PlanningDocument: Sendable, Equatable {
    /// Calls of models.
    package var calls: Int
    /// Those of them that asked a model to repair its reply.
    package var repairs: Int
    /// Plans after the first one.
    package var replans: Int
    /// How long all calls took together, in microseconds; nodes may have run meanwhile.
    package var modelTime: Int
    /// From the acceptance of the run to the moment when its first node left for a worker, in
    /// microseconds; nil if none did.
    package var firstNode: Int?

    /// Makes the document of its fields.
    package init(calls: Int, repairs: Int, replans: Int, modelTime: Int, firstNode: Int? = nil) {
        self.calls = calls
        self.repairs = repairs
        self.replans = replans
        self.modelTime = modelTime
        self.firstNode = firstNode
    }
}

extension PlanningDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        calls = try fields.integer("calls")
        repairs = try fields.integer("repairs")
        replans = try fields.integer("replans")
        modelTime = try fields.microseconds("model_ms")
        firstNode = try fields.optionalMicroseconds("first_node_ms")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("calls", calls)
        writer.field("repairs", repairs)
        writer.field("replans", replans)
        writer.field("model_ms", microseconds: modelTime)
        writer.field("first_node_ms", microseconds: firstNode)
    }
}
