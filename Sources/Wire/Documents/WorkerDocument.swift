// An entry of the answer to `workers`.
package import JSON
package import OrderedCollections

/// A worker as the coordinator knows it.
package struct WorkerDocument: Sendable, Equatable {
    /// Its name.
    package var name: String
    /// What it may get.
    package var state: State
    /// Attempts that may run there at the same time.
    package var slots: Int
    /// Attempts that it holds.
    package var inFlight: Int
    /// The name of its host, if it told one.
    package var host: String?
    /// Its process id, if it told one.
    package var pid: Int?
    /// Name and version of its software, if it told them.
    package var software: String?
    /// How long ago it registered, in milliseconds.
    package var connectedMilliseconds: Int
    /// Its labels.
    package var labels: OrderedDictionary<String, String>
    /// The names of its tools that are offered.
    package var tools: [String]
    /// Its tools that the coordinator does not take in, and why.
    package var refusedTools: [WithheldTool]
    /// Its tools that cannot run there for now, and why.
    package var withheldTools: [WithheldTool]
    /// Its tools that could not be started lately.
    package var coolingTools: [CoolingToolDocument]

    /// Makes the document of its fields.
    package init(
        name: String,
        state: State,
        slots: Int,
        inFlight: Int,
        host: String? = nil,
        pid: Int? = nil,
        software: String? = nil,
        connectedMilliseconds: Int,
        labels: OrderedDictionary<String, String>,
        tools: [String],
        refusedTools: [WithheldTool],
        withheldTools: [WithheldTool],
        coolingTools: [CoolingToolDocument]
    ) {
        self.name = name
        self.state = state
        self.slots = slots
        self.inFlight = inFlight
        self.host = host
        self.pid = pid
        self.software = software
        self.connectedMilliseconds = connectedMilliseconds
        self.labels = labels
        self.tools = tools
        self.refusedTools = refusedTools
        self.withheldTools = withheldTools
        self.coolingTools = coolingTools
    }

    /// What a worker may get.
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// Whatever it has slots for.
        case ready
        /// Nothing new: it is about to leave.
        case draining
        /// Nothing new: it was not heard of for some heartbeats.
        case silent
        /// Nothing new: it does not read what was sent.
        case congested
        /// Nothing: its connection closed, and it may come back for a moment.
        case disconnected
    }
}

/// A tool that could not be started on a worker lately, so that others come first.
package struct CoolingToolDocument: Sendable, Equatable {
    /// The name of the tool.
    package var name: String
    /// How often in a row it could not be started.
    package var refusals: Int
    /// How long it still gets none, in milliseconds; 0 when the next attempt is a trial.
    package var pauseMilliseconds: Int
    /// Why it could not be started, in the worker's words.
    package var reason: String

    /// Makes the document of its fields.
    package init(name: String, refusals: Int, pauseMilliseconds: Int, reason: String) {
        self.name = name
        self.refusals = refusals
        self.pauseMilliseconds = pauseMilliseconds
        self.reason = reason
    }
}

extension WorkerDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        name = try fields.string("name")
        state = try fields.choice("state")
        slots = try fields.integer("slots")
        inFlight = try fields.integer("in_flight")
        host = try fields.optionalString("host")
        pid = try fields.optionalInteger("pid")
        software = try fields.optionalString("software")
        connectedMilliseconds = try fields.integer("connected_ms")
        labels = try fields.labels("labels")
        tools = try fields.strings("tools", bytes: 1...Limits.toolNameLength)
        refusedTools = try fields.documents("refused_tools")
        withheldTools = try fields.documents("withheld_tools")
        coolingTools = try fields.documents("cooling_tools")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("state", state.rawValue)
        writer.field("slots", slots)
        writer.field("in_flight", inFlight)
        writer.field("host", host)
        writer.field("pid", pid)
        writer.field("software", software)
        writer.field("connected_ms", connectedMilliseconds)
        writer.field("labels", labels)
        writer.field("tools", tools)
        writer.field("refused_tools", refusedTools)
        writer.field("withheld_tools", withheldTools)
        writer.field("cooling_tools", coolingTools)
    }
}

extension CoolingToolDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        name = try fields.string("name")
        refusals = try fields.integer("refusals")
        pauseMilliseconds = try fields.integer("pause_ms")
        reason = try fields.string("reason")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("refusals", refusals)
        writer.field("pause_ms", pauseMilliseconds)
        writer.field("reason", reason)
    }
}

extension WithheldTool: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        name = try fields.string("name", bytes: 1...Limits.toolNameLength)
        reason = try fields.optionalString("reason") ?? ""
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("reason", reason)
    }
}
