// Faults at random times, drawn from those that the scenario allows.

import Core
import TestKit
import Wire
import WorkerCore

extension SimulatedCluster {
    func strike() {
        guard !isHealed else { return }
        if now < scenario.faultsEnd {
            let pause = draw.int(1...200)
            plan(.fault, after: scenario.faultPause * pause / 100)
        }
        guard let strike = draw.element(scenario.strikes) else { return }
        switch strike {
        case .clientCut: cutClient()
        case .stop: stopOneWay()
        case .slowReader: slowReader()
        case .pause: pauseCoordinator()
        case .longPause: pauseCoordinatorForLong()
        case .leaderLost: replaceLeader()
        case .coordinatorCrash: endCoordinator()
        case .diskFull: fillDisk()
        default:
            guard let worker = draw.element(workers.filter(\.isAlive)) else { return }
            self.strike(worker, strike)
        }
    }

    private func strike(_ worker: SimulatedWorker, _ strike: Scenario.Strike) {
        switch strike {
        case .crash: crash(worker)
        case .cut: cut(worker)
        case .twin: twin(of: worker)
        case .drainOrdered: orderDrain(of: worker)
        case .drainRequested: requestDrain(of: worker)
        case .slowReader:
            if let link = worker.link, link.isOpenForCoordinator, link.wire.allowance == .max {
                slowDown(link)
            }
        case .pause: pauseCoordinator()
        case .longPause: pauseCoordinatorForLong()
        case .leaderLost: replaceLeader()
        case .keyChange: changeKey(of: worker)
        case .coordinatorCrash: endCoordinator()
        case .diskFull: fillDisk()
        case .toolList: changeTools(of: worker)
        case .stop, .clientCut: break
        }
    }

    /// Sometimes a fault happens while an important message is on its way.
    func layAmbush(for message: Message, on link: SimulatedLink) {
        guard !isHealed, !scenario.strikes.isEmpty else { return }
        switch message {
        case .dispatch, .result, .ack, .cancel, .drain, .register, .registered, .reject, .started:
            guard draw.permille(12), let strike = draw.element(scenario.strikes) else { return }
            plan(.ambush(link, strike), after: draw.duration(.zero ... .milliseconds(1)))
        default: break
        }
    }

    func ambush(_ link: SimulatedLink, _ strike: Scenario.Strike) {
        guard let worker = workersByLink[link.id], worker.isAlive, worker.link === link else {
            return
        }
        if strike == .stop {
            stop(link)
        } else {
            self.strike(worker, strike)
        }
    }

    func crash(_ worker: SimulatedWorker) {
        faults.note(.workerCrash)
        trace.add(now, "FAULT \(worker.label) crashes")
        let link = worker.link
        worker.isAlive = false
        workers.removeAll { $0 === worker }
        worker.running.removeAll()
        worker.link = nil
        if let link {
            // The host may be gone with it: then the connection is not closed.
            cut(link, noticedByCoordinator: draw.permille(700), noticedByPeer: false)
            link.isOpenForPeer = false
        }
        if draw.permille(800) {
            faults.note(.workerRestart)
            plan(
                .startWorker(worker.name),
                after: draw.duration(.milliseconds(20) ... .seconds(6))
            )
        }
    }

    private func cut(_ worker: SimulatedWorker) {
        guard let link = worker.link, link.isAlive else { return }
        if draw.permille(750) {
            faults.note(.cut)
            trace.add(now, "FAULT \(worker.label) is cut")
            cut(link, noticedByCoordinator: true, noticedByPeer: true)
        } else {
            faults.note(.halfOpen)
            let isPeerBlind = draw.permille(500)
            trace.add(now, "FAULT \(worker.label) is half open")
            cut(link, noticedByCoordinator: isPeerBlind, noticedByPeer: !isPeerBlind)
        }
    }

    private func stopOneWay() {
        let open = links.keys.sorted().compactMap { links[$0] }.filter {
            $0.isAlive && $0.isOpenForPeer && $0.isOpenForCoordinator
        }
        if let link = draw.element(open) { stop(link) }
    }

    private func stop(_ link: SimulatedLink) {
        let isToPeer = draw.permille(500)
        faults.note(isToPeer ? .partitionToPeer : .partitionToCoordinator)
        trace.add(now, "FAULT \(link.peer) hears nothing or is not heard")
        stop(
            link,
            isToPeer ? .toPeer : .toCoordinator,
            for: draw.duration(.milliseconds(50) ... .seconds(9))
        )
    }

    private func twin(of worker: SimulatedWorker) {
        faults.note(.twin)
        trace.add(now, "FAULT a twin of \(worker.label)")
        begin(worker.name, slots: draw.int(1...3), replaces: draw.permille(500))
    }

    /// The worker's process goes on with the key that it has.
    private func changeKey(of worker: SimulatedWorker) {
        faults.note(.keyChanged)
        let grace = draw.permille(500) ? draw.int(1...4_000) : 0
        trace.add(now, "FAULT the key of \(worker.name) changes, the old one ends in \(grace) ms")
        workerKeys.change(worker.name, oldEndsAt: Int(now.milliseconds) + grace)
        for number in [seat] + seats.others.keys.sorted() {
            plan(.keyringChanged(workerKeys.keyring, seat: number), after: .zero)
        }
    }

    private func orderDrain(of worker: SimulatedWorker) {
        guard let client = draw.element(clients.filter { $0.isWelcome }), let link = client.link
        else { return }
        faults.note(.drainOrdered)
        let deadline = draw.permille(500) ? draw.int(0...3_000) : nil
        send(
            .drain(Drain(deadlineMilliseconds: deadline, worker: worker.name)),
            over: link,
            .toCoordinator
        )
    }

    private func requestDrain(of worker: SimulatedWorker) {
        faults.note(.drainRequested)
        trace.add(now, "FAULT \(worker.label) drains")
        tell(
            worker,
            .drainRequested(
                deadline: draw.permille(500) ? draw.duration(.zero ... .seconds(3)) : nil
            )
        )
    }

    /// A peer does not read for a while, or a little at a time.
    private func slowReader() {
        let open = links.keys.sorted().compactMap { links[$0] }.filter {
            $0.isAlive && $0.isOpenForPeer && $0.isOpenForCoordinator && $0.wire.allowance == .max
        }
        if let link = draw.element(open) { slowDown(link) }
    }

    /// The coordinator's process is stopped; messages that it reads late must not count as silence.
    private func pauseCoordinator() {
        guard now >= pausedUntil else { return }
        faults.note(.coordinatorPause)
        let pause = draw.duration(.milliseconds(200) ... .seconds(9))
        pausedUntil = now + pause
        trace.add(now, "FAULT the coordinator is stopped for \(pause)")
    }

    /// The same for so long that no peer waits for it: workers give up what they hold, and clients
    /// connect again and again.
    private func pauseCoordinatorForLong() {
        guard now >= pausedUntil, !isShared else { return }
        faults.note(.coordinatorLongPause)
        let limits = scenario.limits
        let shortest = limits.lease * 2 + limits.resumeWindow
        let pause = draw.duration(shortest...shortest + .seconds(12))
        pausedUntil = now + pause
        trace.add(now, "FAULT the coordinator is stopped for \(pause)")
        tireClients()
    }

    /// Clients of a coordinator that is stopped wait for a while.
    func tireClients() {
        let lease = scenario.limits.lease
        for client in clients {
            guard let link = client.link else { continue }
            plan(.giveUp(client, link), after: draw.duration(lease...lease * 2))
        }
    }

    private func cutClient() {
        guard let client = draw.element(clients), let link = client.link, link.isAlive else {
            return
        }
        faults.note(.clientCut)
        trace.add(now, "FAULT \(client.name) is cut")
        cut(link, noticedByCoordinator: draw.permille(800), noticedByPeer: true)
    }
}
