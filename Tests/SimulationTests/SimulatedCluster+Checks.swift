// What must hold after every turn of the coordinator: its own cross-references, and its state
// compared with the messages and with counts made here.

import CoordinatorCore
import Core
import Plans
import Runs
import Scheduling
import Wire

@testable import CoordinatorCore

extension SimulatedCluster {
    /// Checks the end of a turn; the machine is a parameter, because reading the property copies
    /// it.
    func checkTurn(of coordinator: CoordinatorMachine) {
        do {
            try coordinator.validate()
        } catch {
            broken("coordinator: \(error)")
        }
        checkThatNothingWaitsInVain(coordinator)
        checkBeliefs(coordinator)
        checkBounds(coordinator)
        checkKeys(coordinator)
    }

    /// Nobody is connected with a key that is not accepted any more.
    private func checkKeys(_ coordinator: CoordinatorMachine) {
        for id in coordinator.peers.ids {
            guard let peer = coordinator.peers[id], peer.isAuthenticated else { continue }
            guard let key = peer.access?.key, let name = key.name else {
                broken("\(id) has proved no key")
                continue
            }
            let entry = coordinator.keyring.entry(named: name, at: Int(now.milliseconds))
            if entry?.key != key { broken("\(id) is connected with the old key \(name)") }
        }
    }

    /// The coordinator's state of a worker was told over its connection, is no more than the worker
    /// may hold, and no node is held twice.
    private func checkBeliefs(_ coordinator: CoordinatorMachine) {
        var holders: [NodeReference: String] = [:]
        for worker in coordinator.fleet.ids {
            guard let session = coordinator.fleet[worker] else { continue }
            let attempts = coordinator.scheduler.attempts(on: worker)
            let limit = session.offered.slots + scenario.schedulerLimits.prefetchPerWorker
            if attempts.count > limit {
                broken("\(session.name) holds \(attempts.count) attempts, over \(limit)")
            }
            losses.hold(attempts, by: session.name)
            broken(sessions.check(self.session(named: session.name)))
            for attempt in attempts {
                let node = NodeReference(run: attempt.run, node: attempt.node)
                if let other = holders.updateValue(session.name, forKey: node) {
                    broken("\(node) has an attempt on \(other) and one on \(session.name)")
                }
                if session.unsent.contains(attempt) { continue }
                let reason = coordinator.scheduler.cancelReason(of: attempt, on: worker)
                check(attempt, reason, session)
            }
            if let connection = session.connection, session.drain.isOrdered {
                broken(connections.drains(on: connection))
            }
        }
        checkCounts(holders.count, coordinator)
    }

    private func check(_ attempt: AttemptID, _ reason: CancelReason?, _ session: WorkerSession) {
        if reason == nil, runEnds.isCancelled(attempt.run) {
            broken("\(attempt) goes on, though its run was cancelled")
        }
        guard let connection = session.connection else { return }
        broken(connections.holds(attempt, isCancelling: reason != nil, on: connection))
    }

    /// The workers' attempts, the states of the scheduler's nodes and the counts of the runs agree.
    private func checkCounts(_ held: Int, _ coordinator: CoordinatorMachine) {
        var sum = 0
        for id in coordinator.runs.active {
            guard let slot = coordinator.runs.slot(of: id) else { continue }
            var running = 0
            for node in 0..<coordinator.runs[slot].state.plan.count {
                let state = coordinator.scheduler.state(of: NodeReference(run: id, node: node))
                if state?.worker != nil { running += 1 }
            }
            if let bound = bounds[id], running > bound {
                broken("\(id) has \(running) attempts, over its bound of \(bound)")
            }
            if coordinator.runs[slot].state.counts.running != running {
                broken("\(id) counts \(coordinator.runs[slot].state.counts) but runs \(running)")
            }
            sum += running
        }
        if sum != held { broken("\(held) attempts are held, but \(sum) nodes are on workers") }
    }

    /// No ready node waits while a worker has a free slot for it, unless the next turn comes at once.
    private func checkThatNothingWaitsInVain(_ coordinator: CoordinatorMachine) {
        guard coordinator.furtherTurn == nil, !coordinator.isDraining else { return }
        // The turn that ends when the disk has caught up places them.
        guard !coordinator.isJournalBehind else { return faults.note(.journalBehind) }
        for id in coordinator.runs.active {
            guard let run = coordinator.runs.slot(of: id) else { continue }
            for node in 0..<coordinator.runs[run].state.plan.count {
                let reference = NodeReference(run: id, node: node)
                guard coordinator.scheduler.state(of: reference) == .ready else { continue }
                let tool = coordinator.runs[run].state.plan[node].tool
                let running = coordinator.runs[run].state.counts.running
                let isFull = bounds[id].map { running >= $0 } ?? false
                if !isFull,
                    let worker = coordinator.fleet.ids.first(where: {
                        hasRoom($0, for: tool, coordinator)
                            && !coordinator.scheduler.isKept(reference, from: $0)
                    })
                {
                    broken("\(reference) is ready and was not placed, though \(worker) has room")
                }
                let reasons = coordinator.scheduler.explain(reference, dependencies: [], at: now)
                if reasons.isEmpty || reasons.contains(.aboutToStart) {
                    broken("\(reference) is ready and waits for \(reasons)")
                }
            }
        }
    }

    private func hasRoom(
        _ worker: WorkerID,
        for tool: String,
        _ coordinator: CoordinatorMachine
    ) -> Bool {
        guard let session = coordinator.fleet[worker], session.isReachable,
            !session.drain.isDraining,
            session.offered.names.contains(tool)
        else { return false }
        let attempts = coordinator.scheduler.attempts(on: worker)
        guard attempts.count < session.offered.slots else { return false }
        guard tool == "single" else { return true }
        return !attempts.contains { attempt in
            coordinator.runs.slot(of: attempt.run).map {
                coordinator.runs[$0].state.plan[attempt.node].tool == tool
            } ?? false
        }
    }

    /// Nothing grows beyond its limit.
    private func checkBounds(_ coordinator: CoordinatorMachine) {
        if coordinator.runs.active.count > scenario.limits.unfinishedRuns {
            broken("\(coordinator.runs.active.count) runs are unfinished")
        }
        for id in coordinator.runs.active {
            guard let slot = coordinator.runs.slot(of: id) else { continue }
            let log = coordinator.runs[slot].log
            if log.entries.count > scenario.limits.eventLogEntries {
                broken("run \(id) keeps \(log.entries.count) events")
            }
            if log.bytes > scenario.limits.eventBytes, log.entries.count > 1 {
                broken("run \(id) keeps events of \(log.bytes) bytes")
            }
            let run = coordinator.runs[slot]
            if run.heldBytes > scenario.limits.runBytes, run.state.phase.isGoingOn {
                broken("run \(id) holds more than it may and goes on")
            }
        }
    }
}
