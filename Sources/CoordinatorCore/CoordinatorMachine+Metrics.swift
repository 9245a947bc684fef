// The coordinator's metrics: what was counted since its start, and what is at this moment. Labels
// have a bound each: names of tools and workers are those that are connected, at most so many.

public import Core
public import Metrics
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Writes the metrics of what the machine knows.
    ///
    /// Its work grows with the tools and workers that are connected, not with runs.
    public func write(at now: Instant, into text: inout MetricsText) {
        writeRuns(into: &text)
        writeTools(into: &text)
        writeWorkers(at: now, into: &text)
        writePeers(into: &text)
        writeBytes(into: &text)
        text.family("weft_uptime_seconds", .gauge, "Since the coordinator was started")
        text.sample(microseconds: (now - startedAt).wholeMicroseconds)
        text.single(
            "weft_epoch",
            .gauge,
            "How many times a coordinator was started with this state",
            configuration.epoch
        )
    }

    private func writeRuns(into text: inout MetricsText) {
        text.family("weft_runs", .counter, "Runs that ended, by outcome")
        for status in RunStatus.allCases where status != .running {
            text.sample(counters[status], [("outcome", status.rawValue)])
        }
        text.single(
            "weft_runs_accepted",
            .counter,
            "Runs that were accepted",
            runs.counts.accepted
        )
        text.single(
            "weft_active_runs",
            .gauge,
            "Runs that have not ended",
            runs.active.count
        )
        text.single(
            "weft_kept_runs",
            .gauge,
            "Runs that have ended and are kept in memory",
            runs.finished.count
        )
        text.family("weft_run_duration_seconds", .histogram, "From accepting a run to its end")
        text.sample(counters.runDuration)
        text.family("weft_retries", .counter, "Attempts that are followed by another, by reason")
        for cause in RetryCause.allCases {
            text.sample(counters[cause], [("reason", cause.rawValue)])
        }
        text.family(
            "weft_returned_attempts",
            .counter,
            "Attempts that came back without having run, by reason"
        )
        for reason in ReturnReason.allCases {
            text.sample(counters[reason], [("reason", reason.rawValue)])
        }
    }

    private func writeTools(into text: inout MetricsText) {
        let tools = counters.tools.sorted
        text.family("weft_nodes", .counter, "Nodes that settled, by tool and outcome")
        for (name, numbers) in tools {
            let outcomes: [(String, Int)] = [
                ("succeeded", numbers.succeeded), ("failed", numbers.failed),
                ("skipped", numbers.skipped), ("cancelled", numbers.cancelled),
            ]
            for (outcome, count) in outcomes {
                text.sample(count, [("tool", name), ("outcome", outcome)])
            }
        }
        text.family(
            "weft_tool_duration_seconds",
            .histogram,
            "How long attempts ran that ended with a result, by tool"
        )
        for (name, numbers) in tools { text.sample(numbers.duration, [("tool", name)]) }
        text.family(
            "weft_queue_seconds",
            .histogram,
            "From a node being ready to its dispatch, by tool"
        )
        for (name, numbers) in tools { text.sample(numbers.queue, [("tool", name)]) }
        text.family("weft_failed_attempts", .counter, "Attempts that ended with a failure, by tool")
        for (name, numbers) in tools { text.sample(numbers.failedAttempts, [("tool", name)]) }
        text.single("weft_tools", .gauge, "Tools that can be called", fleet.catalogue.count)
    }

    /// Workers that have samples of their own.
    private static let namedWorkers = 500

    private func writeWorkers(at now: Instant, into text: inout MetricsText) {
        var states: [WorkerDocument.State: Int] = [:]
        var slots: [(name: String, busy: Int, idle: Int, unavailable: Int, held: Int)] = []
        var rest = (name: ToolTable.rest, busy: 0, idle: 0, unavailable: 0, held: 0)
        for worker in fleet.ids {
            guard let session = fleet[worker] else { continue }
            states[session.state, default: 0] += 1
            let held = scheduler.attemptCount(on: worker)
            let busy = min(held, session.offered.slots)
            let free = session.offered.slots - busy
            let isReady = session.state == .ready
            let (idle, unavailable) = isReady ? (free, 0) : (0, free)
            if slots.count < Self.namedWorkers, session.name != rest.name {
                slots.append((session.name, busy, idle, unavailable, held))
            } else {
                rest.busy += busy
                rest.idle += idle
                rest.unavailable += unavailable
                rest.held += held
            }
        }
        if slots.count < fleet.ids.count { slots.append(rest) }
        text.family("weft_workers", .gauge, "Workers by state")
        for state in WorkerDocument.State.allCases {
            text.sample(states[state] ?? 0, [("state", state.rawValue)])
        }
        text.family(
            "weft_worker_slots",
            .gauge,
            "Slots by worker and state: busy, idle, or unavailable because the worker takes nothing"
        )
        for worker in slots {
            text.sample(worker.busy, [("worker", worker.name), ("state", "busy")])
            text.sample(worker.idle, [("worker", worker.name), ("state", "idle")])
            text.sample(worker.unavailable, [("worker", worker.name), ("state", "unavailable")])
        }
        text.family(
            "weft_worker_held_attempts",
            .gauge,
            "Attempts that workers hold, also those that wait there for a slot"
        )
        for worker in slots { text.sample(worker.held, [("worker", worker.name)]) }
    }

    private func writePeers(into text: inout MetricsText) {
        var roles: [String: Int] = ["handshake": 0]
        for role in Role.allCases { roles[role.rawValue] = 0 }
        for id in peers.ids { roles[peers.role(of: id)?.rawValue ?? "handshake", default: 0] += 1 }
        text.family("weft_connections", .gauge, "Connections by role")
        for (role, count) in roles.sorted(by: { $0.key < $1.key }) {
            text.sample(count, [("role", role)])
        }
        text.family(
            "weft_refused_peers",
            .counter,
            "Connections that the coordinator ended because of the peer, by the code of the error"
        )
        for (code, count) in counters.refusedPeers.sorted(by: { $0.key.rawValue < $1.key.rawValue })
        {
            text.sample(count, [("code", code.rawValue)])
        }
    }

    private func writeBytes(into text: inout MetricsText) {
        text.family("weft_held_bytes", .gauge, "Memory charged to runs, by whether they have ended")
        text.sample(runs.ledger.active, [("runs", "active")])
        text.sample(runs.ledger.finished, [("runs", "finished")])
        text.single(
            "weft_unsent_bytes",
            .gauge,
            "What waits until peers read it",
            peers.unsentBytes
        )
        text.single(
            "weft_journal_unwritten_bytes",
            .gauge,
            "Records that are not on disk yet, about",
            configuration.keepsRecords ? journal.unwrittenBytes : 0
        )
    }

    // MARK: - Counting

    /// Counts a node that has settled; what is known of its tool is counted with it.
    ///
    /// The hot path: a few nanoseconds.
    mutating func countNode(_ node: Int, _ run: Int) {
        let measured = runs[run].measure(node)
        counters.tools.countNode(
            row(of: measured.tool),
            measured.status,
            work: Int(measured.work),
            queued: Int(measured.queued)
        )
    }

    /// Counts an attempt that ran and failed.
    mutating func countFailedAttempt(_ node: Int, _ run: Int) {
        let measured = runs[run].measure(node)
        counters.tools.countFailure(
            row(of: measured.tool),
            work: Int(measured.work),
            queued: Int(measured.queued)
        )
    }

    private mutating func row(of tool: String) -> Int {
        if let row = counters.tools.row(of: tool) { return row }
        let catalogue = fleet.catalogue
        return counters.tools.addRow(of: tool) { catalogue[$0] != nil }
    }

    /// What was counted of a tool, for people; nil if there is nothing.
    func toolFigures(_ name: String) -> ToolDocument.Figures? {
        guard let numbers = counters.tools[name], name != ToolTable.rest else { return nil }
        return ToolDocument.Figures(
            calls: numbers.duration.count,
            failures: numbers.failedAttempts,
            run: DurationDocument(numbers.duration),
            queue: DurationDocument(numbers.queue)
        )
    }
}

extension DurationDocument {
    init?(_ histogram: Histogram) {
        guard let median = histogram.quantile(0.5), let most = histogram.quantile(0.95) else {
            return nil
        }
        self.init(median: median, ninetyFifth: most)
    }
}

extension ToolTable {
    fileprivate mutating func countNode(_ row: Int, _ status: NodeStatus, work: Int, queued: Int) {
        switch status {
        case .succeeded:
            change(row) { numbers in
                numbers.succeeded += 1
                numbers.duration.observe(microseconds: work)
                numbers.queue.observe(microseconds: queued)
            }
        case .failed: change(row) { $0.failed += 1 }
        case .skipped: change(row) { $0.skipped += 1 }
        default: change(row) { $0.cancelled += 1 }
        }
    }

    fileprivate mutating func countFailure(_ row: Int, work: Int, queued: Int) {
        change(row) { numbers in
            numbers.failedAttempts += 1
            numbers.duration.observe(microseconds: work)
            numbers.queue.observe(microseconds: queued)
        }
    }
}
