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

    /// The tools of an offer that were taken in, and those that were not.
    struct AdmittedTools {
        var names: [String] = []
        var offers: [String: ToolOffer] = [:]
        var refused: [WithheldTool] = []
    }

    /// Enters the tools of an offer in the catalogue, as far as that is possible; those to keep are
    /// there already.
    mutating func admitTools(
        of offer: Offer,
        by worker: WorkerID,
        keeping kept: Set<String>
    ) -> AdmittedTools {
        var admitted = AdmittedTools()
        for tool in offer.tools where admitted.offers[tool.name] == nil {
            if !kept.contains(tool.name), let reason = catalogue.offer(tool, by: worker) {
                admitted.refused.append(WithheldTool(name: tool.name, reason: reason))
            } else {
                admitted.names.append(tool.name)
                admitted.offers[tool.name] = ToolOffer(tool)
            }
        }
        admitted.refused += offer.unreadable.filter { admitted.offers[$0.name] == nil }
        return admitted
    }

    /// Puts what a worker offers in place of what it offered before; attempts under way go on.
    ///
    /// Returns the tools that are refused now and were not before.
    mutating func replaceOffer(
        of worker: WorkerID,
        by offer: Offer,
        in turn: inout CoordinatorTurn
    ) -> [WithheldTool] {
        guard let before = workers[worker] else { return [] }
        let wanted = Set(offer.tools.filter { catalogue.agrees(with: $0) }.map(\.name))
        catalogue.withdraw(before.tools.filter { !wanted.contains($0) }, of: worker)
        let kept = Set(before.tools).intersection(wanted)
        let admitted = admitTools(of: offer, by: worker, keeping: kept)
        let refused = admitted.refused.filter { tool in
            !before.refusedTools.contains { $0.name == tool.name }
        }
        for tool in refused {
            turn.append(
                .report(.toolRefused(name: tool.name, worker: before.name, reason: tool.reason))
            )
        }
        let tools = admitted.names
        workers[worker]?.tools = tools
        workers[worker]?.refusedTools = admitted.refused
        workers[worker]?.withheld = offer.withheld
        workers[worker]?.slots = offer.slots
        if tools != before.tools || offer.withheld != before.withheld {
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
            tools: admitted.offers,
            labels: Dictionary(before.labels.map { ($0.key, $0.value) }) { $1 }
        )
        schedule(.workerChanged(worker, profile), in: &turn)
        return refused
    }

    /// Which connected workers have a tool that they cannot run, and why; empty if none has.
    func withheld(_ tool: String) -> String {
        let found = workerOrder.lazy.compactMap { workers[$0] }.flatMap { worker in
            worker.withheld.filter { $0.name == tool }
                .map { "on \(worker.name): \($0.reason)" }
        }
        return found.prefix(3).joined(separator: "; ")
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
    /// It is asked for a sign of life: if it answers, the second one is refused; if it is gone and
    /// nobody has noticed, the second one is the same worker, started again.
    mutating func askAfterFirst(
        _ register: Register,
        _ name: String,
        _ session: String,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard let first = workersByName[name], let connection = workers[first]?.connection,
            !waitingTwins.contains(where: { $0.connection == id })
        else { return }
        workers[first]?.pingNumber += 1
        workers[first]?.heldAtPing = scheduler.attempts(on: first)
        let ping = workers[first]?.pingNumber ?? 1
        let asked = presence.judgingTime(at: turn.now)
        turn.append(.send(connection, .ping(Ping(n: ping))))
        waitingTwins.append(
            WaitingTwin(
                connection: id,
                register: register,
                name: name,
                session: session,
                ping: ping,
                asked: asked,
                until: asked + min(limits.heartbeat, limits.handshake / 2)
            )
        )
    }

    /// The first one lives.
    mutating func refuseTwins(
        of worker: WorkerID,
        afterPing number: Int,
        in turn: inout CoordinatorTurn
    ) {
        guard let record = workers[worker] else { return }
        let twins = waitingTwins.filter { $0.name == record.name && $0.ping <= number }
        let place = [record.host.map { " on \($0)" }, record.processID.map { " (process \($0))" }]
            .compactMap { $0 }.joined()
        for twin in twins {
            let error = WireError(
                code: .duplicateName,
                message: "A worker named \(twin.name) is connected already\(place)."
            )
            violate(twin.connection, error, in: &turn)
        }
    }

    /// The first one has left: whoever waited for its name gets it, one of them.
    mutating func admitTwins(in turn: inout CoordinatorTurn) {
        for twin in waitingTwins {
            guard workersByName[twin.name].flatMap({ workers[$0]?.connection }) == nil else {
                continue
            }
            admit(twin, in: &turn)
        }
    }

    /// The first one has not answered in time: it is gone when nothing else came from it either.
    ///
    /// If it was heard of just before it was asked, it has a little longer. The second one may have
    /// been started right after the first one's end, which nobody has noticed.
    mutating func fenceSilentFirsts(in turn: inout CoordinatorTurn) {
        let time = presence.judgingTime(at: turn.now)
        while let index = waitingTwins.firstIndex(where: { $0.until <= time }) {
            let twin = waitingTwins[index]
            let first = workersByName[twin.name]
            let heard = first.flatMap { workers[$0]?.connection }.flatMap { peers[$0]?.lastHeard }
            if let first, let heard, heard > twin.asked {
                refuseTwins(of: first, afterPing: twin.ping, in: &turn)
            } else if let heard, heard + limits.heartbeat * 3 / 2 > time {
                waitingTwins[index].until = heard + limits.heartbeat * 3 / 2
            } else {
                admit(twin, in: &turn)
            }
        }
    }

    private mutating func admit(_ twin: WaitingTwin, in turn: inout CoordinatorTurn) {
        waitingTwins.removeAll { $0.connection == twin.connection }
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
