// Answers to `get`: status, workers, tools, runs, nodes, explanations. Read only, and in pages: see
// PageWork.

internal import Core
internal import DequeModule
internal import JSON
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
        case .status: page = (JSONPieces(statusDocument(turn.now)), nil)
        case .workers: page = workersPage(turn.now, from: from, limit: get.limit ?? .max)
        case .tools: page = toolsPage(from: from, limit: get.limit ?? .max)
        case .runs: page = runsPage(turn.now, from: from, limit: get.limit ?? 100)
        case .run, .nodes, .node, .answer, .explain, .story:
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
            guard isNodeKnown ?? (get.what != .node && get.what != .story) else {
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
        case .node:
            (nodeDocument(run, index(of: get.node, in: run) ?? 0, now), nil)
        case .explain: explainPage(run, get.node, from: from, limit: get.limit ?? .max, now)
        case .story:
            storyPage(
                run,
                index(of: get.node, in: run) ?? 0,
                from: from,
                limit: get.limit ?? 1_000
            )
        default: (JSONPieces(runDocument(run, now)), nil)
        }
    }

    private func index(of node: NodeID?, in run: Int) -> Int? {
        node.flatMap { runs[run].state.plan.index(of: $0) }
    }

    private mutating func reply(
        _ get: Get,
        _ data: JSONPieces,
        next: Int?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard data.count <= limits.maxValue else {
            return refuse(get, bytes: data.count, id, in: &turn)
        }
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

    private func statusDocument(_ now: Instant) -> RawJSON {
        var connected = 0
        var draining = 0
        var slots = 0
        var inFlight = 0
        for worker in workerOrder {
            guard let session = workers[worker] else { continue }
            connected += session.connection != nil ? 1 : 0
            draining += session.isDraining ? 1 : 0
            slots += session.slots
            inFlight += scheduler.attemptCount(on: worker)
        }
        return .object { writer in
            writer.field("software", configuration.software)
            writer.field("epoch", configuration.epoch)
            writer.field("uptime_ms", (now - startedAt).wholeMilliseconds)
            writer.key("workers")
            writer.beginObject()
            writer.field("connected", connected)
            writer.field("draining", draining)
            writer.field("slots", slots)
            writer.field("in_flight", inFlight)
            writer.endObject()
            writer.key("runs")
            writer.beginObject()
            writer.field("active", runs.active.count)
            writer.field("kept", runs.finished.count)
            writer.field("accepted", acceptedCount)
            writer.endObject()
            writer.field("nodes_settled", settledCount)
            writer.field("tools", catalogue.names.count)
            writer.field("connections", peers.count)
        }
    }

    private func workersPage(
        _ now: Instant,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        page(of: workerOrder, from: from, limit: limit) { writer, worker, work in
            guard let session = workers[worker] else { return }
            work.look(session.tools.count + session.refusedTools.count + session.labels.count)
            encode(session, into: &writer, now)
        }
    }

    private func encode(
        _ session: WorkerSession,
        into writer: inout JSONWriter,
        _ now: Instant
    ) {
        writer.field("name", session.name)
        writer.field("state", session.stateName)
        writer.field("slots", session.slots)
        writer.field("in_flight", scheduler.attemptCount(on: session.id))
        writer.field("host", session.host)
        writer.field("pid", session.processID)
        writer.field("software", session.software)
        writer.field("connected_ms", (now - session.joinedAt).wholeMilliseconds)
        writer.key("labels")
        writer.beginObject()
        for label in session.labels {
            writer.key(escaping: label.key)
            writer.string(label.value)
        }
        writer.endObject()
        writer.key("tools")
        writer.beginArray()
        for tool in session.tools { writer.string(tool) }
        writer.endArray()
        writer.key("refused_tools")
        writer.beginArray()
        for tool in session.refusedTools {
            writer.beginObject()
            writer.field("name", tool.name)
            writer.field("reason", tool.reason)
            writer.endObject()
        }
        writer.endArray()
        writer.key("withheld_tools")
        writer.beginArray()
        for tool in session.withheld {
            writer.beginObject()
            writer.field("name", tool.name)
            writer.field("reason", tool.reason)
            writer.endObject()
        }
        writer.endArray()
        encodeCooling(of: session.id, into: &writer, now)
    }

    private func encodeCooling(
        of worker: WorkerID,
        into writer: inout JSONWriter,
        _ now: Instant
    ) {
        let time = presence.judgingTime(at: now)
        writer.key("cooling_tools")
        writer.beginArray()
        for tool in scheduler.coolingTools(on: worker, at: time) {
            writer.beginObject()
            writer.field("name", tool.tool)
            writer.field("refusals", tool.refusals)
            writer.field("pause_ms", tool.pause.wholeMilliseconds)
            writer.field("reason", tool.reason)
            writer.endObject()
        }
        writer.endArray()
    }

    private func toolsPage(from: Int, limit: Int) -> (data: JSONPieces, next: Int?) {
        page(of: catalogue.names, from: from, limit: limit) { writer, name, work in
            guard let entry = catalogue[name] else { return }
            work.look(entry.workers.count)
            let tool = entry.description
            writer.field("name", tool.name)
            writer.field("description", tool.description)
            writer.field("parameters", tool.parameters)
            writer.field("version", tool.version)
            writer.field("idempotent", tool.isIdempotent)
            writer.field("read_only", tool.isReadOnly)
            writer.field("timeout_ms", tool.timeoutMilliseconds)
            writer.field("max_attempts", tool.maxAttempts)
            writer.field("concurrency", tool.concurrency)
            writer.key("workers")
            writer.beginArray()
            for worker in entry.workers.members {
                if let name = workers[worker]?.name { writer.string(name) }
            }
            writer.endArray()
        }
    }

    /// An array of objects, one for each element from a position on, as far as the work goes.
    ///
    /// At least one element is written, so that whoever follows the pages comes to the end.
    private func page<Element>(
        of elements: some Sequence<Element>,
        from: Int,
        limit: Int,
        _ body: (inout JSONWriter, Element, inout PageWork) -> Void
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
            writer.beginObject()
            body(&writer, element, &work)
            writer.endObject()
            work.write(bytes: writer.bytes.count - before)
        }
        writer.endArray()
        return (JSONPieces(RawJSON(trusted: writer.bytes[...])), next)
    }

    // MARK: - Runs

    /// The newest run first.
    private func runsPage(
        _ now: Instant,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        let newestFirst = [
            AnySequence(runs.active.newestFirst), AnySequence(runs.finished.reversed()),
        ].joined()
        return page(of: newestFirst, from: from, limit: limit) { writer, id, work in
            guard let slot = runs.slot(of: id) else { return }
            work.look(8)
            encodeSummary(of: slot, into: &writer, now)
        }
    }

    private func runDocument(_ run: Int, _ now: Instant) -> RawJSON {
        .object { writer in encodeSummary(of: run, into: &writer, now) }
    }

    private func encodeSummary(of run: Int, into writer: inout JSONWriter, _ now: Instant) {
        let state = runs[run].state
        writer.field("run", state.id.text)
        writer.field("label", state.acceptance.label)
        writer.field("status", state.status.rawValue)
        writer.field("growing", runs[run].author != nil)
        writer.field("join", state.acceptance.join.rawValue)
        writer.field("join_instruction", state.plan.joinInstruction)
        if let failure = state.failure { writer.field("error", failure.document) }
        writer.field("reason", state.cancelReason)
        writer.field("age_ms", (now - state.acceptedAt).wholeMilliseconds)
        writer.key("counts")
        state.counts.encode(into: &writer)
        writer.key("timing")
        state.encodeTiming(into: &writer, at: now)
        writer.field("usage", state.planning.usage.document)
    }

    // MARK: - Why a node waits

    func reasons(for node: Int, in run: Int, _ now: Instant) -> [WaitReason] {
        scheduler.explain(
            NodeReference(run: runs[run].id, node: node),
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
        var shown = 0
        var work = PageWork()
        // All nodes of a run that has ended have settled.
        if runs[run].state.isEnded, chosen == nil { node = end }
        let data = RawJSON.object { writer in
            writer.field("run", runs[run].id.text)
            writer.field("status", runs[run].state.status.rawValue)
            writer.key("nodes")
            writer.beginArray()
            while node < end, shown < limit, !work.isUsedUp {
                defer { node += 1 }
                work.look()
                let status = runs[run].state.nodes[node].status
                guard chosen != nil || !status.isTerminal else { continue }
                let before = writer.bytes.count
                work.look(explainWork(node, in: run, status))
                let reasons = reasons(for: node, in: run, now)
                guard !reasons.isEmpty || chosen != nil else { continue }
                shown += 1
                writer.beginObject()
                writer.field("id", runs[run].state.plan[node].id.text)
                writer.field("tool", runs[run].state.plan[node].tool)
                writer.field("status", status.name)
                encodeReasons(reasons, run, into: &writer)
                writer.endObject()
                work.write(bytes: writer.bytes.count - before)
            }
            writer.endArray()
        }
        return (JSONPieces(data), node < end ? node : nil)
    }

    /// What finding the reasons for one node costs: a walk over its dependencies, or over workers.
    private func explainWork(_ node: Int, in run: Int, _ status: NodeStatus) -> Int {
        switch status {
        case .waiting: 4 + runs[run].state.plan.dependencies(of: node).count / 8
        case .ready: 4 + workerOrder.count / 4
        default: 4
        }
    }

    func encodeReasons(
        _ reasons: [WaitReason],
        _ run: Int,
        into writer: inout JSONWriter
    ) {
        writer.key("reasons")
        writer.beginArray()
        for reason in reasons {
            writer.beginObject()
            writer.field("code", reason.code)
            writer.field(
                "message",
                reason.sentence(
                    node: { runs[run].state.plan[$0].id.text },
                    worker: { workers[$0]?.name ?? $0.description },
                    withheld: { withheld($0) }
                )
            )
            writer.endObject()
        }
        writer.endArray()
    }
}

extension WorkerSession {
    var stateName: String {
        if connection == nil { return "disconnected" }
        if isDraining { return "draining" }
        if isSilent { return "silent" }
        return isCongested ? "congested" : "ready"
    }
}
