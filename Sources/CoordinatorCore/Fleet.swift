// All workers: their sessions by id, by name and in the order in which they came, those that are
// away, and the tools of all. What workers say is not handled here.

internal import Core
internal import Scheduling
internal import Wire

/// The workers of a coordinator.
struct Fleet: Sendable {
    private var sessions = KeyedTable<WorkerID, WorkerSession>()
    private var names: [String: WorkerID] = [:]
    /// Until when a session without a connection may be resumed, on the judging clock.
    private var absences = DueTimes<WorkerID>()
    /// Sessions ever, which numbers them.
    private var sessionCount = 0
    private(set) var catalogue = ToolCatalogue()
    /// Workers that want the name of one that is connected.
    var twins = WaitingTwins()
    var acknowledgementTimes = AcknowledgementTimes()
    /// Workers with attempts that were not sent yet.
    private(set) var unsentWorkers: [WorkerID] = []
    /// Workers that get a dispatch in this turn.
    private var dispatchedTo: [WorkerID] = []

    /// The workers in the order in which they came.
    var ids: ArrivalOrder<WorkerID> { sessions.keys }

    /// The worker of a name.
    subscript(name name: String) -> WorkerID? { names[name] }

    subscript(worker: WorkerID) -> WorkerSession? { sessions[worker] }

    /// Reads or changes a session where it stands; what is read by the subscript is copied whole.
    @discardableResult
    @inline(__always)
    mutating func inPlace<Value>(
        _ worker: WorkerID,
        _ body: (inout WorkerSession) -> Value
    ) -> Value? {
        sessions.inPlace(worker, body)
    }

    // MARK: - Arrival and departure

    /// The id of the next session.
    mutating func makeID() -> WorkerID {
        sessionCount += 1
        return WorkerID(sessionCount)
    }

    mutating func add(_ session: WorkerSession) {
        sessions[session.id] = session
        names[session.name] = session.id
    }

    /// The worker of a session is back, on a new connection.
    mutating func connect(_ worker: WorkerID, to connection: ConnectionID) {
        sessions.inPlace(worker) { $0.connect(to: connection) }
        absences.remove(worker)
    }

    /// The connection broke; the session may be resumed until a time.
    mutating func disconnect(_ worker: WorkerID, resumableUntil time: Instant) {
        sessions.inPlace(worker) { $0.disconnect() }
        absences.set(worker, at: time)
    }

    /// Ends a session; tools that only its worker offered leave the catalogue.
    mutating func remove(_ worker: WorkerID) -> WorkerSession? {
        guard let session = sessions.removeValue(forKey: worker) else { return nil }
        absences.remove(worker)
        if names[session.name] == worker { names[session.name] = nil }
        let known = sessions
        catalogue.removeWorker(tools: session.offered.names) { known[$0] != nil }
        return session
    }

    /// Whether no worker is away.
    var isComplete: Bool { absences.isEmpty }
    /// When the next worker that is away is lost.
    var nextLoss: Instant? { absences.next }

    /// A worker that did not come back in time; nil if there is none.
    mutating func popLost(at time: Instant) -> WorkerID? { absences.popDue(until: time) }

    // MARK: - Tools

    /// Enters the tools of an offer in the catalogue, as far as that is possible; those to keep are
    /// there already.
    mutating func admitTools(
        of offer: Offer,
        by worker: WorkerID,
        keeping kept: Set<String> = []
    ) -> AdmittedTools {
        var admitted = AdmittedTools(
            offered: SessionTools(slots: offer.slots, withheld: offer.withheld)
        )
        for tool in offer.tools where admitted.profiles[tool.name] == nil {
            if !kept.contains(tool.name), let reason = catalogue.offer(tool, by: worker) {
                admitted.offered.refused.append(WithheldTool(name: tool.name, reason: reason))
            } else {
                admitted.offered.names.append(tool.name)
                admitted.profiles[tool.name] = ToolOffer(tool)
            }
        }
        admitted.offered.refused += offer.unreadable.filter { admitted.profiles[$0.name] == nil }
        return admitted
    }

    /// Withdraws the tools that a new offer leaves out, admits those that it brings, and returns what
    /// the worker offers now.
    mutating func replaceTools(of session: WorkerSession, by offer: Offer) -> AdmittedTools {
        let before = session.offered.names
        let wanted = Set(offer.tools.filter { catalogue.agrees(with: $0) }.map(\.name))
        catalogue.withdraw(before.filter { !wanted.contains($0) }, of: session.id)
        let kept = Set(before).intersection(wanted)
        for tool in offer.tools where kept.contains(tool.name) { catalogue.restate(tool) }
        let admitted = admitTools(of: offer, by: session.id, keeping: kept)
        sessions.inPlace(session.id) { $0.offered = admitted.offered }
        return admitted
    }

    /// The tools of an offer: those that were taken in and those that were not, and what the
    /// scheduler is to know of the first.
    struct AdmittedTools {
        var offered: SessionTools
        var profiles: [String: ToolOffer] = [:]
    }

    /// Which connected workers have a tool that they cannot run, and why; empty if none has.
    func withheld(_ tool: String) -> String {
        let found = ids.lazy.compactMap { sessions[$0] }.flatMap { worker in
            worker.offered.withheld.filter { $0.name == tool }
                .map { "on \(worker.name): \($0.reason)" }
        }
        return found.prefix(3).joined(separator: "; ")
    }

    // MARK: - Attempts on their way

    /// The worker has attempts that were not sent.
    mutating func listUnsent(_ worker: WorkerID) {
        guard sessions.inPlace(worker, { $0.unsent.noteListed() }) == true else { return }
        unsentWorkers.append(worker)
    }

    /// Takes out the workers with attempts that were not sent, in the order of listing.
    mutating func takeUnsentWorkers() -> [WorkerID] {
        let workers = exchange(&unsentWorkers, with: [])
        for worker in workers { sessions.inPlace(worker) { $0.unsent.noteUnlisted() } }
        return workers
    }

    /// A dispatch to the worker leaves in this turn; says whether it is the first one.
    mutating func noteDispatch(to worker: WorkerID) -> Bool {
        guard sessions.inPlace(worker, { $0.noteDispatchThisTurn() }) == true else { return false }
        dispatchedTo.append(worker)
        return true
    }

    mutating func endTurn() {
        for worker in dispatchedTo { sessions.inPlace(worker) { $0.endTurn() } }
        dispatchedTo.removeAll(keepingCapacity: true)
    }

    // MARK: - Checks

    func validate() throws(InvariantViolation) {
        for worker in ids {
            guard let session = sessions[worker], names[session.name] == worker else {
                throw InvariantViolation("\(worker) is not the worker of its name")
            }
            guard (session.connection == nil) == absences.contains(worker) else {
                throw InvariantViolation("\(worker) is absent but not awaited")
            }
        }
    }
}
