// What traces need beyond the run itself: attempts that were followed by another. Only kept when
// runs are traced.

public import Core
internal import Runs
internal import Telemetry
internal import Wire

extension CoordinatorMachine {
    /// Attempts of a run that are kept for its trace beside the latest of each node.
    private static let mostEarlier = 1_000

    /// An attempt failed, and another one follows; the run still has what is known of it.
    mutating func noteEarlier(_ attempt: AttemptID, _ failure: Failure, at now: Instant) {
        guard let run = runs.slot(of: attempt.run),
            runs[run].earlierAttempts.count < Self.mostEarlier
        else { return }
        let course = runs[run].state.nodes[attempt.node]
        let worker = runs[run].state.workers[course.worker]
        var brief = failure
        brief.stderrTail = nil
        brief.message = String(failure.message.prefix(500))
        runs[run].earlierAttempts.append(
            EarlierAttempt(
                node: attempt.node,
                number: attempt.number,
                worker: worker,
                dispatchedAt: Int(course.dispatchedAt),
                endedAt: runs[run].state.microseconds(at: now),
                failure: brief
            )
        )
    }

    /// The span of an attempt for its tool, if anything reads it: the trace of a client, or ours.
    func traceParent(of attempt: AttemptID, within parent: TraceParent?) -> TraceParent? {
        guard parent != nil || configuration.tracesRuns else { return nil }
        return TraceContext.parent(run: attempt.run, attempt: attempt, of: parent)
    }

    /// How long ago a run was accepted, in microseconds; nil if it is not known.
    public func age(of run: RunID, at now: Instant) -> Int? {
        runs.slot(of: run).map { runs[$0].state.microseconds(at: now) }
    }
}
