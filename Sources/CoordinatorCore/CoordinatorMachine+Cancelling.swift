// Runs that end before all their nodes have: by a client's cancel, or because the run fails as a
// whole.

internal import Core
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Ends a run as failed: what still runs is called back.
    mutating func end(_ run: Int, because failure: Failure, in turn: inout CoordinatorTurn) {
        guard !runs[run].state.isEnded, runs[run].state.failure == nil else { return }
        record(.failureDecided(failure), run, in: &turn)
        cancelNodes(of: run, in: &turn)
    }

    mutating func cancel(_ cancel: CancelRun, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let run = runs.slot(of: cancel.run) else {
            return unknownRun(cancel.run, request: nil, id, in: &turn)
        }
        guard runs[run].state.phase.isGoingOn else { return }
        let identity = peers[id]?.access?.identity.name
        let change = RunChange.cancelAsked(
            reason: cancel.reason?.clipped(to: limits.announced.textBytes)
                ?? "cancelled by a client",
            by: identity,
            isCutShort: runs[run].author != nil || runs[run].hasPlanner
        )
        turn.append(.report(.cancelAsked(cancel.run, by: identity)))
        record(change, run, in: &turn)
        cancelNodes(of: run, in: &turn)
    }

    mutating func cancelNodes(of run: Int, in turn: inout CoordinatorTurn) {
        let id = runs[run].id
        let wasOpen = runs[run].author != nil || runs[run].hasPlanner
        let used = runs[run].plannerUsageWhenCancelled
        if let used, used != runs[run].state.planning.usage {
            record(.tokensUsed(used), run, in: &turn)
        }
        cancelModel(run, in: &turn)
        // A planner that is gone takes no further report and asks for nothing more.
        runs[run].dropPlanner()
        if runs[run].modelCall != nil { record(.modelReplied, run, in: &turn) }
        runs[run].modelCall = nil
        forgetAuthor(of: run)
        runs.markUnbooked(run)
        runs.deadlines.ofRuns.remove(id)
        schedule(.cancelRequested(id), in: &turn)
        if wasOpen { schedule(.runClosed(id), in: &turn) }
    }

    mutating func unknownRun(
        _ run: RunID,
        request: Int?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let error = ErrorMessage(
            code: .unknownRun,
            message: "No run has the id \(run); `weft runs` lists those that are known.",
            isFatal: false,
            about: run.text,
            request: request
        )
        turn.append(.send(id, .error(error)))
    }
}
