// Runs arrive and grow: submit, nodes, cancel. A whole plan is checked before anything of it runs;
// a streamed one runs while it is still being sent.

internal import DequeModule
internal import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Plans
internal import Scheduling
internal import Schemas
internal import Wire

extension CoordinatorMachine {
    mutating func submit(
        _ submit: Submit,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        if !submit.unreadable.isEmpty {
            return refuse(unreadable(submit.unreadable), about: submit.key, id, &actions)
        }
        let digest = ContentDigest(of: submit).bytes
        if let known = runsByKey[submit.key], let run = runSlots[known] {
            return submitAgain(submit, run, digest, id, now, &actions)
        }
        guard activeRuns.count < limits.unfinishedRuns else {
            let error = ErrorMessage(
                code: .busy,
                message: "No further run is accepted now; try again later.",
                isFatal: false,
                about: submit.key
            )
            actions.append(.send(id, .error(error)))
            return
        }
        var run = RunState(
            id: makeRunID(),
            submit: submit,
            digest: digest,
            author: submit.isStreamed ? id : nil,
            at: now
        )
        if let fault = joinFault(of: submit) {
            let error = ErrorMessage(
                code: .badPlan,
                message: fault,
                isFatal: false,
                about: submit.key
            )
            actions.append(.send(id, .error(error)))
            return
        }
        run.planner = makePlanner(for: submit)
        var growth: Plan.Growth?
        if let text = submit.plan {
            do throws(PlanProblems) {
                growth = try readPlan(text, into: &run, isWhole: !submit.isStreamed)
            } catch {
                return refuse(error.problems, about: submit.key, id, &actions)
            }
        }
        if let error = admission(of: run, about: submit.key) {
            actions.append(.send(id, .error(error)))
            return
        }
        accept(run, growth, submit, id, now, &actions)
    }

    /// The same key again: the same run if the content is the same.
    private mutating func submitAgain(
        _ submit: Submit,
        _ run: Int,
        _ digest: [UInt8],
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard runs[run].contentDigest == digest else {
            let error = ErrorMessage(
                code: .conflict,
                message: "The key \(submit.key) was used for another submission, run "
                    + "\(runs[run].id).",
                isFatal: false,
                about: submit.key
            )
            actions.append(.send(id, .error(error)))
            return
        }
        let accepted = Accepted(key: submit.key, run: runs[run].id, isExisting: true)
        actions.append(.send(id, .accepted(accepted)))
        if let level = submit.watch {
            watch(run, Watch(run: runs[run].id, from: 0, level: level), id, now, &actions)
        }
    }

    private mutating func accept(
        _ run: RunState,
        _ growth: Plan.Growth?,
        _ submit: Submit,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let slot = freeRunSlots.popLast() ?? runs.count
        if slot == runs.count { runs.append(run) } else { runs[slot] = run }
        runSlots[run.id] = slot
        book(slot)
        runsByKey[submit.key] = run.id
        activeRuns.append(run.id)
        if let deadline = run.deadline { timedRuns.set(run.id, at: deadline) }
        if run.author != nil { noteInterest(of: id, in: slot) }
        acceptedCount += 1
        let accepted = Accepted(key: submit.key, run: run.id, isExisting: false)
        actions.append(.send(id, .accepted(accepted)))
        actions.append(.report(.runAccepted(run.id, nodes: run.plan.count)))
        if let level = submit.watch {
            addWatcher(id, level, of: slot)
            runs[slot].hasAllNodeEvents = level >= .nodes
        }
        let policy: Scheduling.MissingToolPolicy = submit.onMissingTool == .wait ? .wait : .fail
        let isSequential = submit.goal != nil && submit.planner.strategy == .sequential
        let bound = isSequential ? 1 : submit.budget.running
        schedule(.runAdded(run.id, policy, maxRunning: bound), now, &actions)
        if let growth { grow(slot, growth, now, &actions) }
        if submit.goal != nil {
            beginGoal(slot, now, &actions)
        } else if !submit.isStreamed {
            endGrowth(slot, now, &actions)
        }
    }

    /// Reads a plan document into the run's plan, gathering every problem.
    private func readPlan(
        _ text: RawJSON,
        into run: inout RunState,
        isWhole: Bool
    ) throws(PlanProblems) -> Plan.Growth {
        let (document, problems) = PlanDocument.read(Array(text.bytes))
        var errors = problems.filter { !$0.isWarning }
        // A streamed plan may name what has not been sent yet.
        if !isWhole {
            errors.removeAll { $0.code == .unknownDependency || $0.code == .emptyPlan }
        }
        errors += check(document.nodes, of: run)
        guard errors.isEmpty else { throw PlanProblems(errors) }
        if let instruction = document.joinInstruction { run.plan.joinInstruction = instruction }
        let growth = try run.plan.append(document.nodes)
        run.grow(by: growth.added.count)
        guard isWhole else { return growth }
        var whole = growth
        whole.released += try run.plan.close()
        return whole
    }

    /// What only the coordinator can check: allowed tools, budgets, arguments against schemas.
    private func check(_ nodes: [NodeDefinition], of run: RunState) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        if let budget = run.nodeBudget, run.plan.count + nodes.count > budget {
            problems.append(
                PlanProblem(
                    code: .limit,
                    message: "the plan has more than the \(budget) nodes allowed"
                )
            )
        }
        var seen: (name: String, schema: ToolCatalogue.Entry?, isAllowed: Bool)?
        for node in nodes {
            guard problems.count < PlanLimits.problemsReported else { break }
            if seen?.name != node.tool {
                seen = (
                    node.tool, catalogue[node.tool],
                    run.allowedTools?.contains(node.tool) ?? true
                )
            }
            if seen?.isAllowed == false {
                problems.append(
                    PlanProblem(
                        code: .unknownTool,
                        node: node.id.text,
                        message: "node \(node.id) uses \(node.tool), which this run may not use"
                    )
                )
            }
            guard let schema = seen?.schema?.schema else { continue }
            let found = schema.problems(ofWritten: node.arguments)
            guard !found.isEmpty else { continue }
            problems.append(
                PlanProblem(
                    code: .badArguments,
                    node: node.id.text,
                    message: "node \(node.id): arguments of \(node.tool): \(found.sentence)"
                )
            )
        }
        return problems
    }

    private func unreadable(_ faults: [String]) -> [PlanProblem] {
        faults.map { PlanProblem(code: .badJSON, message: $0) }
    }

    private func refuse(
        _ problems: [PlanProblem],
        about key: String,
        _ id: ConnectionID,
        _ actions: inout [Action]
    ) {
        let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        let error = ErrorMessage(
            code: .badPlan,
            message: "The plan has \(count).",
            isFatal: false,
            about: key,
            problems: problems
        )
        actions.append(.send(id, .error(error)))
    }

    // MARK: - Growth

    mutating func addNodes(
        _ nodes: Nodes,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let name = runsByKey[nodes.key], let run = runSlots[name],
            runs[run].author == id
        else {
            let error = ErrorMessage(
                code: .unknownRun,
                message: "No streamed run of yours has the key \(nodes.key).",
                isFatal: false,
                about: nodes.key
            )
            actions.append(.send(id, .error(error)))
            return
        }
        guard !runs[run].isEnded, runs[run].failure == nil else { return }
        if let reason = nodes.brokenOff {
            return end(run, because: Failure(code: .badPlan, message: reason), now, &actions)
        }
        do throws(PlanProblems) {
            let faults = unreadable(nodes.unreadable)
            guard faults.isEmpty else { throw PlanProblems(faults) }
            var definitions: [NodeDefinition] = []
            definitions.reserveCapacity(nodes.tasks.count)
            for node in nodes.tasks {
                definitions.append(
                    try NodeDefinition(
                        decoding: node,
                        at: runs[run].plan.count + definitions.count
                    )
                )
            }
            let problems = check(definitions, of: runs[run])
            guard problems.isEmpty else { throw PlanProblems(problems) }
            let growth = try runs[run].plan.append(definitions)
            runs[run].grow(by: growth.added.count)
            grow(run, growth, now, &actions)
            if let instruction = nodes.joinInstruction {
                runs[run].plan.joinInstruction = instruction
                book(run)
            }
            if nodes.isLast { try close(run, now, &actions) }
        } catch {
            refuse(error.problems, about: nodes.key, id, &actions)
            let first = error.problems.first?.message ?? "the plan is not valid"
            end(run, because: Failure(code: .badPlan, message: first), now, &actions)
        }
    }

    private mutating func close(
        _ run: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) throws(PlanProblems) {
        let released = try runs[run].plan.close()
        book(run)
        forgetAuthor(of: run)
        let id = runs[run].id
        if !released.isEmpty { schedule(.nodesReleased(id, released), now, &actions) }
        endGrowth(run, now, &actions)
    }

    /// The plan is complete: the run ends with its last node, or is joined then.
    private mutating func endGrowth(_ run: Int, _ now: Instant, _ actions: inout [Action]) {
        guard runs[run].planner == nil else { return beginJoin(run, now, &actions) }
        schedule(.runClosed(runs[run].id), now, &actions)
    }

    /// Hands nodes that the plan has got to the scheduler, and tells those who watch.
    mutating func grow(
        _ run: Int,
        _ growth: Plan.Growth,
        written nodes: RawJSON? = nil,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let specs = growth.added.map { index in
            let node = runs[run].plan[index]
            return NodeSpec(
                tool: node.tool,
                requires: node.requires.isEmpty
                    ? [:] : Dictionary(node.requires.map { ($0.key, $0.value) }) { $1 },
                maxAttempts: node.maxAttempts,
                timeout: node.timeout
            )
        }
        let id = runs[run].id
        // Books the nodes along with the event.
        publish(.planned, run, data: plannedData(run, growth, nodes), now, &actions)
        schedule(
            .nodesAdded(id, specs, edges: growth.edges, held: growth.held),
            now,
            &actions
        )
        if !growth.released.isEmpty {
            schedule(.nodesReleased(id, growth.released), now, &actions)
        }
    }

    /// How many nodes came; of a goal also which, since nobody else knows them.
    private func plannedData(
        _ run: Int,
        _ growth: Plan.Growth,
        _ written: RawJSON?
    ) -> RawJSON {
        if let written {
            return .object {
                $0.field("nodes", growth.added.count)
                $0.field("tasks", written)
            }
        }
        guard runs[run].planner != nil, growth.added.count <= 1_000 else {
            return .object { $0.field("nodes", growth.added.count) }
        }
        let plan = runs[run].plan
        return .object { writer in
            writer.field("nodes", growth.added.count)
            writer.key("tasks")
            writer.beginArray()
            for node in growth.added {
                writer.beginObject()
                writer.field("id", plan[node].id.text)
                writer.field("tool_name", plan[node].tool)
                writer.endObject()
            }
            writer.endArray()
        }
    }

    // MARK: - Ending early

    /// Ends a run as failed: what still runs is called back.
    mutating func end(
        _ run: Int,
        because failure: Failure,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard !runs[run].isEnded, runs[run].failure == nil else { return }
        runs[run].failure = failure
        cancelNodes(of: run, now, &actions)
    }

    mutating func cancel(
        _ cancel: CancelRun,
        _ id: ConnectionID,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let run = runSlots[cancel.run] else {
            return unknownRun(cancel.run, request: nil, id, &actions)
        }
        guard !runs[run].isEnded, runs[run].cancelReason == nil else { return }
        runs[run].isCutShort = runs[run].author != nil || runs[run].planner != nil
        runs[run].cancelReason = cancel.reason ?? "cancelled by a client"
        cancelNodes(of: run, now, &actions)
    }

    mutating func cancelNodes(
        of run: Int,
        _ now: Instant,
        _ actions: inout [Action]
    ) {
        let id = runs[run].id
        let wasOpen = runs[run].author != nil || runs[run].planner != nil
        cancelModel(run, &actions)
        // A planner that is gone takes no further report and asks for nothing more.
        runs[run].planner = nil
        runs[run].modelCall = nil
        runs[run].awaitsRound = false
        forgetAuthor(of: run)
        runs[run].deadline = nil
        book(run)
        timedRuns.remove(id)
        schedule(.cancelRequested(id), now, &actions)
        if wasOpen { schedule(.runClosed(id), now, &actions) }
    }

    mutating func unknownRun(
        _ run: RunID,
        request: Int?,
        _ id: ConnectionID,
        _ actions: inout [Action]
    ) {
        let error = ErrorMessage(
            code: .unknownRun,
            message: "No run has the id \(run); `weft runs` lists those that are known.",
            isFatal: false,
            about: run.text,
            request: request
        )
        actions.append(.send(id, .error(error)))
    }

    private mutating func makeRunID() -> RunID {
        while true {
            if let id = RunID(makeName()), runSlots[id] == nil { return id }
        }
    }
}
