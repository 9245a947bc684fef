// What was said must be on disk: accepted runs, ends of runs, acknowledged results, and the dispatch of
// a tool that must not run twice. Checked when a message really leaves.

import Core
import Runs
import Wire

@testable import CoordinatorCore

/// What is on disk, as far as messages promise it.
struct DurabilityChecker {
    private var accepted: Set<RunID> = []
    private var ended: Set<RunID> = []
    private var dispatched: Set<AttemptID> = []
    /// The start of the coordinator at which each attempt was dispatched.
    private var epochs: [AttemptID: Int] = [:]
    /// The position after the records of each result that was handled.
    private var results: [AttemptID: Int] = [:]
    /// The position after the records of the latest answer about a node, by connection.
    private var answers: [ConnectionID: Int] = [:]
    /// What must be on disk before each ping of a client is answered.
    private var pings: [Int: Int] = [:]

    /// Records are on disk.
    mutating func write(_ records: [NewRecord]) {
        for record in records {
            guard case .run(let run, let record) = record else { continue }
            switch record.change {
            case .accepted: accepted.insert(run)
            case .ended: ended.insert(run)
            case .dispatched(let node, let attempt, _, _):
                dispatched.insert(AttemptID(run: run, node: Int(node), number: Int(attempt)))
            default: break
            }
        }
    }

    /// A result was handled; what it changed is in records up to the position.
    mutating func handle(_ result: AttemptID, upTo position: Int) { results[result] = position }

    /// A client's answer about a node was handled.
    mutating func answer(on connection: ConnectionID, upTo position: Int) {
        answers[connection] = position
    }

    /// A client asks whether all that it said was handled.
    mutating func ping(_ number: Int, on connection: ConnectionID) {
        if let position = answers[connection] { pings[number] = position }
    }

    /// An attempt leaves for a worker.
    mutating func dispatch(_ attempt: AttemptID, epoch: Int) { epochs[attempt] = epoch }

    /// Whether an attempt is of an earlier coordinator.
    func isEarlier(_ attempt: AttemptID, than epoch: Int) -> Bool {
        epochs[attempt].map { $0 < epoch } ?? false
    }

    /// The coordinator begins to count positions again.
    mutating func restart() {
        results = [:]
        answers = [:]
        pings = [:]
    }

    /// What a message promises and is not on disk, or nil.
    func missing(for message: Message, written: Int) -> String? {
        switch message {
        case .accepted(let body) where !accepted.contains(body.run):
            return "\(body.run) was accepted and is not on disk"
        case .event(let body) where body.isTerminal && !ended.contains(body.run):
            return "the end of \(body.run) was told and is not on disk"
        case .dispatch(let body)
        where !SimulatedTools.isIdempotent(body.tool) && !dispatched.contains(body.attempt):
            return "\(body.attempt) of \(body.tool) was dispatched and is not on disk"
        case .ack(let body):
            // The worker forgets results that came too late, as well.
            let early = (body.attempts + body.stale).first {
                results[$0].map { $0 > written } ?? false
            }
            return early.map {
                "the result of \($0) was acknowledged, and what that follows from is not on disk"
            }
        case .pong(let body) where pings[body.n].map { $0 > written } ?? false:
            return "an answer about a node was taken and is not on disk"
        default: return nil
        }
    }
}
