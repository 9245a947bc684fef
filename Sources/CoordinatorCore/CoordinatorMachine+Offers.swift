// What workers offer, as far as it changes, and workers that want the name of another one.

internal import Core
internal import OrderedCollections
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    // MARK: - Tools that come and go

    mutating func changeOffer(
        _ offer: Offer,
        of worker: WorkerID,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        if let error = excess(of: offer) { return violate(id, error, in: &turn) }
        for tool in replaceOffer(of: worker, by: offer, in: &turn) {
            let error = ErrorMessage(
                code: .badMessage,
                message: "The tool \(tool.name) is not offered: \(tool.reason)",
                isFatal: false
            )
            turn.append(.send(id, .error(error)))
        }
    }

    /// What is wrong with an offer of too many slots or tools; nil if it is not too large.
    func excess(of offer: Offer) -> WireError? {
        let count = offer.tools.count + offer.unreadable.count
        guard offer.slots > limits.slotsPerWorker || count > limits.toolsPerWorker else {
            return nil
        }
        return WireError(
            code: .limit,
            message: "A worker may offer at most \(limits.slotsPerWorker) slots and "
                + "\(limits.toolsPerWorker) tools."
        )
    }

    /// Puts what a worker offers in place of what it offered before; attempts under way go on.
    ///
    /// Returns the tools that are refused now and were not before.
    mutating func replaceOffer(
        of worker: WorkerID,
        by offer: Offer,
        in turn: inout CoordinatorTurn
    ) -> [WithheldTool] {
        guard let before = fleet[worker] else { return [] }
        let admitted = fleet.replaceTools(of: before, by: offer)
        let refused = admitted.offered.refused.filter { tool in
            !before.offered.refused.contains { $0.name == tool.name }
        }
        for tool in refused {
            turn.append(
                .report(.toolRefused(name: tool.name, worker: before.name, reason: tool.reason))
            )
        }
        let tools = admitted.offered.names
        if tools != before.offered.names || offer.withheld != before.offered.withheld {
            turn.append(
                .report(
                    .offerChanged(
                        worker: before.name,
                        tools: tools.count,
                        withheld: offer.withheld
                    )
                )
            )
        }
        let profile = WorkerProfile(
            name: before.name,
            slots: offer.slots,
            tools: admitted.profiles,
            labels: Dictionary(before.about.labels.map { ($0.key, $0.value) }) { $1 }
        )
        schedule(.workerChanged(worker, profile), in: &turn)
        return refused
    }

    /// The sentence about a tool that nobody can run.
    static func missing(_ tool: String, _ withheld: String) -> String {
        withheld.isEmpty
            ? "no connected worker has the tool \(tool)"
            : "no connected worker has the tool \(tool) ready; \(withheld)"
    }

    // MARK: - Two workers of one name

    /// The name belongs to a worker that is connected.
    ///
    /// It is pinged: if it answers, the second one is refused; if it is gone and
    /// nobody has noticed, the second one is the same worker, started again.
    mutating func askAfterFirst(
        _ register: Register,
        _ name: String,
        _ session: String,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard let first = fleet[name: name], let connection = fleet[first]?.connection,
            !fleet.twins.contains(id)
        else { return }
        let held = scheduler.attempts(on: first)
        guard let ping = fleet.inPlace(first, { $0.pings.next(held: held) }) else { return }
        turn.append(.send(connection, .ping(ping)))
        fleet.twins.add(
            register,
            name,
            session,
            on: id,
            ping: ping.n,
            asked: presence.judgingTime(at: turn.now),
            patience: min(limits.heartbeat, limits.handshake / 2)
        )
    }

    /// The first one lives.
    mutating func refuseTwins(
        of worker: WorkerID,
        afterPing number: Int,
        in turn: inout CoordinatorTurn
    ) {
        guard let session = fleet[worker] else { return }
        let twins = fleet.twins.all.filter { $0.name == session.name && $0.ping <= number }
        let host = session.about.host.map { " on \($0)" } ?? ""
        let process = session.about.processID.map { " (process \($0))" } ?? ""
        for twin in twins {
            let error = WireError(
                code: .duplicateName,
                message: "A worker named \(twin.name) is connected already\(host)\(process)."
            )
            violate(twin.connection, error, in: &turn)
        }
    }

    /// The first one has left: one of those that waited for its name gets it.
    mutating func admitTwins(in turn: inout CoordinatorTurn) {
        for twin in fleet.twins.all
        where fleet[name: twin.name].flatMap({ fleet[$0]?.connection }) == nil {
            admit(twin, in: &turn)
        }
    }

    /// The first one has not answered in time: it is gone when nothing else came from it either.
    ///
    /// If it was heard of just before it was asked, it has a little longer. The second one may have
    /// been started right after the first one's end, which nobody has noticed.
    mutating func fenceSilentFirsts(in turn: inout CoordinatorTurn) {
        let time = presence.judgingTime(at: turn.now)
        while let twin = fleet.twins.firstDue(at: time) {
            let first = fleet[name: twin.name]
            let heard = first.flatMap { fleet[$0]?.connection }.flatMap { peers[$0]?.lastHeard }
            if let first, let heard, heard > twin.asked {
                refuseTwins(of: first, afterPing: twin.ping, in: &turn)
            } else if let heard, heard + limits.heartbeat * 3 / 2 > time {
                fleet.twins.extend(twin.connection, until: heard + limits.heartbeat * 3 / 2)
            } else {
                admit(twin, in: &turn)
            }
        }
    }

    private mutating func admit(_ twin: WaitingTwin, in turn: inout CoordinatorTurn) {
        fleet.twins.remove(twin.connection)
        guard peers[twin.connection] != nil else { return }
        fenceOlder(twin.name, in: &turn)
        join(twin.register, twin.name, twin.session, twin.connection, in: &turn)
    }
}

extension Register {
    /// What may change while the session lasts.
    var offer: Offer {
        Offer(slots: slots, tools: tools, withheld: withheld, unreadable: unreadable)
    }
}
