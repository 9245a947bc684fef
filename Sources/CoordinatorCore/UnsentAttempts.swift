// Attempts that the scheduler has given to a worker and that have not been sent yet.

internal import Core
internal import DequeModule

/// The attempts of one worker whose arguments are still to be made.
struct UnsentAttempts: Sendable {
    /// They wait for a turn with time for their arguments.
    private var fresh: Deque<AttemptID> = []
    /// Their arguments are large: they wait until those sent before have left.
    private var large: Deque<AttemptID> = []
    /// Their tools must not run twice: they wait until their records are on disk, up to a position.
    private var unwritten: Deque<(attempt: AttemptID, position: Int)> = []
    /// Whether the worker is among those with unsent attempts.
    private var isListed = false

    var isEmpty: Bool { fresh.isEmpty && large.isEmpty && unwritten.isEmpty }
    /// Whether some wait for room for their arguments.
    var hasLarge: Bool { !large.isEmpty }
    /// Whether some wait for nothing but time.
    var hasFresh: Bool { !fresh.isEmpty }

    /// Notes that the worker is listed; false if it was.
    mutating func noteListed() -> Bool {
        defer { isListed = true }
        return !isListed
    }

    mutating func noteUnlisted() { isListed = false }

    mutating func append(_ attempt: AttemptID) { fresh.append(attempt) }

    mutating func appendLarge(_ attempt: AttemptID) { large.append(attempt) }

    mutating func append(_ attempt: AttemptID, untilWritten position: Int) {
        unwritten.append((attempt, position))
    }

    /// Records up to a position are on disk: those that waited for them wait for a turn now.
    mutating func release(written position: Int) {
        while let first = unwritten.first, first.position <= position {
            unwritten.removeFirst()
            fresh.append(first.attempt)
        }
    }

    mutating func nextFresh() -> AttemptID? { fresh.popFirst() }

    mutating func nextLarge() -> AttemptID? { large.popFirst() }

    func contains(_ attempt: AttemptID) -> Bool {
        fresh.contains(attempt) || large.contains(attempt)
            || unwritten.contains { $0.attempt == attempt }
    }

    /// Takes an attempt out; false if it is not here.
    mutating func remove(_ attempt: AttemptID) -> Bool {
        if let place = fresh.firstIndex(of: attempt) {
            fresh.remove(at: place)
            return true
        }
        if let place = large.firstIndex(of: attempt) {
            large.remove(at: place)
            return true
        }
        guard let place = unwritten.firstIndex(where: { $0.attempt == attempt }) else {
            return false
        }
        unwritten.remove(at: place)
        return true
    }

    /// All of them.
    var all: [AttemptID] { Array(fresh) + Array(large) + unwritten.map(\.attempt) }

    /// Takes all out.
    mutating func removeAll() -> [AttemptID] {
        if isEmpty { return [] }
        defer {
            fresh = []
            large = []
            unwritten = []
        }
        return all
    }
}
