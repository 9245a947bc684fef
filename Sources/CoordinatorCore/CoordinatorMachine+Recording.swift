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
        if !runs[run].texts.isQuiet, record.change.endsAttempt {
            recordRest(of: record.change.node ?? 0, run, turn.now)
        }
        let event = runs[run].keep(
            record,
            answer: answer,
            within: logBound,
            detailBytes: limits.detailBytes
        )
        runs.markUnbooked(run)
        if let event { tellWatchers(of: run, event, in: &turn) }
    }

    /// Keeps what a tool has just written.
    mutating func recordText(
        _ chunk: Chunk,
        of attempt: AttemptID,
        _ run: Int,
        _ now: Instant
    ) {
        let texts = runs[run].texts.append(chunk, of: attempt, within: toolTexts)
        for text in texts {
            recordText(text, attempt.node, Int32(clamping: attempt.number), run, now)
        }
        runs.markUnbooked(run)
    }

    /// How much is kept of what tools write; in memory no more than of events.
    private var toolTexts: ToolTextBound {
        let most = configuration.keepsRecords ? Int.max : limits.eventBytes
        return ToolTextBound(
            attempt: limits.attemptTextBytes,
            run: min(limits.runTextBytes, most)
        )
    }

    /// The attempt of a node has ended: keeps the last part of what its tool wrote.
    private mutating func recordRest(of node: Int, _ run: Int, _ now: Instant) {
        guard let (attempt, texts) = runs[run].texts.end(node, within: toolTexts) else {
            return
        }
        for text in texts { recordText(text, node, attempt, run, now) }
    }

    private mutating func recordText(
        _ text: ToolText,
        _ node: Int,
        _ attempt: Int32,
        _ run: Int,
        _ now: Instant
    ) {
        let change = RunChange.toolWrote(node: Int32(node), attempt: attempt, text)
        let record = RunRecord(at: runs[run].state.microseconds(at: now), change)
        if configuration.keepsRecords {
            journal.append(.run(runs[run].id, record))
        } else {
            runs[run].texts.keep(record)
        }
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

extension RunChange {
    /// Whether the current attempt of its node is over with it.
    var endsAttempt: Bool {
        switch self {
        case .succeeded, .failed, .retrying, .returned, .cancelled: true
        default: false
        }
    }
}
