// A launch as people see it: its groups and its workers.
public import LaunchCore

/// A group of a launch.
public struct LaunchedGroup: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// How many workers it should have.
    public var count: Int
    /// The fewest and the most workers; nil if it does not change by itself.
    public var range: ClosedRange<Int>?

    /// Describes a group.
    public init(name: String, count: Int, range: ClosedRange<Int>?) {
        self.name = name
        self.count = count
        self.range = range
    }
}

/// A worker of a launch as people see it.
public struct LaunchedWorker: Sendable, Equatable {
    /// The name under which the coordinator has it.
    public var name: String
    /// Its group.
    public var group: String
    /// Where it runs.
    public var site: String
    /// How far it is.
    public var state: MemberState
    /// Why, if there is something to say.
    public var note: String
    /// How often its process was started.
    public var starts: Int
    /// How many nodes it runs at a time; nil as long as it has not told.
    public var slots: Int?

    /// Describes a worker.
    public init(
        name: String,
        group: String,
        site: String,
        state: MemberState,
        note: String,
        starts: Int,
        slots: Int? = nil
    ) {
        self.name = name
        self.group = group
        self.site = site
        self.state = state
        self.note = note
        self.starts = starts
        self.slots = slots
    }
}
