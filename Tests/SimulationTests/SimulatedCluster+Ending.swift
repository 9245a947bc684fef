// The whole course of a simulation: a beginning, a time of faults, a repair, and an end that must
// come.

import Core
import DequeModule
import JSON
import Plans
import Runs
import Scheduling
import Wire
import WorkerCore

@testable import CoordinatorCore

extension SimulatedCluster {
    /// Runs the seed to its end; returns the first broken guarantee, or nil.
    func runToEnd() -> String? {
        prepare()
        _ = run(until: scenario.faultsEnd, steps: 50_000) { false }
        guard problem == nil else { return problem }
        heal()
        // A coordinator that is stopped does nothing before it goes on.
        repeat {
            let begin = max(now, pausedUntil, seats.settledAt)
            let hasEnded = run(until: begin + .seconds(120), steps: 20_000) {
                clients.allSatisfy(\.isDone)
            }
            if !hasEnded { broken(stuck()) }
            let quiet = max(now, pausedUntil, seats.settledAt) + .seconds(10)
            _ = run(until: quiet, steps: 20_000) { false }
            now = max(now, quiet)
            // One that had given up may have come back, and retried its run.
        } while problem == nil && !clients.allSatisfy(\.isDone)
        checkLeftovers()
        return problem
    }

    private func prepare() {
        if isShared { startStandby(1) }
        for worker in scenario.workers {
            plan(.startWorker(worker.name), after: draw.duration(.zero ... .milliseconds(300)))
        }
        guard let key = Scenario.keys[.client] else { return }
        for index in 0..<scenario.clientCount {
            let client = drawClient(index, key)
            clients.append(client)
            let start = draw.duration(.zero...(scenario.faultsEnd - .zero) * 2 / 3)
            plan(.connectClient(client), after: start)
            if draw.permille(250) {
                let wait = draw.duration(.milliseconds(1) ... .milliseconds(1_500))
                plan(.cancel(client), after: start + wait)
            }
        }
        if !scenario.strikes.isEmpty {
            plan(.fault, after: draw.duration(.milliseconds(50) ... .milliseconds(800)))
        }
    }

    private func drawClient(_ index: Int, _ key: HandshakeKey) -> SimulatedClient {
        let names = SimulatedTools.descriptions.map(\.name)
        let hasGoal = draw.permille(scenario.goalPermille)
        let work: SimulatedClient.Work =
            hasGoal ? .goal(ModelGoal(drawing: &draw)) : .plan(ModelPlan(drawing: &draw))
        let client = SimulatedClient(
            name: "c\(index)",
            work: work,
            isStreamed: !hasGoal && draw.permille(350),
            watch: draw.element([.end, .progress, .nodes, .all]) ?? .nodes,
            handshakeKey: key
        )
        client.mayBeForgotten = scenario.mayForget
        switch work {
        case .goal:
            if draw.permille(400) {
                client.allowed = ["quick"] + names.dropFirst().filter { _ in draw.permille(500) }
            }
        case .plan(let plan):
            if draw.permille(150) {
                client.allowed = names.filter { name in plan.nodes.contains { $0.tool == name } }
            }
        }
        if draw.permille(150) {
            client.approve = [draw.permille(400) ? "*" : draw.element(names) ?? "*"]
            if draw.permille(300) { client.approvalMilliseconds = draw.int(1...4_000) }
        }
        client.join = drawJoin(hasGoal: hasGoal, allowed: client.allowed)
        if draw.permille(150) { client.running = draw.int(1...3) }
        if client.isStreamed, draw.permille(150) { client.breaksOffAfter = draw.int(0...3) }
        guard scenario.hasBudgets else { return client }
        if draw.permille(300) { client.wallMilliseconds = draw.int(50...4_000) }
        if draw.permille(200) { client.onMissingTool = .fail }
        return client
    }

    private func drawJoin(hasGoal: Bool, allowed: [String]?) -> JoinKind {
        let joiners = ["quick", "work", "once"].filter { allowed?.contains($0) ?? true }
        if draw.permille(120), let tool = draw.element(joiners) { return .tool(tool) }
        return draw.permille(hasGoal ? 750 : 80) ? .llm : .json
    }

    /// Networks work again, there are workers for every tool, tools neither fail nor ignore
    /// cancels.
    private func heal() {
        isHealed = true
        trace.add(now, "HEALED")
        for id in links.keys.sorted() {
            guard let link = links[id] else { continue }
            release(link, .toPeer)
            release(link, .toCoordinator)
        }
        begin("fresh-1", slots: 2)
        begin("fresh-2", slots: 2)
    }

    private func stuck() -> String {
        var lines = ["not all runs ended"]
        for client in clients where !client.isDone {
            let state = client.link == nil ? "without" : "with"
            lines.append("\(client.name) waits for \(client.run?.text ?? "its run") \(state) link")
        }
        for id in coordinator.runs.active {
            guard let run = coordinator.runs.slot(of: id) else { continue }
            for node in 0..<coordinator.runs[run].state.plan.count {
                let reference = NodeReference(run: id, node: node)
                let state = coordinator.scheduler.state(of: reference)
                if state?.kind.isTerminal == true { continue }
                let reasons = coordinator.scheduler.explain(
                    reference,
                    dependencies: coordinator.runs[run].state.plan.dependencies(of: node),
                    at: now
                )
                lines.append("\(reference) is \(state as Any): \(reasons)")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// After a while without faults nothing is held any more.
    private func checkLeftovers() {
        guard problem == nil else { return }
        if let run = runEnds.open.first { broken("run \(run) never ended") }
        if let call = modelCalls.open.first { broken("\(call) is open for ever") }
        let open = links.values.count { $0.isOpenForCoordinator && $0.seat == seat }
        if seats.others.values.contains(where: { $0.state.standing == .former }) {
            broken("a former leader does not end")
        }
        if coordinator.peers.count != open {
            broken("\(open) connections are open, but \(coordinator.peers.count) are kept")
        }
        if coordinator.peers.unsentBytes > 0 || coordinator.peers.haveQuestions {
            broken("\(coordinator.peers.unsentBytes) bytes or a question wait for ever")
        }
        for client in clients where client.link?.isOpenForCoordinator == true {
            if !client.openQuestions.isEmpty {
                broken("\(client.name) has no answer to \(client.openQuestions)")
            }
        }
        for worker in workers where worker.isAlive {
            let counts = worker.machine.counts
            if counts.queued + counts.running + counts.done > 0 {
                broken("\(worker.label) still holds \(counts)")
            }
        }
        for id in coordinator.fleet.ids {
            guard let session = coordinator.fleet[id] else { continue }
            if !coordinator.scheduler.attempts(on: id).isEmpty {
                broken("the coordinator believes that \(session.name) still holds attempts")
            }
            if !session.acknowledgements.isEmpty {
                broken("\(session.name) has acknowledgements that never left")
            }
            if !session.consumed.isEmpty {
                broken("bytes of \(session.name) are never granted again")
            }
        }
        if coordinator.runs.ledger.active != 0 {
            broken("\(coordinator.runs.ledger.active) bytes are booked on runs that ended")
        }
        for id in coordinator.runs.finished {
            guard let run = coordinator.runs.slot(of: id) else { continue }
            if !coordinator.runs[run].incoming.isEmpty {
                broken("pieces of outputs of \(id) are kept for ever")
            }
            checkOutcomes(of: id, coordinator.runs[run].state)
        }
    }

    /// The coordinator still has the outputs that arrived.
    private func checkOutcomes(of id: RunID, _ run: Run) {
        for node in 0..<run.plan.count {
            let state = run.nodes[node].status
            let recorded = dependencies.output(id, node)
            if (state == .succeeded) != (recorded != nil) {
                broken("\(id)/\(node) is \(state), its output \(recorded?.text ?? "none")")
            }
            if run.results.outputs[node]?.text != recorded?.text, run.results.intake != .dropped {
                broken("\(id)/\(node) has another output than the one that came")
            }
            let unmade: [FailureCode] = [.referenceNotFound, .badArguments]
            if let failure = run.results.failures[node], unmade.contains(failure.code),
                let problem = dependencies.unmade(id, run.plan[node].id)
            {
                broken(problem)
            }
            let excusable: [FailureCode] = [.workerLost, .outcomeUnknown]
            if let failure = run.results.failures[node], excusable.contains(failure.code),
                !hasLostWorkers, !hasUnheardDrain, faults[.drainEndedAttempt] == 0
            {
                broken("\(id)/\(node) failed with \(failure), though no worker was lost")
            }
        }
    }

    /// Whether anything happened that can lose attempts.
    private var hasLostWorkers: Bool {
        let causes: [Fault] = [
            .workerCrash, .cut, .halfOpen, .partitionToPeer, .partitionToCoordinator, .twin, .delay,
            .drainForced, .slowReaderDismissed, .keyChanged, .coordinatorCrash,
            .coordinatorLongPause, .leaderStopped, .leaderCut,
        ]
        return causes.contains { faults[$0] > 0 }
    }
}
