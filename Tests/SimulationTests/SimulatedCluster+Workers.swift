// The workers' shells: execute their machines' actions, tools that take time, processes that start
// and end.

import Core
import JSON
import Wire
import WorkerCore

extension SimulatedCluster {
    func startWorker(_ name: String) {
        guard !workers.contains(where: { $0.isAlive && $0.name == name }) else { return }
        let slots = scenario.workers.first { $0.name == name }?.slots ?? 2
        begin(name, slots: slots)
    }

    /// A process of this name starts, whether or not there is one already.
    func begin(_ name: String, slots: Int, replaces: Bool = false) {
        incarnations[name, default: 0] += 1
        let worker = SimulatedWorker(
            name: name,
            incarnation: incarnations[name] ?? 1,
            slots: slots,
            tools: SimulatedTools.descriptions(approved: scenario.approvedTool),
            limits: scenario.limits,
            key: workerKeys.current(of: name),
            replaces: replaces,
            coordinators: isShared ? ["a0", "a1"] : [],
            seed: draw.next()
        )
        workers.append(worker)
        trace.add(now, "\(worker.label) begins with \(slots) slots")
        tell(worker, .startRequested)
    }

    /// One event, its turn, and the events that its actions cause at once.
    func tell(_ worker: SimulatedWorker, _ event: WorkerMachine.Event) {
        guard worker.isAlive else { return }
        var actions: [WorkerMachine.Action] = []
        worker.machine.handle(event, at: now, into: &actions)
        carryOut(&actions, of: worker)
        if worker.isAlive {
            worker.machine.endTurn(at: now, into: &actions)
            carryOut(&actions, of: worker)
        }
        worker.due = worker.machine.nextDeadline()
        do {
            try worker.machine.validate()
        } catch {
            broken("\(worker.label): \(error)")
        }
        broken(slots.check(worker))
    }

    /// Executes actions in order; tools that end at once add more.
    private func carryOut(_ actions: inout [WorkerMachine.Action], of worker: SimulatedWorker) {
        var next = 0
        while next < actions.count, worker.isAlive {
            let action = actions[next]
            next += 1
            switch action {
            case .connect:
                worker.isConnecting = true
                plan(
                    .answerConnect(worker),
                    after: draw.duration(.milliseconds(1) ... .milliseconds(20))
                )
            case .disconnect:
                if let link = worker.link { close(link, from: .toCoordinator) }
                worker.link = nil
            case .send(let message):
                guard let link = worker.link else {
                    return broken("\(worker.label) sends \(message.kind) without a connection")
                }
                send(message, over: link, .toCoordinator)
            case .awaitWritten:
                guard let link = worker.link else { continue }
                plan(
                    .written(worker, link),
                    after: draw.duration(.microseconds(50) ... .milliseconds(2))
                )
            case .checkTools:
                worker.machine.handle(
                    .toolsChecked(missingTools(of: worker)),
                    at: now,
                    into: &actions
                )
            case .startAttempt(let start):
                if let problem = refuseStart(of: worker, start) {
                    worker.machine.handle(
                        .attemptNotStarted(start.attempt, problem),
                        at: now,
                        into: &actions
                    )
                } else if let outcome = startTool(of: worker, start) {
                    worker.machine.handle(
                        .attemptFinished(
                            start.attempt,
                            outcome,
                            isTruncated: false,
                            microseconds: 5
                        ),
                        at: now,
                        into: &actions
                    )
                }
            case .cancelAttempt(let attempt, let grace):
                cancelTool(of: worker, attempt, grace)
            case .report(let notice):
                trace.add(now, "\(worker.label) \(notice)")
            case .exit(let reason): noteExit(of: worker, reason)
            }
        }
        actions.removeAll()
    }

    /// A worker's machine has decided to end.
    private func noteExit(of worker: SimulatedWorker, _ reason: WorkerMachine.ExitReason) {
        trace.add(now, "\(worker.label) exits: \(reason)")
        var hasOldKey = false
        switch reason {
        case .stopped: faults.note(.drainForced)
        case .drained where !worker.machine.isReady: hasUnheardDrain = true
        case .nameTaken: faults.note(.twinRefused)
        case .refused:
            faults.note(.keyRefused)
            hasOldKey = true
        default: break
        }
        end(worker)
        // A worker is always given its new key, at last.
        guard hasOldKey || !isHealed && draw.permille(700) else { return }
        plan(
            .startWorker(worker.name),
            after: draw.duration(.milliseconds(100) ... .seconds(3))
        )
    }

    /// The process ends, with everything in it.
    func end(_ worker: SimulatedWorker) {
        worker.isAlive = false
        workers.removeAll { $0 === worker }
        worker.running.removeAll()
        if let link = worker.link, link.isOpenForPeer { close(link, from: .toCoordinator) }
        worker.link = nil
    }

    func answerConnect(_ worker: SimulatedWorker) {
        guard worker.isAlive, worker.isConnecting else { return }
        worker.isConnecting = false
        if !isHealed, !scenario.isCalm, draw.permille(50) {
            return tell(worker, .connectFailed(reason: "refused"))
        }
        guard let link = openLink(to: worker.label, at: isShared ? worker.machine.coordinator : 0)
        else { return tell(worker, .connectFailed(reason: "refused")) }
        worker.link = link
        workersByLink[link.id] = worker
        tell(worker, .connected(nonce: draw.bytes(32)))
    }

    // MARK: - Tools

    /// The tools whose programs do not exist at present.
    private func missingTools(of worker: SimulatedWorker) -> [WithheldTool] {
        guard !isHealed, draw.permille(scenario.gonePermille),
            let tool = draw.element(SimulatedTools.mix)
        else { return [] }
        faults.note(.toolGone)
        return [WithheldTool(name: tool, reason: "it is gone")]
    }

    /// One of its tools goes and the others come in another order, for a while.
    func changeTools(of worker: SimulatedWorker) {
        guard let gone = draw.element(SimulatedTools.mix) else { return }
        faults.note(.toolListChanged)
        trace.add(now, "\(worker.label) loses the tool \(gone)")
        setTools(of: worker, worker.allTools.reversed().filter { $0.name != gone })
        plan(
            .restoreTools(worker),
            after: draw.duration(.milliseconds(1) ... .milliseconds(2_000))
        )
    }

    func setTools(of worker: SimulatedWorker, _ tools: [ToolDescription]) {
        worker.toolNames = Set(tools.map(\.name))
        tell(worker, .toolsChanged(tools))
    }

    /// Whether the worker cannot start the tool, finally or temporarily.
    private func refuseStart(
        of worker: SimulatedWorker,
        _ start: WorkerMachine.AttemptStart
    ) -> WorkerMachine.StartProblem? {
        let isGone = !worker.toolNames.contains(start.tool)
        guard !isHealed || isGone else { return nil }
        let isSick = scenario.sick[worker.name] == start.tool
        let isShort = scenario.scarce[worker.name].map { worker.running.count >= $0 } ?? false
        guard isSick || isShort || isGone else { return nil }
        if !isGone { faults.note(isSick ? .startRefused : .shortage) }
        trace.add(now, "\(worker.label) cannot start \(start.attempt)")
        return WorkerMachine.StartProblem(
            failure: Failure(code: .spawnFailed, message: "it cannot begin", isRetryable: true),
            isShortage: !isSick && !isGone,
            arguments: start.arguments
        )
    }

    /// A node kills its worker, with the other nodes on it.
    func killByTool(_ worker: SimulatedWorker, _ attempt: AttemptID) {
        guard !isHealed, worker.isAlive, worker.running[attempt] != nil else { return }
        faults.note(.killer)
        if worker.running.count > 1 { faults.note(.killedWithOthers) }
        crash(worker)
    }

    /// Whether a node is one that kills its worker: always the same ones.
    private func isKiller(_ start: WorkerMachine.AttemptStart) -> Bool {
        guard scenario.killerPermille > 0, SimulatedTools.isIdempotent(start.tool) else {
            return false
        }
        let hash = "\(start.run)/\(start.node)".utf8.reduce(17) { ($0 * 31 + Int($1)) % 1_000_003 }
        return hash % 1_000 < scenario.killerPermille
    }

    /// Begins a tool; the outcome when it ends at once.
    private func startTool(
        of worker: SimulatedWorker,
        _ start: WorkerMachine.AttemptStart
    ) -> Result<RawJSON, Failure>? {
        trace.add(now, "\(worker.label) runs \(start.attempt)")
        broken(executions.start(start.attempt, tool: start.tool))
        if !seats.strays.contains(start.attempt) {
            broken(dependencies.start(start.attempt, start.arguments))
        }
        let outcome = drawOutcome(start, worker)
        if start.tool == "quick", draw.permille(500) { return outcome }
        var time: Duration =
            switch start.tool {
            case "quick": draw.duration(.microseconds(50) ... .milliseconds(2))
            case "work": draw.duration(.milliseconds(1) ... .milliseconds(700))
            default: draw.duration(.milliseconds(1) ... .milliseconds(500))
            }
        let isLong = !isHealed && draw.permille(start.tool == "work" ? 150 : 60)
        if isLong { time = draw.duration(.milliseconds(900) ... .seconds(6)) }
        worker.running[start.attempt] = SimulatedWorker.RunningTool(
            start: start,
            begunAt: now,
            version: 0,
            isStubborn: isLong && draw.permille(500),
            outcome: outcome
        )
        if draw.permille(300) {
            for part in 1...draw.int(1...4) {
                plan(.toolWrites(worker, start.attempt), after: time * part / 5)
            }
        }
        plan(.toolEnds(worker, start.attempt, version: 0), after: time)
        if !isHealed, isKiller(start) { plan(.toolKills(worker, start.attempt), after: time / 2) }
        return nil
    }

    /// A tool writes the next bytes of a text in which each byte is one more than the byte before.
    func writeText(_ worker: SimulatedWorker, _ attempt: AttemptID) {
        let stream: ChunkStream = draw.permille(500) ? .standardError : .standardOutput
        guard worker.isAlive, let tool = worker.running[attempt] else { return }
        let written = tool.written[stream] ?? 0
        let count = draw.int(1...300)
        worker.running[attempt]?.written[stream] = written + count
        let bytes = (written..<written + count).map { UInt8($0 % TextChecker.values) }
        faults.note(.toolWrote)
        tell(worker, .attemptOutput(attempt, stream, bytes))
    }

    private func drawOutcome(
        _ start: WorkerMachine.AttemptStart,
        _ worker: SimulatedWorker
    ) -> Result<RawJSON, Failure> {
        let percent = draw.int(0...99)
        if percent < 12, !isHealed {
            faults.note(.toolFailure)
            let code: FailureCode = percent == 0 ? .spawnFailed : .toolError
            return .failure(
                Failure(code: code, message: "it broke", isRetryable: percent < 8)
            )
        }
        let node = start.node.text
        let number = start.number
        let padding =
            draw.permille(60) ? String(repeating: "ab", count: draw.int(4_000...9_000)) : ""
        let text =
            #"{"n":"\#(node)","a":\#(number),"w":"\#(worker.label)","#
            // A string like a reference is data everywhere.
            + #""l":[1,{"k":"$\#(node) ${\#(node).a} $$ \#(number)"}],"p":"\#(padding)"}"#
        return .success(RawJSON(trusted: Array(text.utf8)[...]))
    }

    func endTool(of worker: SimulatedWorker, _ attempt: AttemptID, _ version: Int) {
        guard worker.isAlive, let tool = worker.running[attempt], tool.version == version else {
            return
        }
        worker.running[attempt] = nil
        let micros = Int((now - tool.begunAt) / .microseconds(1))
        trace.add(now, "\(worker.label) ends \(attempt)")
        tell(
            worker,
            .attemptFinished(attempt, tool.outcome, isTruncated: false, microseconds: micros)
        )
    }

    /// A tool ends soon after its cancel, some only after the grace period, some later still.
    private func cancelTool(of worker: SimulatedWorker, _ attempt: AttemptID, _ grace: Duration) {
        guard var tool = worker.running[attempt] else {
            return broken("\(worker.label) cancels \(attempt), which does not run")
        }
        worker.told.insert(attempt)
        if tool.isStubborn {
            faults.note(.stubbornTool)
            return
        }
        if let timeout = tool.start.timeout, now - tool.begunAt >= timeout { faults.note(.timeout) }
        tool.version += 1
        tool.outcome = .failure(Failure(code: .cancelled, message: "told to end"))
        worker.running[attempt] = tool
        let delay = draw.duration(.microseconds(50)...max(grace, .microseconds(100)))
        plan(.toolEnds(worker, attempt, version: tool.version), after: delay)
    }

    /// A running tool is told to end as soon as its attempt is cancelled.
    func checkCancelled(by message: Message, _ worker: SimulatedWorker) {
        guard case .cancel(let cancel) = message, cancel.reason != Cancel.recalled,
            worker.link != nil,
            worker.running[cancel.attempt] != nil, !worker.told.contains(cancel.attempt)
        else { return }
        broken("\(worker.label) was told to cancel \(cancel.attempt), and its tool was not")
    }
}
