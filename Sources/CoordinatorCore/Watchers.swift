// Who gets the events of a run, and the most that any of them wants to hear.

internal import Core
internal import Wire

/// A connection that gets a run's events.
struct Watcher: Arrival {
    var connection: ConnectionID
    var level: WatchLevel

    var arrivalKey: ConnectionID { connection }
}

/// The watchers of a run in the order in which they came.
struct Watchers: Sendable, Sequence {
    private var arrivals = ArrivalOrder<Watcher>()
    /// How many watch at each level.
    private var counts = SIMD4<Int32>()
    /// The highest level of all watchers; nil without one.
    ///
    /// Events above this level are for no watcher, and are not offered to any.
    private(set) var highest: WatchLevel?

    var isEmpty: Bool { arrivals.isEmpty }

    /// Whether some watcher gets events of this kind.
    func wants(_ kind: EventKind) -> Bool {
        guard let highest else { return false }
        return kind.reaches(highest)
    }

    func contains(_ connection: ConnectionID) -> Bool { arrivals.contains(connection) }

    /// Adds a watcher; one of the same connection is replaced.
    mutating func append(_ watcher: Watcher) {
        remove(watcher.connection)
        arrivals.append(watcher)
        counts[Self.index(of: watcher.level)] += 1
        updateHighest()
    }

    mutating func remove(_ connection: ConnectionID) {
        guard let watcher = arrivals[connection] else { return }
        arrivals.remove(connection)
        counts[Self.index(of: watcher.level)] -= 1
        updateHighest()
    }

    private mutating func updateHighest() {
        highest = WatchLevel.allCases.last { counts[Self.index(of: $0)] > 0 }
    }

    func makeIterator() -> ArrivalOrder<Watcher>.Iterator { arrivals.makeIterator() }

    private static func index(of level: WatchLevel) -> Int {
        switch level {
        case .end: 0
        case .progress: 1
        case .nodes: 2
        case .all: 3
        }
    }
}
