// The clients' shells: connecting again and again, streaming, cancelling.

import CoordinatorCore
import Core
import Plans
import Wire

extension SimulatedCluster {
    func connect(_ client: SimulatedClient) {
        guard client.link == nil else { return }
        guard let link = openLink(to: client.name, at: isShared ? draw.int(0...1) : 0) else {
            // No coordinator listens.
            let pause = draw.duration(.milliseconds(50) ... .milliseconds(500))
            return plan(.connectClient(client), after: pause)
        }
        clientsByLink[link.id] = client
        for message in client.connected(link, nonce: draw.bytes(32)) {
            send(message, over: link, .toCoordinator)
        }
        if isStopped(link.seat) { plan(.giveUp(client, link), after: scenario.limits.handshake) }
    }

    /// A client has waited for long enough for a coordinator that does not answer.
    func giveUp(_ client: SimulatedClient, _ link: SimulatedLink) {
        guard client.link === link, link.isOpenForPeer, isStopped(link.seat) else { return }
        faults.note(.clientGaveUp)
        trace.add(now, "\(client.name) gives the coordinator up")
        close(link, from: .toCoordinator)
        lost(client)
    }

    func deliver(_ message: Message, to client: SimulatedClient) {
        client.isAstray = client.link.map { $0.seat != seat } ?? false
        for answer in client.receive(message) {
            if let link = client.link { send(answer, over: link, .toCoordinator) }
        }
        if case .accepted(let accepted) = message, client.isStreamed, !accepted.isExisting {
            plan(.stream(client), after: draw.duration(.microseconds(50) ... .milliseconds(5)))
        }
        if case .event = message, draw.permille(200) {
            plan(.ask(client), after: draw.duration(.zero ... .milliseconds(20)))
        }
        if case .error = message, client.isRefused {
            plan(.submitAgain(client), after: draw.duration(.milliseconds(50) ... .seconds(1)))
        }
        broken(client.problem.map { "\(client.name): \($0)" })
        if case .event(let event) = message, event.kind == .approvalAsked, let node = event.node,
            draw.permille(800)
        {
            plan(.decide(client, node), after: draw.duration(.zero ... .seconds(2)))
        }
        if case .event(let event) = message, event.isTerminal { retry(client, event.kind) }
    }

    /// Now and then a plan is done again when its run has ended.
    private func retry(_ client: SimulatedClient, _ end: EventKind) {
        guard case .plan(let model) = client.work, !client.isRetried, draw.permille(250),
            let key = Scenario.keys[.client], let run = client.run
        else { return }
        var nodes: [NodeID] = []
        if end == .runSucceeded || draw.permille(200) {
            guard let node = draw.element(model.nodes).flatMap({ NodeID($0.id) }) else { return }
            nodes = [node]
        }
        client.isRetried = true
        let again = SimulatedClient(
            name: "\(client.name)-again",
            work: client.work,
            isStreamed: false,
            watch: client.watch,
            handshakeKey: key
        )
        again.retry = (run, client, nodes)
        again.mayBeForgotten = client.mayBeForgotten
        again.allowed = client.allowed
        again.join = client.join
        again.running = client.running
        again.onMissingTool = client.onMissingTool
        again.approve = client.approve
        faults.note(.runRetried)
        trace.add(now, "\(again.name) retries \(run)")
        clients.append(again)
        plan(.connectClient(again), after: draw.duration(.zero ... .milliseconds(200)))
    }

    /// A client that was told to come again later does.
    func submitAgain(_ client: SimulatedClient) {
        guard let link = client.link, let submission = client.resubmission() else { return }
        send(submission, over: link, .toCoordinator)
    }

    /// What a client tells of a launch that it belongs to.
    func launch(by link: SimulatedLink) -> LaunchReport {
        let group = LaunchGroupDocument(name: "g", kind: .slurm, wanted: 1, running: 0, pending: 1)
        let member = LaunchMemberDocument(
            name: "\(link.peer)-g-1",
            group: "g",
            site: "slurm",
            state: .pending,
            note: "Resources"
        )
        return LaunchReport(
            LaunchDocument(
                name: link.peer,
                host: "h",
                pid: 1,
                groups: [group],
                members: [member]
            )
        )
    }

    /// A client asks about its run.
    func ask(_ client: SimulatedClient) {
        let kinds: [GetKind] = [
            .answer, .nodes, .run, .explain, .status, .story, .logs, .approvals,
            .conversation,
        ]
        guard let link = client.link, let what = draw.element(kinds),
            let question = client.nextQuestion(what)
        else { return }
        send(question, over: link, .toCoordinator)
    }

    func stream(_ client: SimulatedClient) {
        guard let link = client.link, let batch = client.nextBatch(of: draw.int(1...4)) else {
            return
        }
        send(batch, over: link, .toCoordinator)
        if client.hasMore {
            plan(.stream(client), after: draw.duration(.microseconds(50) ... .milliseconds(60)))
        }
    }

    func cancel(_ client: SimulatedClient) {
        guard !client.isDone else { return }
        guard client.isWelcome, let link = client.link, let run = client.run else {
            return plan(.cancel(client), after: .milliseconds(100))
        }
        faults.note(.cancelRun)
        trace.add(now, "\(client.name) cancels \(run)")
        send(.cancelRun(CancelRun(run: run, reason: "drawn")), over: link, .toCoordinator)
    }

    /// A client answers for a node, or for all that wait, and asks whether that was handled.
    func decide(_ client: SimulatedClient, _ node: NodeID) {
        guard client.isWelcome, let link = client.link, let run = client.run else { return }
        let isApproved = draw.permille(750)
        let nodes = draw.permille(850) ? [node] : nil
        trace.add(now, "\(client.name) \(isApproved ? "approves" : "denies") \(run)/\(node)")
        let answer = Approve(run: run, nodes: nodes, isApproved: isApproved, reason: "drawn")
        send(.approve(answer), over: link, .toCoordinator)
        pingCount += 1
        send(.ping(Ping(n: pingCount)), over: link, .toCoordinator)
    }

    /// A client whose connection is gone comes back.
    func lost(_ client: SimulatedClient) {
        client.disconnected()
        plan(.connectClient(client), after: draw.duration(.milliseconds(5) ... .milliseconds(300)))
    }
}
