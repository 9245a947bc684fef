// The attempts a worker holds, from their dispatch until their result is acknowledged.
// What happens to them is decided by the machine.
internal import Core
internal import JSON
internal import Plans
internal import Wire

/// One attempt a worker holds.
struct Attempt: Sendable {
    let id: AttemptID
    /// Counts the attempts taken on; tells one from an earlier one at the same index.
    let sequence: UInt64
    let node: NodeID
    /// The position of the tool in the configuration.
    let tool: Int
    /// Empty from the start on: they may hold on to a large buffer.
    var arguments: RawJSON
    let timeout: Duration?
    let maxOutput: Int
    var state = State.queued
    /// Whether the coordinator knows that it runs.
    var isAnnounced = false
    /// Bytes of chunks that may still be sent before the coordinator grants more.
    var window: Int
    /// The numbers of the next pieces of standard output and standard error.
    var nextOutput = 0
    var nextError = 0
    /// Bytes the tool wrote that were not passed on.
    var droppedBytes = 0
    /// What the tool last said of itself, until the turn's end.
    var progress: Progress?

    enum State: Sendable {
        /// No attempt is at this index.
        case vacant
        /// It waits for a slot.
        case queued
        /// The tool runs.
        case running(Stop?)
        /// The tool has ended; the result is not acknowledged.
        case done(Finished)
    }

    /// Why a running attempt was told to end.
    enum Stop: Sendable, Equatable {
        case cancelled
        case timedOut
        /// Nobody wants its outcome.
        case abandoned
    }

    /// How a tool ended.
    struct Finished: Sendable {
        let outcome: Result<RawJSON, Failure>
        let isTruncated: Bool
        let microseconds: Int
        /// What is still to be sent of a value in chunks.
        var outgoing: OutgoingValue?

        /// The same, or a failure if the output nests too deep to be sent.
        var withinDepth: Finished {
            guard case .success(let output) = outcome, let failure = output.depthFailure else {
                return self
            }
            return Finished(
                outcome: .failure(failure),
                isTruncated: isTruncated,
                microseconds: microseconds
            )
        }

        /// The bytes that keeping it takes.
        var keptBytes: Int {
            switch outcome {
            case .success(let value): value.count
            case .failure(let failure):
                failure.message.utf8.count + (failure.stderrTail?.utf8.count ?? 0)
            }
        }
    }

    var isRunning: Bool {
        if case .running = state { true } else { false }
    }

    var isQueued: Bool {
        if case .queued = state { true } else { false }
    }

    var isVacant: Bool {
        if case .vacant = state { true } else { false }
    }

    var isAbandoned: Bool {
        if case .running(.abandoned) = state { true } else { false }
    }
}

/// The attempts by id and by index; an index stays the same while the attempt is there.
struct AttemptTable: Sendable {
    private(set) var entries: [Attempt] = []
    private(set) var indexes: [AttemptID: Int] = [:]
    private(set) var vacancies: [Int] = []
    private(set) var nextSequence: UInt64 = 0

    var count: Int { indexes.count }
    var isEmpty: Bool { indexes.isEmpty }

    func index(of id: AttemptID) -> Int? { indexes[id] }

    subscript(index: Int) -> Attempt {
        // Not `_read`: what a switch over a part of the yielded attempt binds was read from it after
        // the coroutine had ended (Swift 6.3, without optimisation), which is freed memory.
        get { entries[index] }
        _modify { yield &entries[index] }
    }

    /// Whether the attempt of that sequence number is still at the index.
    func has(_ sequence: UInt64, at index: Int) -> Bool {
        entries[index].sequence == sequence && !entries[index].isVacant
    }

    /// Takes on an attempt with an id that is not there yet.
    mutating func insert(
        _ dispatch: Dispatch,
        _ arguments: RawJSON,
        tool: Int,
        timeout: Duration?
    )
        -> Int
    {
        let attempt = Attempt(
            id: dispatch.attempt,
            sequence: nextSequence,
            node: dispatch.node,
            tool: tool,
            arguments: arguments,
            timeout: timeout,
            maxOutput: dispatch.maxOutput,
            window: 0
        )
        nextSequence += 1
        let index: Int
        if let vacancy = vacancies.popLast() {
            index = vacancy
            entries[index] = attempt
        } else {
            index = entries.count
            entries.append(attempt)
        }
        indexes[attempt.id] = index
        return index
    }

    mutating func remove(at index: Int) {
        indexes[entries[index].id] = nil
        entries[index].state = .vacant
        entries[index].arguments = .null
        entries[index].progress = nil
        vacancies.append(index)
    }

    /// The indexes of all attempts in the order they were taken on.
    func inOrder() -> [Int] {
        var held = entries.indices.filter { !entries[$0].isVacant }
        held.sort { entries[$0].sequence < entries[$1].sequence }
        return held
    }
}
