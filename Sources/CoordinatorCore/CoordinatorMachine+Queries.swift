// Answers to `get`: status, workers, tools, runs, nodes, explanations. Read only, and in pages: see
// PageWork.

internal import Core
internal import DequeModule
internal import JSON
internal import OrderedCollections
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    mutating func answer(_ get: Get, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard admit(get, id, in: &turn) else { return }
        let page: (data: JSONPieces, next: Int?)
        let from = max(get.from ?? 0, 0)
        switch get.what {
        case .status: page = (JSONPieces(statusDocument(turn.now).json), nil)
        case .workers: page = workersPage(turn.now, from: from, limit: get.limit ?? .max)
        case .launches: page = launchesPage(turn.now, from: from, limit: get.limit ?? .max)
        case .tools: page = toolsPage(from: from, limit: get.limit ?? .max)
        case .plans: page = plansPage(from: from, limit: get.limit ?? .max)
        case .runs: return listRuns(get, id, in: &turn)
        case .approvals where get.id == nil: page = approvalsPage(get, turn.now)
        case .run, .nodes, .graph, .node, .answer, .approvals, .explain, .story, .logs,
            .conversation:
            guard let run = get.id.flatMap(RunID.init).flatMap({ runs.slot(of: $0) }) else {
                let error = ErrorMessage(
                    code: .unknownRun,
                    message: "No run has the id \(get.id ?? "(none)"); `weft runs` lists those "
                        + "that are known.",
                    isFatal: false,
                    about: get.id,
                    request: get.request
                )
                turn.append(.send(id, .error(error)))
                return
            }
            let isNodeKnown = get.node.map { index(of: $0, in: run) != nil }
            guard isNodeKnown ?? !get.what.isAboutNode else {
                let name = runs[run].id
                let error = ErrorMessage(
                    code: .unknownNode,
                    message: get.node.map { "Run \(name) has no node \($0)." }
                        ?? "Name a node of run \(name).",
                    isFatal: false,
                    about: get.node?.text,
                    request: get.request
                )
                turn.append(.send(id, .error(error)))
                return
            }
            let outputBytes = runs[run].state.results.outputBytes
            if get.what == .answer, outputBytes > limits.maxValue {
                return refuse(get, bytes: outputBytes, id, in: &turn)
            }
            if get.what == .story || get.what == .logs {
                return tellNode(get, run, index(of: get.node, in: run), id, in: &turn)
            }
            page = runPage(get, run, from: from, turn.now)
        }
        reply(get, page.data, next: page.next, id, in: &turn)
    }

    private mutating func runPage(
        _ get: Get,
        _ run: Int,
        from: Int,
        _ now: Instant
    ) -> (data: JSONPieces, next: Int?) {
        switch get.what {
        case .answer: (takeAnswer(of: run), nil)
        case .nodes: nodesPage(run, from: from, limit: get.limit ?? 1_000)
        case .graph: graphPage(run, from: from, limit: get.limit ?? .max)
        case .node:
            (nodeDetails(run, index(of: get.node, in: run) ?? 0, now).pieces, nil)
        case .approvals: approvalsPage(get, now)
        case .explain: explainPage(run, get.node, from: from, limit: get.limit ?? .max, now)
        case .conversation: conversationPage(run, from: from, limit: get.limit ?? .max)
        default: (JSONPieces(runDocument(run, now).json), nil)
        }
    }

    private func index(of node: NodeID?, in run: Int) -> Int? {
        node.flatMap { runs[run].state.plan.index(of: $0) }
    }

    mutating func reply(
        _ get: Get,
        _ data: JSONPieces,
        next: Int?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard data.count <= limits.maxValue else {
            return refuse(get, bytes: data.count, id, in: &turn)
        }
        awaitJournal(id, in: &turn)
        let run = get.what == .answer ? get.id.flatMap(RunID.init) : nil
        let isShared = run.flatMap { runs.slot(of: $0) }.map { runs[$0].state.isEnded } ?? false
        let value = SentValue(bytes: data.count, answerOf: isShared ? run : nil)
        // What is small goes in one piece; what is large shares the outputs with the run.
        let isWhole = data.count <= limits.announced.largestInline || data.pieces.count == 1
        let payload = isWhole ? Payload.inline(data.joined) : .pieces(data)
        let reply = Reply(request: get.request, what: get.what, data: payload, next: next)
        send(.reply(reply), with: value, to: id, in: &turn)
    }

    /// Says that an answer is larger than what a peer takes, and how to get it in parts.
    private func refuse(
        _ get: Get,
        bytes: Int,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let parts =
            switch get.what {
            case .answer: "Ask for its nodes one by one (`weft show RUN NODE`)"
            case .nodes: "Ask for one node at a time"
            default: "It is there, but cannot be sent"
            }
        let error = ErrorMessage(
            code: .limit,
            message: "This has \(bytes) bytes, and at most \(limits.maxValue) can be sent at a "
                + "time. \(parts), or raise max_value in the coordinator's configuration.",
            isFatal: false,
            about: get.node?.text ?? get.id,
            request: get.request
        )
        turn.append(.send(id, .error(error)))
    }

    // MARK: - The coordinator

    private func statusDocument(_ now: Instant) -> StatusDocument {
        var counted = StatusDocument.Workers(connected: 0, draining: 0, slots: 0, inFlight: 0)
        for worker in fleet.ids {
            guard let session = fleet[worker] else { continue }
            counted.connected += session.connection != nil ? 1 : 0
            counted.draining += session.drain.isDraining ? 1 : 0
            counted.slots += session.offered.slots
            counted.inFlight += scheduler.attemptCount(on: worker)
        }
        return StatusDocument(
            software: configuration.software,
            epoch: configuration.epoch,
            uptimeMilliseconds: (now - startedAt).wholeMilliseconds,
            workers: counted,
            runs: StatusDocument.Runs(
                active: runs.active.count,
                kept: runs.finished.count,
                accepted: runs.counts.accepted
            ),
            settledNodes: runs.counts.settledNodes,
            tools: fleet.catalogue.names.count,
            connections: peers.count,
            page: page
        )
    }

    private func workersPage(
        _ now: Instant,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        page(of: fleet.ids, from: from, limit: limit) { worker, work -> WorkerDocument? in
            guard let session = fleet[worker] else { return nil }
            let offered = session.offered
            work.look(offered.names.count + offered.refused.count + session.about.labels.count)
            return document(of: session, now)
        }
    }

    private func document(of session: WorkerSession, _ now: Instant) -> WorkerDocument {
        let cooling = scheduler.coolingTools(on: session.id, at: presence.judgingTime(at: now))
        return WorkerDocument(
            name: session.name,
            state: session.state,
            slots: session.offered.slots,
            inFlight: scheduler.attemptCount(on: session.id),
            host: session.about.host,
            pid: session.about.processID,
            software: session.about.software,
            connectedMilliseconds: (now - session.about.joinedAt).wholeMilliseconds,
            labels: session.about.labels,
            tools: session.offered.names,
            refusedTools: session.offered.refused,
            withheldTools: session.offered.withheld,
            coolingTools: cooling.map {
                CoolingToolDocument(
                    name: $0.tool,
                    refusals: $0.refusals,
                    pauseMilliseconds: $0.pause.wholeMilliseconds,
                    reason: $0.reason
                )
            }
        )
    }

    private func toolsPage(from: Int, limit: Int) -> (data: JSONPieces, next: Int?) {
        page(of: fleet.catalogue.names, from: from, limit: limit) { name, work -> ToolDocument? in
            guard let entry = fleet.catalogue[name] else { return nil }
            work.look(entry.workers.count)
            return ToolDocument(
                description: entry.description,
                workers: entry.workers.members.compactMap { fleet[$0]?.name },
                figures: toolFigures(name)
            )
        }
    }

    private func plansPage(from: Int, limit: Int) -> (data: JSONPieces, next: Int?) {
        page(of: memory.plans, from: from, limit: limit) { plan, work in
            work.look(1 + plan.tools.count)
            return RememberedPlanDocument(
                plan: plan.name,
                goal: plan.example.goal,
                calls: plan.example.calls,
                run: plan.run,
                addedAt: UnixTime(milliseconds: plan.unixMilliseconds),
                obstacle: obstacle(to: plan)
            )
        }
    }

    /// An array of documents, one for each element from a position on, as far as the work goes.
    ///
    /// A page contains one element at least, so that following the pages reaches the end.
    func page<Element>(
        of elements: some Sequence<Element>,
        from: Int,
        limit: Int,
        _ document: (Element, inout PageWork) -> (some Document)?
    ) -> (data: JSONPieces, next: Int?) {
        var writer = JSONWriter(reserving: 256)
        var work = PageWork()
        var position = 0
        var next: Int?
        writer.beginArray()
        for element in elements {
            defer { position += 1 }
            guard position >= from else { continue }
            guard position - from < max(limit, 1), !work.isUsedUp else {
                next = position
                break
            }
            let before = writer.bytes.count
            document(element, &work)?.encode(into: &writer)
            work.write(bytes: writer.bytes.count - before)
        }
        writer.endArray()
        return (JSONPieces(RawJSON(trusted: writer.bytes[...])), next)
    }

    // MARK: - Runs

    private func runDocument(_ run: Int, _ now: Instant) -> RunDocument {
        runs[run].state.document(at: now, isGrowing: runs[run].author != nil)
    }

    // MARK: - Why a node waits

    func reasons(for node: Int, in run: Int, _ now: Instant) -> [WaitReason] {
        let reference = NodeReference(run: runs[run].id, node: node)
        if isAwaitingApproval(reference, run),
            let due = runs[run].state.approvalDeadline(of: node)
        {
            return [.approval(reference, max(due.duration(since: now), .zero))]
        }
        return scheduler.explain(
            reference,
            dependencies: runs[run].state.plan.dependencies(of: node),
            at: presence.judgingTime(at: now)
        )
    }

    /// The nodes from a position of the plan on that wait for something, as far as the work goes.
    private func explainPage(
        _ run: Int,
        _ only: NodeID?,
        from: Int,
        limit: Int,
        _ now: Instant
    ) -> (data: JSONPieces, next: Int?) {
        let count = runs[run].state.plan.count
        let chosen = index(of: only, in: run)
        var node = chosen ?? min(from, count)
        let end = chosen.map { $0 + 1 } ?? count
        var work = PageWork()
        var nodes: [WaitingNode] = []
        // All nodes of a run that has ended have settled.
        if runs[run].state.isEnded, chosen == nil { node = end }
        while node < end, nodes.count < limit, !work.isUsedUp {
            defer { node += 1 }
            work.look()
            let status = runs[run].state.nodes[node].status
            guard chosen != nil || !status.isTerminal else { continue }
            work.look(explainWork(node, in: run, status))
            let reasons = told(reasons(for: node, in: run, now), run)
            guard !reasons.isEmpty || chosen != nil else { continue }
            let waiting = waitingNode(node, in: run, reasons, now)
            let labels = waiting.requires.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            work.write(bytes: reasons.reduce(112 + labels) { $0 + $1.message.utf8.count })
            nodes.append(waiting)
        }
        let explanation = ExplanationDocument(
            run: runs[run].id,
            status: runs[run].state.status,
            nodes: nodes
        )
        return (JSONPieces(explanation.json), node < end ? node : nil)
    }

    private func waitingNode(
        _ node: Int,
        in run: Int,
        _ reasons: [WaitingReason],
        _ now: Instant
    ) -> WaitingNode {
        let state = runs[run].state
        let (planned, course) = (state.plan[node], state.nodes[node])
        let waited = state.microseconds(at: now) - Int(course.readyAt)
        return WaitingNode(
            id: planned.id,
            tool: planned.tool,
            requires: planned.requires,
            status: course.status,
            waitMilliseconds: course.status == .ready ? max(waited / 1_000, 0) : nil,
            reasons: reasons
        )
    }

    /// What finding the reasons for one node costs: a walk over its dependencies, or over workers.
    private func explainWork(_ node: Int, in run: Int, _ status: NodeStatus) -> Int {
        switch status {
        case .waiting: 4 + runs[run].state.plan.dependencies(of: node).count / 8
        case .ready: 4 + fleet.ids.count / 4
        default: 4
        }
    }

    /// Reasons in words.
    func told(_ reasons: [WaitReason], _ run: Int) -> [WaitingReason] {
        reasons.map { reason in
            if reason == .aboutToStart, isJournalBehind {
                return WaitingReason(
                    code: .journalBehind,
                    message: "\(journal.unwrittenBytes) bytes of the journal wait for the disk; "
                        + "nothing is dispatched until it has caught up"
                )
            }
            return WaitingReason(
                code: reason.code,
                message: reason.sentence(
                    node: { runs[run].state.plan[$0].id.text },
                    worker: { fleet[$0]?.name ?? $0.description },
                    withheld: { fleet.withheld($0) }
                )
            )
        }
    }
}

extension WorkerSession {
    var state: WorkerDocument.State {
        if connection == nil { return .disconnected }
        if drain.isDraining { return .draining }
        if link.isSilent { return .silent }
        return link.isCongested ? .congested : .ready
    }
}

extension GetKind {
    /// Whether a node has to be named.
    fileprivate var isAboutNode: Bool {
        switch self {
        case .node, .logs: true
        default: false
        }
    }
}
