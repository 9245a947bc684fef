// Documents about a whole run: for answers, for events of progress and for its last event.

package import Core
internal import JSON
internal import Plans
package import Wire

extension Run {
    /// The run as a whole; `isGrowing` says whether a client still sends nodes.
    package func document(at now: Instant, isGrowing: Bool) -> RunDocument {
        let startedAt = acceptance.unixMilliseconds
        return RunDocument(
            run: id,
            label: acceptance.label,
            retriedRun: acceptance.retriedRun,
            status: status,
            isGrowing: isGrowing,
            join: acceptance.join,
            joinInstruction: plan.joinInstruction,
            error: failure,
            reason: cancelReason,
            submittedBy: acceptance.submitter,
            traceParent: acceptance.traceParent,
            cancelledBy: canceller,
            startedAt: UnixTime(milliseconds: startedAt),
            endedAt: endedAt.map { UnixTime(milliseconds: startedAt + $0 / 1_000) },
            ageMilliseconds: (now - acceptedAt).wholeMilliseconds,
            counts: counts,
            timing: timing(at: now),
            usage: usage,
            planning: planningDocument(at: microseconds(at: now))
        )
    }

    /// A node without its place in the plan.
    package func document(of node: Int) -> NodeDocument {
        let state = nodes[node]
        var document = NodeDocument(
            status: state.status,
            tool: plan[node].tool,
            output: results.outputs[node],
            because: state.status == .skipped ? plan[Int(state.cause)].id : nil,
            error: outcome(of: node)?.failure,
            // Attempts that surely never ran do not count, though each had a number.
            attempts: state.tries,
            isTakenOver: isTakenOver(node)
        )
        guard state.attempt > 0 else { return document }
        document.worker = workers[state.worker]
        document.readyAt = Int(state.readyAt)
        document.queued = Int(state.queued)
        if state.status.isTerminal {
            document.turnaround = Int(state.turnaround)
            document.run = Int(state.work)
        }
        return document
    }

    /// What a snapshot and an event of progress tell.
    package var progress: RunProgress {
        RunProgress(counts: counts, criticalPath: Int(times.criticalPath), usage: usage)
    }

    /// What the last event tells; the answer goes along when it is small.
    func outcome(answer: RawJSON?) -> RunEndDocument {
        RunEndDocument(
            answer: answer,
            error: failure,
            reason: cancelReason,
            counts: counts,
            timing: timing(at: acceptedAt),
            usage: usage,
            planning: planningDocument(at: endedAt ?? 0)
        )
    }

    /// The tokens that models used; nil if none was used, or none that counts.
    var usage: TokenUsage? { planning.usage.total > 0 ? planning.usage : nil }

    /// What models did until then; nil if none was called.
    private func planningDocument(at time: Int) -> PlanningDocument? {
        guard planning.calls > 0 else { return nil }
        return PlanningDocument(
            calls: planning.calls,
            repairs: planning.repairs,
            replans: planning.replans,
            modelTime: planning.modelTime(at: endedAt ?? time),
            firstNode: planning.firstNodeAt
        )
    }

    private func timing(at now: Instant) -> RunTiming {
        RunTiming(
            wall: endedAt ?? microseconds(at: now),
            criticalPath: Int(times.criticalPath),
            work: Int(times.total)
        )
    }
}
