// The life cycle of a run: where it stands, with what is valid there and nothing else.

public import Core
public import Wire

/// Where a run stands.
///
/// growing or planning → running → joining → planning again, or answered; from everywhere before the
/// end to ending; at last ended.
public enum RunPhase: Sendable, Hashable {
    /// A client still sends nodes; those that are there run.
    case growing
    /// A model writes nodes; those that are there run.
    case planning
    /// The plan, or this round of it, is complete; its nodes run.
    case running
    /// All nodes have settled, and a model or a tool makes the answer.
    case joining
    /// The planner has given the answer: how single nodes ended does not matter any more.
    case answered
    /// The run is to end: what still runs is called back.
    case ending(RunEnding)
    /// Nothing follows.
    case ended(RunOutcome)

    /// Whether nothing has decided yet how the run ends.
    public var isGoingOn: Bool {
        switch self {
        case .growing, .planning, .running, .joining, .answered: true
        case .ending, .ended: false
        }
    }
}

/// Why a run ends before its nodes are done.
public indirect enum RunEnding: Sendable, Hashable {
    /// It fails as a whole.
    case failing(Failure)
    /// An identity asked for it. `isCutShort`: its plan was not complete, or it had no answer.
    case cancelling(reason: String, by: String?, isCutShort: Bool)
}

/// How a run ended.
public struct RunOutcome: Sendable, Hashable {
    /// Succeeded, failed or cancelled.
    public var status: RunStatus
    /// When, in microseconds since the run was accepted.
    public var at: Int
    /// Why it ended before its nodes were done, if it did.
    public var cause: RunEnding?
}
