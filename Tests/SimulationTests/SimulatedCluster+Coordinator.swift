// The coordinator's shell: events in, actions carried out, and the checkers that look on.

import JSON
import Plans
import Scheduling
import Wire

@testable import CoordinatorCore

extension SimulatedCluster {
    func tell(_ event: CoordinatorMachine.Event) {
        coordinator.handle(event, at: now, into: &coordinatorActions)
        isCoordinatorTouched = true
        carryOutCoordinatorActions()
    }

    func endCoordinatorTurn() {
        guard isCoordinatorTouched, problem == nil else { return }
        isCoordinatorTouched = false
        coordinator.endTurn(at: now, into: &coordinatorActions)
        carryOutCoordinatorActions()
        do {
            try coordinator.validate()
        } catch {
            broken("coordinator: \(error)")
        }
        checkThatNothingWaitsInVain()
        checkBeliefs()
    }

    /// What the coordinator believes of a connected worker was said over that connection, and is no
    /// more than the worker may hold.
    private func checkBeliefs() {
        for worker in coordinator.workerOrder {
            guard let session = coordinator.workers[worker] else { continue }
            let attempts = coordinator.scheduler.attempts(on: worker)
            let limit = session.slots * (1 + scenario.schedulerLimits.prefetchPerSlot)
            if attempts.count > limit {
                broken("\(session.name) holds \(attempts.count) attempts, over \(limit)")
            }
            guard let connection = session.connection else { continue }
            for attempt in attempts {
                let isCancelling =
                    coordinator.scheduler.cancelReason(of: attempt, on: worker) != nil
                broken(connections.holds(attempt, isCancelling: isCancelling, on: connection))
            }
            if session.drainOrder != nil { broken(connections.drains(on: connection)) }
        }
    }

    /// No ready node waits while a worker has a free slot for it.
    private func checkThatNothingWaitsInVain() {
        for id in coordinator.activeRuns {
            guard let run = coordinator.runSlots[id] else { continue }
            for node in 0..<coordinator.runs[run].plan.count {
                let reference = NodeReference(run: id, node: node)
                guard coordinator.scheduler.state(of: reference) == .ready else { continue }
                let reasons = coordinator.scheduler.explain(reference, dependencies: [], at: now)
                if reasons.contains(.aboutToStart) {
                    broken("\(reference) is ready, could run, and was not placed")
                }
            }
        }
    }

    private func carryOutCoordinatorActions() {
        let actions = coordinatorActions
        coordinatorActions.removeAll()
        for action in actions {
            switch action {
            case .send(let id, let message):
                guard let link = links[id] else { return broken("\(id) is unknown") }
                if !link.isOpenForCoordinator {
                    return broken("\(message.kind) to \(link.peer), which is closed")
                }
                look(at: message, to: link)
                send(message, over: link, .toPeer)
            case .close(let id):
                guard let link = links[id], link.isOpenForCoordinator else {
                    return broken("\(id) was closed twice")
                }
                close(link, from: .toPeer)
            case .raiseLineLimit: break
            case .callModel(let call, _, _), .cancelModel(let call):
                return broken("\(call): no goal was submitted")
            case .report(let notice): look(at: notice)
            }
        }
    }

    // MARK: - Looking on

    private func look(at notice: CoordinatorMachine.Notice) {
        trace.add(now, "notice \(notice)")
        switch notice {
        case .runEnded(let run, let status, _): broken(runEnds.end(run, status))
        case .workerLeft(_, _, let attempts) where attempts > 0: faults.note(.attemptsLost)
        case .workerJoined(_, _, _, let isResumed) where isResumed: faults.note(.resumed)
        default: break
        }
    }

    private func look(at message: Message, to link: SimulatedLink) {
        connections.send(message, on: link.id)
        switch message {
        case .dispatch(let dispatch):
            let attempt = dispatch.attempt
            broken(runEnds.dispatch(attempt))
            broken(numbers.dispatch(attempt))
            broken(dependencies.dispatch(attempt, node: dispatch.node, tool: dispatch.tool))
        case .ack(let ack):
            if !ack.stale.isEmpty { faults.note(.lateResult) }
            broken(acknowledgements.acknowledge(ack, on: link.id))
        case .accepted(let accepted):
            guard let client = clients.first(where: { $0.key == accepted.key }) else { return }
            broken(
                runEnds.accept(accepted.key, accepted.run, isExisting: accepted.isExisting)
            )
            dependencies.accept(accepted.run, client.plan)
        default: break
        }
    }

    /// Hands a message to the machine, and compares what it makes of results with the books.
    func deliverToCoordinator(_ message: Message, _ link: SimulatedLink) {
        connections.receive(message, on: link.id)
        switch message {
        case .result(let result): deliver(result, link)
        case .cancelRun(let cancel):
            tell(.received(link.id, message))
            runEnds.cancel(cancel.run)
        case .chunk(let chunk):
            keep(chunk, link)
            tell(.received(link.id, message))
        default:
            tell(.received(link.id, message))
        }
    }

    private func keep(_ chunk: Chunk, _ link: SimulatedLink) {
        guard case .attempt(let attempt) = chunk.about, chunk.stream == .value else { return }
        if chunk.sequence == 0 { assemblers[link.id]?[attempt] = nil }
        var assembler =
            assemblers[link.id]?[attempt] ?? ChunkAssembler(maximumBytes: scenario.limits.maxValue)
        do {
            try assembler.append(chunk)
        } catch {
            broken("a worker's chunks do not fit: \(error)")
        }
        assemblers[link.id, default: [:]][attempt] = assembler
    }

    private func deliver(_ result: ResultMessage, _ link: SimulatedLink) {
        let attempt = result.attempt
        let node = NodeReference(run: attempt.run, node: attempt.node)
        let worker = session(of: link)
        let isCurrent = worker.map { coordinator.scheduler.isCurrent(attempt, on: $0) } ?? false
        let before = coordinator.scheduler.state(of: node)
        acknowledgements.result(attempt, on: link.id, isCurrent: isCurrent)
        if let worker, before?.worker == worker, !numbers.isLatest(attempt) {
            faults.note(.lateResultOfHolder)
        }
        if isCurrent, !numbers.isLatest(attempt) {
            broken("\(attempt) counts, but is not the latest")
        }
        var output: RawJSON?
        if case .success(let payload) = result.outcome {
            output = payload.inlineValue
            if output == nil { output = try? assemblers[link.id]?[attempt]?.finish(payload) }
            if output == nil { broken("the output of \(attempt) did not arrive") }
        }
        if case .failure(let failure) = result.outcome, isCurrent {
            executions.reported(attempt, failure)
        }
        if isCurrent, let output { broken(dependencies.record(attempt, output)) }
        tell(.received(link.id, .result(result)))
        let after = coordinator.scheduler.state(of: node)
        if !isCurrent, before != after {
            broken("the stale result of \(attempt) moved \(node) from \(before as Any)")
        }
        if isCurrent, output != nil, after != nil, after != .succeeded {
            broken("\(attempt) succeeded, but its node is \(after as Any)")
        }
    }

    private func session(of link: SimulatedLink) -> WorkerID? {
        coordinator.workerOrder.first { coordinator.workers[$0]?.connection == link.id }
    }
}
