// Every change of a run goes through here: it is applied, kept among the latest records, told to
// those who watch, and kept for the journal (JournalOrder.swift). What the records are is in Runs.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Wire

extension CoordinatorMachine {
    /// Changes a run, and tells those who watch it.
    mutating func record(_ change: RunChange, _ run: Int, in turn: inout CoordinatorTurn) {
        let record = runs[run].apply(change, at: turn.now)
        note(record, run, in: &turn)
    }

    /// Changes the plan of a run, unless something is wrong with it; watchers hear of it by
    /// `note`, which must follow.
    mutating func recordChecked(
        _ change: RunChange,
        _ run: Int,
        _ now: Instant
    ) throws(PlanProblems) -> (record: RunRecord, growth: Plan.Growth) {
        let record = RunRecord(at: runs[run].state.microseconds(at: now), change)
        return (record, try runs[run].applyChecked(record))
    }

    /// Keeps a record of a planner for the journal.
    ///
    /// It changes nothing in the run, and watchers get no event for it.
    mutating func recordPlanner(_ change: RunChange, _ run: Int, _ now: Instant) {
        guard configuration.keepsRecords else { return }
        let record = RunRecord(at: runs[run].state.microseconds(at: now), change)
        journal.append(.run(runs[run].id, record))
    }

    /// Keeps a record that was applied, and tells those who watch.
    mutating func note(
        _ record: RunRecord,
        answer: RawJSON? = nil,
        _ run: Int,
        in turn: inout CoordinatorTurn
    ) {
        if configuration.keepsRecords { journal.append(.run(runs[run].id, record)) }
        let event = runs[run].keep(
            record,
            answer: answer,
            within: logBound,
            plannedBytes: limits.plannedBytes
        )
        runs.markUnbooked(run)
        if let event { tellWatchers(of: run, event, in: &turn) }
    }

    /// Tells those who watch of something that changes nothing: text of a tool or of a model.
    mutating func pass(
        _ kind: EventKind,
        _ run: Int,
        node: Int? = nil,
        attempt: AttemptID? = nil,
        data: RawJSON,
        in turn: inout CoordinatorTurn
    ) {
        guard runs[run].watchers.wants(kind) else { return }
        let state = runs[run].state
        let worker = attempt.map { state.workers[state.nodes[$0.node].worker] }
        let event = EventMessage(
            run: state.id,
            sequence: runs[run].log.nextSequence,
            kind: kind,
            node: node.map { state.plan[$0].id },
            attempt: attempt?.number,
            worker: worker,
            data: data,
            atMicroseconds: state.microseconds(at: turn.now)
        )
        runs[run].log.append(passing: event, within: logBound)
        runs.markUnbooked(run)
        tellWatchers(of: run, event, in: &turn)
    }
}
