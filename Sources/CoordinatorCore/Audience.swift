// Which observers care for which unfinished runs, and what they are still to be told: progress at a
// steady pace, and where nodes are. What they are told is in CoordinatorMachine+Events.swift and
// CoordinatorMachine+Watching.swift.

internal import Core

/// The observers of all runs.
struct Audience: Sendable {
    /// The unfinished runs that each client or viewer watches or still adds nodes to.
    private var interests: [ConnectionID: ArrivalOrder<RunID>] = [:]
    /// The runs whose watchers get their progress next, and when.
    var progress = ProgressTimes()
    /// Peers that get the state of nodes again, a part in each turn.
    private var restating: [ConnectionID] = []
    /// What is left in this turn for telling nodes again.
    var restatingWork = PageWork(turns: 8)

    // MARK: - Who cares for what

    /// The run has to learn when this connection leaves.
    mutating func noteInterest(of id: ConnectionID, in run: RunID) {
        interests[id, default: ArrivalOrder()].append(run)
    }

    mutating func dropInterest(of id: ConnectionID, in run: RunID) {
        interests[id]?.remove(run)
        if interests[id]?.isEmpty == true { interests[id] = nil }
    }

    /// Takes out the runs that have to learn that a connection leaves.
    mutating func takeInterests(of id: ConnectionID) -> ArrivalOrder<RunID> {
        interests.removeValue(forKey: id) ?? ArrivalOrder()
    }

    // MARK: - Telling nodes again

    /// Whether some peers wait for a further turn.
    var isRestating: Bool { !restating.isEmpty }

    func isRestating(to id: ConnectionID) -> Bool { restating.contains(id) }

    /// The peer gets the state of more nodes in the next turn.
    mutating func postpone(_ id: ConnectionID) { restating.append(id) }

    /// Begins a turn; returns the peers that the turn before had no time for.
    mutating func beginTurn() -> [ConnectionID] {
        restatingWork = PageWork(turns: 8)
        guard !restating.isEmpty else { return [] }
        return exchange(&restating, with: [])
    }

    // MARK: - Checks

    /// The observers that are listed for a run, and no others, are those that it has.
    func validate(_ observers: [RunID: Set<ConnectionID>]) throws(InvariantViolation) {
        for (run, connections) in observers {
            guard connections.allSatisfy({ interests[$0]?.contains(run) == true }) else {
                throw InvariantViolation("\(run) would not learn that an observer leaves")
            }
        }
        let expected = observers.values.reduce(0) { $0 + $1.count }
        guard interests.values.reduce(0, { $0 + $1.count }) == expected else {
            throw InvariantViolation("observers are kept for runs that they do not watch")
        }
    }
}

/// The runs whose watchers get their progress next, and when.
struct ProgressTimes: Sendable {
    private static let pause = Duration.milliseconds(100)
    private var runs: [RunID] = []
    /// When they are told.
    private(set) var due: Instant?

    mutating func note(_ run: RunID, at now: Instant) {
        runs.append(run)
        if due == nil { due = now + Self.pause }
    }

    mutating func takeAll() -> [RunID] {
        due = nil
        return exchange(&runs, with: [])
    }
}
