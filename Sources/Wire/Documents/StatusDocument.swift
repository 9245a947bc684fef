// The answer to `status`: the coordinator itself.
package import JSON

/// The coordinator at a glance.
package struct StatusDocument: Sendable, Equatable {
    /// Name and version of its software.
    package var software: String
    /// Counts its starts.
    package var epoch: Int
    /// How long it has been running, in milliseconds.
    package var uptimeMilliseconds: Int
    /// Its workers.
    package var workers: Workers
    /// Its runs.
    package var runs: Runs
    /// Nodes that have settled since it was started.
    package var settledNodes: Int
    /// Tools of the catalogue.
    package var tools: Int
    /// Connections, whatever their role.
    package var connections: Int
    /// The address of its page for browsers; nil if it has none.
    package var page: String?

    /// Makes the document of its fields.
    package init(
        software: String,
        epoch: Int,
        uptimeMilliseconds: Int,
        workers: Workers,
        runs: Runs,
        settledNodes: Int,
        tools: Int,
        connections: Int,
        page: String? = nil
    ) {
        self.page = page
        self.software = software
        self.epoch = epoch
        self.uptimeMilliseconds = uptimeMilliseconds
        self.workers = workers
        self.runs = runs
        self.settledNodes = settledNodes
        self.tools = tools
        self.connections = connections
    }
}

extension StatusDocument {
    /// The workers together.
    package struct Workers: Sendable, Equatable {
        /// Those that have a connection.
        package var connected: Int
        /// Those that get nothing new and are about to leave.
        package var draining: Int
        /// Attempts that may run at the same time.
        package var slots: Int
        /// Attempts that they hold.
        package var inFlight: Int

        /// Makes the document of its fields.
        package init(connected: Int, draining: Int, slots: Int, inFlight: Int) {
            self.connected = connected
            self.draining = draining
            self.slots = slots
            self.inFlight = inFlight
        }
    }

    /// The runs together.
    package struct Runs: Sendable, Equatable {
        /// Those that have not ended.
        package var active: Int
        /// Those that have ended and can still be asked about.
        package var kept: Int
        /// All since the start.
        package var accepted: Int

        /// Makes the document of its fields.
        package init(active: Int, kept: Int, accepted: Int) {
            self.active = active
            self.kept = kept
            self.accepted = accepted
        }
    }
}

extension StatusDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        software = try fields.string("software")
        epoch = try fields.integer("epoch")
        uptimeMilliseconds = try fields.integer("uptime_ms")
        workers = try fields.document("workers")
        runs = try fields.document("runs")
        settledNodes = try fields.integer("nodes_settled")
        tools = try fields.integer("tools")
        connections = try fields.integer("connections")
        page = try fields.optionalString("page")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("software", software)
        writer.field("epoch", epoch)
        writer.field("uptime_ms", uptimeMilliseconds)
        writer.field("workers", workers)
        writer.field("runs", runs)
        writer.field("nodes_settled", settledNodes)
        writer.field("tools", tools)
        writer.field("connections", connections)
        writer.field("page", page)
    }
}

extension StatusDocument.Workers: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        connected = try fields.integer("connected")
        draining = try fields.integer("draining")
        slots = try fields.integer("slots")
        inFlight = try fields.integer("in_flight")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("connected", connected)
        writer.field("draining", draining)
        writer.field("slots", slots)
        writer.field("in_flight", inFlight)
    }
}

extension StatusDocument.Runs: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        active = try fields.integer("active")
        kept = try fields.integer("kept")
        accepted = try fields.integer("accepted")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("active", active)
        writer.field("kept", kept)
        writer.field("accepted", accepted)
    }
}
