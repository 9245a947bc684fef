// What is counted since the start, for metrics. It decides nothing; how it is written is in
// CoordinatorMachine+Metrics.swift.

internal import Core
internal import Metrics
internal import Wire

/// Counts of what happened to runs, nodes, attempts and peers.
struct Counters: Sendable {
    /// Nodes and attempts by tool.
    var tools = ToolTable()
    /// Runs that ended.
    private(set) var runs = [Int](repeating: 0, count: RunStatus.allCases.count)
    /// How long runs took.
    private(set) var runDuration = Histogram()
    private(set) var retries = [Int](repeating: 0, count: RetryCause.allCases.count)
    private(set) var returns = [Int](repeating: 0, count: ReturnReason.allCases.count)
    /// Peers whose connection was ended because of what they did, or left undone.
    private(set) var refusedPeers: [ErrorCode: Int] = [:]

    mutating func countEnd(of status: RunStatus, microseconds: Int) {
        runs[status.position] += 1
        runDuration.observe(microseconds: microseconds)
    }

    mutating func count(_ cause: RetryCause) { retries[cause.position] += 1 }

    mutating func count(_ reason: ReturnReason) { returns[reason.position] += 1 }

    /// Codes are the coordinator's own, so that there are few.
    mutating func countRefusal(_ code: ErrorCode) { refusedPeers[code, default: 0] += 1 }

    subscript(status: RunStatus) -> Int { runs[status.position] }
    subscript(cause: RetryCause) -> Int { retries[cause.position] }
    subscript(reason: ReturnReason) -> Int { returns[reason.position] }
}

extension RunStatus {
    fileprivate var position: Int {
        switch self {
        case .running: 0
        case .succeeded: 1
        case .failed: 2
        case .cancelled: 3
        }
    }
}

extension RetryCause {
    fileprivate var position: Int {
        switch self {
        case .failed: 0
        case .refused: 1
        case .neverRan: 2
        case .workerLost: 3
        case .workerEnded: 4
        }
    }
}

extension ReturnReason {
    fileprivate var position: Int {
        switch self {
        case .busy: 0
        case .recalled: 1
        case .undelivered: 2
        }
    }
}
