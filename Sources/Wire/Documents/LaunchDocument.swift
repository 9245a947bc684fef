// A launch with its groups and workers: what it tells of itself, and an entry of the answer to
// `launches`.
package import JSON

/// A launch as it tells of itself.
package struct LaunchDocument: Sendable, Equatable {
    /// Its name.
    package var name: String
    /// The name of the host on which it was started.
    package var host: String
    /// The process that runs it.
    package var pid: Int
    /// Its groups, in the order of its file.
    package var groups: [LaunchGroupDocument]
    /// Its workers, those that do not run before the others, as many as there is room for.
    package var members: [LaunchMemberDocument]
    /// How many workers there are beside these; nil for none.
    package var more: Int?

    /// Makes the document of its fields.
    package init(
        name: String,
        host: String,
        pid: Int,
        groups: [LaunchGroupDocument],
        members: [LaunchMemberDocument],
        more: Int? = nil
    ) {
        self.name = name
        self.host = host
        self.pid = pid
        self.groups = groups
        self.members = members
        self.more = more
    }
}

/// Workers of a launch that are alike.
package struct LaunchGroupDocument: Sendable, Equatable {
    /// Where workers run.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// On the host of the launch.
        case local
        /// On hosts that are reached by ssh.
        case ssh
        /// As batches of a Slurm cluster.
        case slurm
        /// In containers on the host of the launch.
        case container
    }

    /// Its name.
    package var name: String
    /// Where its workers run.
    package var kind: Kind
    /// How many workers it should have.
    package var wanted: Int
    /// How many of them run.
    package var running: Int
    /// How many are on their way.
    package var pending: Int
    /// The fewest and the most that it may have; nil if it does not change by itself.
    package var range: ClosedRange<Int>?

    /// Makes the document of its fields.
    package init(
        name: String,
        kind: Kind,
        wanted: Int,
        running: Int,
        pending: Int,
        range: ClosedRange<Int>? = nil
    ) {
        self.name = name
        self.kind = kind
        self.wanted = wanted
        self.running = running
        self.pending = pending
        self.range = range
    }
}

/// A worker of a launch.
package struct LaunchMemberDocument: Sendable, Equatable {
    /// How far a worker is.
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// It waits for its site, or for another try.
        case waiting
        /// Files are copied to its site.
        case copying
        /// Its process was started.
        case starting
        /// A batch system will start it.
        case pending
        /// It offers its tools.
        case running
        /// It finishes what it runs.
        case draining
        /// It has ended as it should.
        case ended
        /// It could not be started, and is not tried again.
        case failed
    }

    /// The name under which a coordinator has it.
    package var name: String
    /// Its group.
    package var group: String
    /// Where it runs, or is to run.
    package var site: String
    /// How far it is.
    package var state: State
    /// How many attempts it runs at a time; nil as long as it has not told.
    package var slots: Int?
    /// Why, if there is something to say.
    package var note: String?

    /// Makes the document of its fields.
    package init(
        name: String,
        group: String,
        site: String,
        state: State,
        slots: Int? = nil,
        note: String? = nil
    ) {
        self.name = name
        self.group = group
        self.site = site
        self.state = state
        self.slots = slots
        self.note = note
    }
}

/// A launch as a coordinator knows it.
package struct KnownLaunchDocument: Sendable, Equatable {
    /// Whether it is there.
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// It has a connection.
        case connected
        /// Its connection broke, a short while ago.
        case gone
    }

    /// What it told last.
    package var launch: LaunchDocument
    /// Whether it is there.
    package var state: State
    /// The identity that told it.
    package var reportedBy: String?
    /// How long ago it told this, in milliseconds.
    package var reportedMilliseconds: Int

    /// Makes the document of its fields.
    package init(
        launch: LaunchDocument,
        state: State,
        reportedBy: String? = nil,
        reportedMilliseconds: Int
    ) {
        self.launch = launch
        self.state = state
        self.reportedBy = reportedBy
        self.reportedMilliseconds = reportedMilliseconds
    }
}

// MARK: - Reading and writing

extension LaunchDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        name = try fields.name("name")
        host = try fields.string("host", bytes: 0...Limits.keyLength)
        pid = try fields.integer("pid")
        groups = try fields.documents("groups")
        members = try fields.documents("members")
        more = try fields.optionalInteger("more")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("host", host)
        writer.field("pid", pid)
        writer.field("groups", groups)
        writer.field("members", members)
        writer.field("more", more)
    }
}

extension LaunchGroupDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        name = try fields.name("name")
        kind = try fields.choice("kind")
        wanted = try fields.integer("wanted")
        running = try fields.integer("running")
        pending = try fields.integer("pending")
        guard let least = try fields.optionalInteger("min") else { return }
        range = least...(try fields.integer("max", in: least...Limits.largestInteger))
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("kind", kind.rawValue)
        writer.field("wanted", wanted)
        writer.field("running", running)
        writer.field("pending", pending)
        writer.field("min", range?.lowerBound)
        writer.field("max", range?.upperBound)
    }
}

extension LaunchMemberDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        name = try fields.string("name", bytes: 1...Limits.keyLength)
        group = try fields.name("group")
        site = try fields.string("site", bytes: 0...Limits.keyLength)
        state = try fields.choice("state")
        slots = try fields.optionalInteger("slots")
        note = try fields.optionalString("note", bytes: 0...Limits.reasonLength)
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("group", group)
        writer.field("site", site)
        writer.field("state", state.rawValue)
        writer.field("slots", slots)
        writer.field("note", note)
    }
}

extension KnownLaunchDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        launch = try LaunchDocument(reading: fields)
        state = try fields.choice("state")
        reportedBy = try fields.optionalString("reported_by")
        reportedMilliseconds = try fields.integer("reported_ms")
    }

    package func write(into writer: inout JSONWriter) {
        launch.write(into: &writer)
        writer.field("state", state.rawValue)
        writer.field("reported_by", reportedBy)
        writer.field("reported_ms", reportedMilliseconds)
    }
}
