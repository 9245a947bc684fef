// Connections: opening, sending, delivering, stopping one direction, cutting.

import CoordinatorCore
import Core
import TestKit
import Wire
import WorkerCore

extension SimulatedCluster {
    /// A new connection, which both sides know at once; a coordinator that is stopped when it goes
    /// on.
    ///
    /// Nil if there is no process at the address.
    func openLink(to peer: String, at address: Int) -> SimulatedLink? {
        guard let number = isShared ? seats.addresses[address] : seat else { return nil }
        linkCount += 1
        let link = SimulatedLink(
            id: ConnectionID(linkCount),
            peer: peer,
            seat: number,
            limits: scenario.limits
        )
        links[link.id] = link
        inSeat(number) {
            if now < pausedUntil {
                plan(.accept(link), at: pausedUntil)
            } else if !leavesOff() {
                accept(link)
            }
        }
        return link
    }

    /// The coordinator has the connection.
    func accept(_ link: SimulatedLink) {
        guard link.isOpenForCoordinator else { return }
        link.isAccepted = true
        tell(.connected(link.id, nonce: draw.bytes(32)))
    }

    func send(_ message: Message, over link: SimulatedLink, _ direction: Direction) {
        let isOpen = direction == .toPeer ? link.isOpenForCoordinator : link.isOpenForPeer
        guard isOpen, link.isAlive else { return }
        switch direction {
        case .toPeer where !link.unwritten.isEmpty || link.barrier > journal.written:
            link.unwritten.append((link.barrier, message))
            return
        case .toPeer:
            leave(message, over: link)
        case .toCoordinator:
            do {
                let line = unreadable.line(message, faults: &faults, isHealed: isHealed)
                let arrived = try WireTrip.read(
                    line ?? WireTrip.line(message),
                    maximumLine: scenario.limits.maxLine
                )
                sendPart(arrived, over: link, direction)
            } catch {
                broken("a \(message.kind) of \(link.peer) is no message: \(error)")
            }
        }
        layAmbush(for: message, on: link)
    }

    /// Puts on their way the messages that the peer's system accepts.
    func letThrough(_ link: SimulatedLink) {
        guard link.isAlive else { return }
        do {
            for part in try link.wire.takeMessages() { sendPart(part, over: link, .toPeer) }
        } catch {
            broken("a message to \(link.peer) is none: \(error)")
        }
        guard link.closesWhenTaken, !link.wire.isBehind, link.unwritten.isEmpty else { return }
        link.closesWhenTaken = false
        close(link, from: .toPeer)
    }

    /// Sends what waited for records that are on disk now.
    func sendWritten(over link: SimulatedLink) {
        while let first = link.unwritten.first, first.position <= journal.written {
            link.unwritten.removeFirst()
            if link.isAlive { leave(first.message, over: link) }
        }
        if link.closesWhenTaken { letThrough(link) }
    }

    /// A message of the coordinator leaves: what it promises must be on disk.
    private func leave(_ message: Message, over link: SimulatedLink) {
        broken(durability.missing(for: message, written: journal.written))
        let values = link.wire.backlog.values
        link.wire.send(message)
        letThrough(link)
        if link.wire.isBehind || link.wire.backlog.values > values {
            plan(.reportBacklog(link), after: .zero)
        }
    }

    private func sendPart(_ arrived: Message, over link: SimulatedLink, _ direction: Direction) {
        if case .chunk = arrived { faults.note(.chunks) }
        var delay = draw.duration(.microseconds(50) ... .milliseconds(1))
        if !isHealed, draw.permille(scenario.delayPermille) {
            delay = draw.duration(.milliseconds(10) ... .milliseconds(3_000))
            faults.note(.delay)
        }
        let at = link.withLane(direction) { lane in
            lane.messages.append(arrived)
            lane.lastArrival = max(lane.lastArrival, now + delay)
            return lane.lastArrival
        }
        plan(.deliver(link, direction), at: at)
    }

    func deliver(_ link: SimulatedLink, _ direction: Direction) {
        let message = link.withLane(direction) { lane -> Message? in
            lane.isStopped || lane.messages.isEmpty ? nil : lane.messages.removeFirst()
        }
        guard let message else { return }
        switch direction {
        case .toCoordinator where link.isOpenForCoordinator && link.isHeld:
            link.heldBack.append(message)
        case .toCoordinator where link.isOpenForCoordinator:
            trace.add(now, "\(link.peer) > \(describe(message))")
            deliverToCoordinator(message, link)
        case .toPeer where link.isOpenForPeer:
            trace.add(now, "\(link.peer) < \(describe(message))")
            if let worker = workersByLink[link.id] {
                if case .welcome(let welcome) = message {
                    resumes.welcome(link.peer, session: welcome.session) { [sessions] in
                        sessions.attempts(of: link.peer)
                    }
                }
                tell(worker, .received(message))
                checkCancelled(by: message, worker)
            } else if let client = clientsByLink[link.id] {
                deliver(message, to: client)
            }
        default:
            // A sender to a closed side learns of it.
            let back: Direction = direction == .toPeer ? .toCoordinator : .toPeer
            if !link.withLane(back, { $0.isStopped }) {
                plan(.noticeEnd(link, back), after: .milliseconds(1))
            }
        }
    }

    /// The receiving side of this direction learns that the connection is gone.
    func noticeEnd(_ link: SimulatedLink, _ direction: Direction) {
        guard !link.withLane(direction, { $0.isStopped }) else { return }
        switch direction {
        case .toCoordinator:
            guard link.isOpenForCoordinator else { return }
            if link.isHeld {
                // The end of the stream comes after the held messages.
                return plan(.noticeEnd(link, direction), after: .milliseconds(20))
            }
            link.isOpenForCoordinator = false
            // It may have ended the connection because it heard nothing: it did not read.
            if link.wire.isBehind { faults.note(.slowReaderDismissed) }
            trace.add(now, "\(link.peer) > end")
            tell(.disconnected(link.id))
        case .toPeer:
            guard link.isOpenForPeer else { return }
            link.isOpenForPeer = false
            trace.add(now, "\(link.peer) < end")
            if let worker = workersByLink[link.id], worker.isAlive, worker.link === link {
                worker.link = nil
                tell(worker, .disconnected(reason: nil))
            } else if let client = clientsByLink[link.id], client.link === link {
                lost(client)
            }
        }
    }

    /// One side closes in good order: its earlier messages still arrive.
    func close(_ link: SimulatedLink, from side: Direction) {
        // `side` is the direction in which the closing side sends.
        switch side {
        case .toPeer:
            link.isOpenForCoordinator = false
            if link.wire.isBehind || !link.unwritten.isEmpty {
                link.closesWhenTaken = true
                return
            }
        case .toCoordinator: link.isOpenForPeer = false
        }
        let at = link.withLane(side) { lane -> Instant in
            lane.endsAfter = true
            return max(lane.lastArrival, now) + .microseconds(50)
        }
        plan(.noticeEnd(link, side), at: at)
    }

    // MARK: - Faults of the network

    /// The connection breaks; some of what is on its way still arrives.
    func cut(_ link: SimulatedLink, noticedByCoordinator: Bool, noticedByPeer: Bool) {
        link.isAlive = false
        for direction in [Direction.toCoordinator, .toPeer] {
            let isNoticed = direction == .toCoordinator ? noticedByCoordinator : noticedByPeer
            let kept = link.withLane(direction) { lane -> (lost: Int, last: Instant) in
                let count = lane.messages.count
                let kept = lane.isStopped || count == 0 ? 0 : draw.int(0...count)
                lane.messages.removeLast(count - kept)
                lane.isStopped = false
                return (count - kept, lane.lastArrival)
            }
            if kept.lost > 0 { faults.note(.messageLost) }
            if draw.permille(250) {
                // The rest has already left its sender and arrives much later.
                link.withLane(direction) { $0.endsAfter = isNoticed }
                stop(link, direction, for: draw.duration(.zero ... .seconds(3)))
                continue
            }
            guard isNoticed else { continue }
            let at = max(kept.last, now) + draw.duration(.microseconds(50) ... .milliseconds(20))
            plan(.noticeEnd(link, direction), at: at)
        }
    }

    /// Nothing arrives in one direction for a while; senders do not notice.
    func stop(_ link: SimulatedLink, _ direction: Direction, for duration: Duration) {
        link.withLane(direction) { $0.isStopped = true }
        plan(.release(link, direction), after: duration)
    }

    /// The held messages arrive, in order.
    func release(_ link: SimulatedLink, _ direction: Direction) {
        let waiting = link.withLane(direction) { lane -> (count: Int, ends: Bool)? in
            guard lane.isStopped else { return nil }
            lane.isStopped = false
            lane.lastArrival = max(lane.lastArrival, now)
            return (lane.messages.count, lane.endsAfter)
        }
        guard let waiting else { return }
        trace.add(now, "released \(link.peer) \(direction)")
        for _ in 0..<waiting.count { plan(.deliver(link, direction), after: .microseconds(50)) }
        if waiting.ends { plan(.noticeEnd(link, direction), after: .microseconds(100)) }
    }

    // MARK: - Who reads when

    /// The peer reads only that many more bytes for a while.
    func slowDown(_ link: SimulatedLink) {
        faults.note(.slowReader)
        trace.add(now, "FAULT \(link.peer) reads slowly or not at all")
        link.wire.allowance = draw.permille(500) ? 0 : draw.int(1...20_000)
        readOn(link, after: draw.duration(.milliseconds(1) ... .seconds(3)))
    }

    private func readOn(_ link: SimulatedLink, after pause: Duration) {
        plan(.readOn(link), after: pause)
    }

    /// It reads some more, and pauses again, or all.
    func readOn(_ link: SimulatedLink) {
        let isOn = isHealed || draw.permille(500)
        link.wire.allowance = isOn ? .max : draw.int(1...20_000)
        letThrough(link)
        reportBacklog(link)
        if !isOn { readOn(link, after: draw.duration(.milliseconds(1) ... .seconds(6))) }
    }

    func reportBacklog(_ link: SimulatedLink) {
        guard link.isOpenForCoordinator, link.isAccepted else { return }
        tell(.backlog(link.id, link.wire.backlog))
    }

    /// The coordinator reads from the peer again, starting with the waiting messages.
    func resume(_ link: SimulatedLink) {
        link.isHeld = false
        let waiting = link.heldBack
        link.heldBack = []
        link.withLane(.toCoordinator) { $0.messages.insert(contentsOf: waiting, at: 0) }
        for _ in waiting { plan(.deliver(link, .toCoordinator), after: .zero) }
    }

    // MARK: - Words

    func describe(_ message: Message) -> String {
        switch message {
        case .dispatch(let body): "dispatch \(body.attempt) \(body.tool)"
        case .started(let body): "started \(body.attempt)"
        case .reject(let body): "reject \(body.attempt) \(body.code.rawValue)"
        case .result(let body):
            switch body.outcome {
            case .success: "result \(body.attempt) ok"
            case .failure(let failure): "result \(body.attempt) \(failure.code)"
            }
        case .ack(let body): "ack \(words(body.attempts)) stale \(words(body.stale))"
        case .cancel(let body): "cancel \(body.attempt) \(body.reason)"
        case .register(let body):
            "register \(body.inFlight.map { "\($0.attempt) \($0.state)" }.joined(separator: " "))"
        case .registered(let body): "registered \(words(body.adopt)) not \(words(body.abandon))"
        case .pong(let body): "pong \(body.n) \(words(body.inFlight ?? []))"
        case .ping(let body): "ping \(body.n)"
        case .event(let body):
            "event \(body.run) \(body.sequence) \(body.kind.rawValue) \(body.node?.text ?? "")"
        case .error(let body): "error \(body.code)"
        case .accepted(let body): "accepted \(body.run) \(body.isExisting)"
        case .bye(let body): "bye \(body.reason)"
        case .chunk(let body): "chunk \(body.about) \(body.stream.rawValue) \(body.sequence)"
        case .get(let body): "get \(body.what.rawValue) \(body.request)"
        case .reply(let body): "reply \(body.request)"
        case .nodes(let body): "nodes \(body.tasks.count) \(body.isLast)"
        default: message.kind.rawValue
        }
    }

    private func words(_ attempts: [AttemptID]) -> String {
        "[\(attempts.map(\.text).joined(separator: " "))]"
    }
}
