// The settings of a launch: its groups of workers, and where each may start.

/// A group of workers that are alike.
public struct GroupSettings: Sendable, Equatable {
    /// The name by which people scale it.
    public var name: String
    /// Where its workers start, in turn.
    public var sites: [Int]
    /// How many workers it has at first.
    public var count: Int
    /// How many nodes one worker runs at a time, as far as it is known before one has told.
    public var slots: Int
    /// How it grows and shrinks by itself; nil if it does not.
    public var elastic: ElasticSettings?

    /// Describes a group; there must be at least one site.
    public init(
        name: String,
        sites: [Int],
        count: Int,
        slots: Int = 1,
        elastic: ElasticSettings? = nil
    ) {
        precondition(!sites.isEmpty, "a group has at least one site")
        self.name = name
        self.sites = sites
        self.count = count
        self.slots = max(1, slots)
        self.elastic = elastic
    }
}

/// How a group grows when nodes wait, and shrinks when workers have nothing to do.
public struct ElasticSettings: Sendable, Equatable {
    /// The fewest and the most workers.
    public var range: ClosedRange<Int>
    /// How long nodes wait before workers are added.
    public var scaleAfter: Duration

    /// Describes how a group grows.
    public init(range: ClosedRange<Int>, scaleAfter: Duration) {
        self.range = range
        self.scaleAfter = scaleAfter
    }
}

/// Everything that decides how a launch goes.
public struct LaunchSettings: Sendable, Equatable {
    /// The groups, in the order of the file.
    public var groups: [GroupSettings]
    /// How many sites there are; groups name them from 0.
    public var siteCount: Int
    /// How long workers may finish what they run when everything ends; nil for as long as it takes.
    public var drainLimit: Duration?

    /// Describes a launch.
    public init(groups: [GroupSettings], siteCount: Int, drainLimit: Duration? = .seconds(60)) {
        self.groups = groups
        self.siteCount = siteCount
        self.drainLimit = drainLimit
    }
}

/// A worker of a launch: its group, and its number in the group from 1.
public struct MemberID: Sendable, Hashable, Comparable {
    /// The place of its group in the settings.
    public var group: Int
    /// From 1; a number is used again when its worker has ended.
    public var number: Int

    /// A worker of a group.
    public init(group: Int, number: Int) {
        self.group = group
        self.number = number
    }

    /// By group, then by number.
    public static func < (left: MemberID, right: MemberID) -> Bool {
        (left.group, left.number) < (right.group, right.number)
    }
}
