// A record as a line for people: what `weft show RUN NODE --story` prints, and what a simulation
// that fails tells of a node.

internal import Core
internal import Wire

extension RunRecord {
    /// One line: seconds since the run was accepted, what happened, and more about it.
    public var storyLine: String {
        let micros = max(at, 0)
        let fraction = String(micros % 1_000_000)
        let seconds =
            "\(micros / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
        let name = change.kind.replacing("_", with: " ")
        let line =
            String(repeating: " ", count: max(12 - seconds.count, 0)) + seconds + "  " + name
        guard let detail = change.storyDetail else { return line }
        return line + String(repeating: " ", count: max(13 - name.count, 1)) + detail
    }
}

extension RunChange {
    fileprivate var storyDetail: String? {
        switch self {
        case .dispatched(_, let attempt, let worker, _): "to \(worker) as attempt \(attempt)"
        case .started(_, let attempt): "attempt \(attempt)"
        case .calledBack(_, let attempt, let reason): "attempt \(attempt): \(reason.rawValue)"
        case .returned(_, let attempt, let reason):
            "attempt \(attempt) never ran (\(reason.words)); ready again"
        case .toolWrote(_, let attempt, let text):
            "attempt \(attempt): \(text.bytes.count) bytes to \(text.stream.rawValue)"
        case .worked(_, let microseconds): "\(milliseconds(Int(microseconds))) ms for nothing"
        case .retrying(_, let attempt, let failure, let delay, let cause):
            "attempt \(attempt)\(cause == .neverRan ? " never ran" : ""): \(failure), again "
                + (delay > 0 ? "in \(milliseconds(Int(delay))) ms" : "at once")
        case .unplaceable(_, let message): message
        case .approvalAsked(_, let milliseconds):
            "it fails without an answer in \(milliseconds) ms"
        case .approved(_, let identity, let reason):
            [identity.map { "by \($0)" }, reason].compactMap(\.self).joined(separator: ": ")
        case .succeeded(_, _, let microseconds):
            "after \(milliseconds(Int(microseconds))) ms of work"
        case .failed(_, let failure): failure.description
        case .skipped(_, let cause): "because node number \(cause) of the plan did not succeed"
        default: nil
        }
    }
}

extension ReturnReason {
    fileprivate var words: String {
        switch self {
        case .busy: "all slots were taken"
        case .recalled: "recalled for a free slot elsewhere"
        case .undelivered: "it did not reach the worker"
        }
    }
}
