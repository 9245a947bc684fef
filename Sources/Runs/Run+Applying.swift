// The one door through which a run changes. Nothing is decided here: a record says what happened,
// and a record that cannot have happened is our own bug and traps.

internal import JSON
public import Plans
internal import Wire

extension Run {
    /// Carries out a change whose nodes were not checked yet: `nodesAdded`, `planClosed`.
    ///
    /// Throws what is wrong with the plan, and has then changed nothing: there is no such record.
    @discardableResult
    public mutating func applyChecked(_ record: RunRecord) throws(PlanProblems) -> Plan.Growth {
        let first = plan.count
        switch record.change {
        case .nodesAdded(let nodes):
            let growth = try plan.append(nodes)
            grow(by: growth.added.count)
            isPlanComplete = false
            // A planner that goes step by step sees the outcomes of one and writes the next.
            if phase == .joining { phase = .planning }
            return growth
        case .planClosed(let isFinal):
            let released = isFinal ? try plan.close() : []
            isPlanComplete = true
            switch phase {
            case .growing, .planning, .joining: phase = .running
            case .running, .answered, .ending, .ended: break
            }
            return Plan.Growth(added: first..<first, released: released)
        default:
            apply(record)
            return Plan.Growth(added: first..<plan.count)
        }
    }

    /// Carries out the changes with which a whole plan begins, and returns them: its nodes were
    /// checked when it was read.
    public mutating func apply(
        _ whole: WholePlan,
        at time: Int
    ) -> (records: [RunRecord], growth: Plan.Growth) {
        precondition(phase == .running, "a run with a goal or a stream has no whole plan")
        let growth = plan.fill(with: whole)
        isPlanComplete = true
        grow(by: growth.added.count)
        let changes: [RunChange] = [
            .nodesAdded(whole.document.nodes), .planClosed(isFinal: true),
        ]
        return (changes.map { RunRecord(at: time, $0) }, growth)
    }

    /// Carries out a change.
    public mutating func apply(_ record: RunRecord) {
        switch record.change {
        case .nodesAdded, .planClosed, .joinerAdded, .joinInstructed:
            applyToPlan(record)
        case .approvalAsked(let node, let milliseconds):
            approvals.add(Int(node), at: record.at, milliseconds: milliseconds)
            nodes[Int(node)].status = .awaitingApproval
        case .approved(let node, _, _):
            approvals.remove(Int(node))
            nodes[Int(node)].isApproved = true
            nodes[Int(node)].status = .waiting
        case .nodeReady(let node): moveReady(Int(node), record.at)
        case .dispatched(let node, let attempt, let worker, let isRepeatable):
            dispatch(Int(node), attempt, worker, record.at)
            nodes[Int(node)].isRepeatable = isRepeatable
        case .started(let node, let attempt):
            assert(nodes[Int(node)].attempt == attempt, "a stale attempt started")
            nodes[Int(node)].status = .running
        case .calledBack(let node, let attempt, let reason):
            assert(nodes[Int(node)].attempt == attempt, "a stale attempt was called back")
            nodes[Int(node)].status = .cancelling
            nodes[Int(node)].calledBack = reason
        case .returned(let node, let attempt, _):
            leaveWorker(Int(node), record.at)
            nodes[Int(node)].attempt = attempt
            moveReady(Int(node), record.at)
        case .worked(let node, let microseconds):
            extendPath(to: Int(node), by: microseconds)
        case .retrying(let node, let attempt, _, let delay, let cause):
            leaveWorker(Int(node), record.at)
            nodes[Int(node)].attempt = attempt
            nodes[Int(node)].readyAt = Int64(record.at) + delay
            nodes[Int(node)].status = delay > 0 ? .backingOff : .ready
            nodes[Int(node)].count(cause)
        case .pauseEnded(let node): nodes[Int(node)].status = .ready
        case .unplaceable, .toolWrote: break
        case .succeeded, .failed, .skipped, .cancelled, .takenOver: settle(record)
        case .accepted: preconditionFailure("a run is accepted once, by its initializer")
        default: applyToRun(record)
        }
    }

    // MARK: - Plan

    private mutating func applyToPlan(_ record: RunRecord) {
        switch record.change {
        case .joinerAdded(let tool, let arguments):
            let growth = plan.appendLast(named: "join", tool: tool, arguments: arguments)
            grow(by: 1)
            joiner = growth.added.lowerBound
        case .joinInstructed(let instruction):
            plan.joinInstruction = instruction
        default:
            do throws(PlanProblems) {
                try applyChecked(record)
            } catch {
                preconditionFailure("a plan was recorded that is not valid: \(error)")
            }
        }
    }

    private mutating func grow(by count: Int) {
        nodes.append(contentsOf: repeatElement(RunNode(), count: count))
        results.outputs.append(contentsOf: repeatElement(nil, count: count))
        counts.total += count
    }

    // MARK: - Nodes

    private mutating func moveReady(_ node: Int, _ at: Int) {
        nodes[node].status = .ready
        nodes[node].readyAt = Int64(at)
    }

    private mutating func dispatch(_ node: Int, _ attempt: Int32, _ worker: String, _ at: Int) {
        assert(nodes[node].status == .ready, "\(nodes[node].status) was dispatched")
        nodes[node].status = .sent
        nodes[node].calledBack = nil
        // After a restart numbers are left out, which may have been used and are in no record.
        nodes[node].neverRan += max(attempt - nodes[node].attempt - 1, 0)
        nodes[node].attempt = attempt
        nodes[node].worker = workers.number(of: worker)
        nodes[node].dispatchedAt = Int64(at)
        nodes[node].queued = Int32(clamping: Int64(at) - nodes[node].readyAt)
        counts.running += 1
        if planning.firstNodeAt == nil { planning.firstNodeAt = at }
    }

    private mutating func leaveWorker(_ node: Int, _ at: Int) {
        guard nodes[node].status.isHeld else { return }
        nodes[node].turnaround = Int32(clamping: Int64(at) - nodes[node].dispatchedAt)
        counts.running -= 1
    }

    private mutating func settle(_ record: RunRecord) {
        switch record.change {
        case .succeeded(let node, let output, let microseconds):
            leaveWorker(Int(node), record.at)
            results.keep(output, of: Int(node))
            extendPath(to: Int(node), by: microseconds)
            nodes[Int(node)].status = .succeeded
            counts.succeeded += 1
        case .takenOver(let node, let output):
            results.keep(output, of: Int(node))
            nodes[Int(node)].status = .succeeded
            counts.succeeded += 1
        case .failed(let node, let failure):
            leaveWorker(Int(node), record.at)
            approvals.remove(Int(node))
            results.keep(failure, of: Int(node))
            nodes[Int(node)].status = .failed
            counts.failed += 1
        case .skipped(let node, let cause):
            nodes[Int(node)].status = .skipped
            nodes[Int(node)].cause = cause
            approvals.remove(Int(node))
            counts.skipped += 1
        case .cancelled(let node):
            leaveWorker(Int(node), record.at)
            approvals.remove(Int(node))
            nodes[Int(node)].status = .cancelled
            counts.cancelled += 1
        default: break
        }
    }

    /// Adds working time to the longest path that ends with a node.
    private mutating func extendPath(to node: Int, by claimed: Int64) {
        // A worker may report any number: twelve days at most, so that the sum cannot overflow.
        let microseconds = min(max(claimed, 0), 1 << 40)
        var longest: Int64 = 0
        for dependency in plan.dependencies(of: node) {
            longest = max(longest, nodes[dependency].path)
        }
        let path = longest + microseconds
        nodes[node].path = path
        nodes[node].work = Int32(clamping: microseconds)
        times.criticalPath = max(times.criticalPath, path)
        times.total += microseconds
    }

    // MARK: - The run

    private mutating func applyToRun(_ record: RunRecord) {
        switch record.change {
        case .plannerMade(let settings): planning.settings = settings
        case .modelCalled(let isRepair):
            planning.calls += 1
            if isRepair { planning.repairs += 1 }
            planning.callStartedAt = record.at
        case .modelReplied:
            planning.closedModelTime = planning.modelTime(at: record.at)
            planning.callStartedAt = nil
        case .tokensUsed(let usage): planning.usage = usage
        case .planRefused: break
        case .roundSettled: phase = .joining
        case .replanned:
            planning.replans += 1
            isPlanComplete = false
            phase = .planning
        case .answered(let answer):
            planning.answer = answer
            phase = .answered
        case .cancelAsked(let reason, let identity, let isCutShort):
            phase = .ending(.cancelling(reason: reason, by: identity, isCutShort: isCutShort))
        case .failureDecided(let failure):
            phase = .ending(.failing(failure))
        case .intakeEnded:
            if results.intake == .open { results.intake = .ended }
        case .outputsDropped: results.dropOutputs()
        case .joined: break
        case .ended(let status):
            var cause: RunEnding?
            if case .ending(let ending) = phase { cause = ending }
            phase = .ended(RunOutcome(status: status, at: record.at, cause: cause))
        default: break
        }
    }
}
