// From the records of one node to its attempts.

internal import Core
internal import Runs
internal import Wire

/// Collects the attempts of a node, record by record.
struct StoryReader {
    private(set) var attempts: [AttemptFacts] = []
    private(set) var firstReadyAt: Int?
    private(set) var approval = 0
    private var readyAt = 0
    private var askedAt: Int?
    private var open: AttemptFacts?

    mutating func read(_ record: RunRecord) {
        switch record.change {
        case .nodeReady:
            becomeReady(record.at)
            if firstReadyAt == nil { firstReadyAt = record.at }
        case .pauseEnded: becomeReady(record.at)
        case .approvalAsked: askedAt = record.at
        case .approved: endApproval(record.at)
        case .dispatched(_, let attempt, let worker, _):
            open = AttemptFacts(
                number: Int(attempt),
                worker: worker,
                readyAt: readyAt,
                dispatchedAt: record.at,
                outcome: .running
            )
            keepOpenOne()
        case .returned:
            dropOpenOne()
            becomeReady(record.at)
        case .worked(_, let microseconds): open?.work = Int(microseconds)
        case .retrying(_, _, let failure, let delay, let cause):
            if cause == .neverRan { dropOpenOne() }
            end(.retried, at: record.at, failure)
            if delay == 0 { becomeReady(record.at) }
        case .succeeded(_, _, let microseconds):
            open?.work = Int(microseconds)
            end(.succeeded, at: record.at, nil)
        case .failed(_, let failure):
            endApproval(record.at)
            end(.failed, at: record.at, failure)
        case .cancelled, .skipped:
            endApproval(record.at)
            end(.cancelled, at: record.at, nil)
        default: break
        }
    }

    private mutating func becomeReady(_ time: Int) {
        endApproval(time)
        readyAt = time
    }

    private mutating func endApproval(_ time: Int) {
        guard let asked = askedAt else { return }
        approval += time - asked
        askedAt = nil
    }

    /// The attempt that is open stands at the end of the list until it ends.
    private mutating func keepOpenOne() {
        if let open { attempts.append(open) }
    }

    private mutating func dropOpenOne() {
        guard open != nil else { return }
        attempts.removeLast()
        open = nil
    }

    private mutating func end(_ outcome: AttemptFacts.Outcome, at time: Int, _ error: Failure?) {
        guard var ended = open else { return }
        ended.endedAt = time
        ended.outcome = outcome
        ended.error = error
        attempts[attempts.count - 1] = ended
        open = nil
    }
}
