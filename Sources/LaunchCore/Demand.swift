// When elastic groups grow: by the nodes that have waited for long enough and that no worker which is
// on its way will take. Shrinking is up to the workers, which leave when they are idle.
internal import Core

/// Ready nodes that wait for a worker, of which all have waited for as long.
public struct WaitingNodes: Sendable, Equatable {
    /// The groups whose workers could run them, in their order: these have the tool and the labels.
    public var groups: [Int]
    /// How long each has been ready.
    public var wait: Duration
    /// How many they are.
    public var count: Int

    /// Describes nodes that wait.
    public init(groups: [Int], wait: Duration, count: Int) {
        self.groups = groups
        self.wait = wait
        self.count = count
    }
}

/// What nodes that wait ask of the groups.
struct Demand {
    /// A group as it is now.
    struct Group {
        var elastic: ElasticSettings?
        /// How many nodes one of its workers runs at a time.
        var slots: Int
        /// How many workers it should have.
        var count: Int
        /// How many of them are on their way.
        var coming: Int
    }

    /// Those that have waited longest come first.
    private var waiting: [WaitingNodes]

    init(_ waiting: [WaitingNodes]) {
        self.waiting = waiting.sorted { $0.wait > $1.wait }
    }

    /// How many workers to add to each group.
    mutating func workersToAdd(to groups: [Group]) -> [Int] {
        for (place, group) in groups.enumerated() {
            take(group.coming * group.slots, for: place)
        }
        return groups.enumerated().map { place, group in
            guard let elastic = group.elastic else { return 0 }
            let nodes = waiting.reduce(0) { sum, nodes in
                let isDue = nodes.groups.contains(place) && nodes.wait >= elastic.scaleAfter
                return sum + (isDue ? nodes.count : 0)
            }
            let room = max(elastic.range.upperBound - group.count, 0)
            let workers = min((nodes + group.slots - 1) / group.slots, room)
            take(workers * group.slots, for: place)
            return workers
        }
    }

    /// Leaves the nodes out that workers of a group will take with so many slots.
    private mutating func take(_ slots: Int, for group: Int) {
        var slots = slots
        for place in waiting.indices where waiting[place].groups.contains(group) {
            let taken = min(slots, waiting[place].count)
            waiting[place].count -= taken
            slots -= taken
        }
    }
}
