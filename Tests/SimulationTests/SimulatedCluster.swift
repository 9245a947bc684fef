// A coordinator, its workers and its clients in one thread and in virtual time. Everything that
// happens is an entry of one agenda; all random choices come from one seed. Topics are in the
// extensions: Coordinator, Checks, Workers, Clients, Models, Replies, Network, Faults, Ending.

import Core
import HeapModule
import Scheduling
import Wire
import WorkerCore

@testable import CoordinatorCore

final class SimulatedCluster {
    var draw: SeededDraw
    let trace: Trace
    let scenario: Scenario
    var now = Instant.zero
    private var agenda = Heap<Entry>()
    private var nextOrder = 0
    private(set) var steps = 0
    /// The first broken guarantee.
    private(set) var problem: String?
    var faults = FaultCounts()
    /// How runs ended, in words.
    var endings: [String: Int] = [:]

    var coordinator: CoordinatorMachine
    var coordinatorActions: [CoordinatorMachine.Action] = []
    var isCoordinatorTouched = false
    /// The result of `nextDeadline()` after its latest change; calling it copies.
    var coordinatorDue: Instant?
    var isCarryingOut = false
    var links: [ConnectionID: SimulatedLink] = [:]
    var linkCount = 0

    /// The living worker processes, in the order in which they started.
    var workers: [SimulatedWorker] = []
    var incarnations: [String: Int] = [:]
    var clients: [SimulatedClient] = []
    /// The peer at the other end of a connection.
    var workersByLink: [ConnectionID: SimulatedWorker] = [:]
    var clientsByLink: [ConnectionID: SimulatedClient] = [:]
    var isHealed = false
    /// Whether a drained worker ended while the coordinator did not hear it: attempts that were
    /// on their way to it are lost.
    var hasUnheardDrain = false
    /// The keys of each worker, and those that the coordinator accepts.
    var workerKeys = SimulatedKeys()
    /// Until when the coordinator's process is stopped.
    var pausedUntil = Instant.zero
    /// Whether it has no process: then no connection can be made.
    var isCoordinatorDead = false
    /// Which process this is, and what it is to the others.
    var seat = 1
    var standing = SimulatedSeat.Standing.leading
    var seats: SimulatedSeats

    var journal = SimulatedJournal()
    var durability = DurabilityChecker()
    var resumes = ResumeChecker()
    var approvals = ApprovalChecker()
    /// Pings of clients, each with a number of its own.
    var pingCount = 1_000_000
    /// How many times the coordinator was started.
    var epoch = 1
    var runEnds = RunEndChecker()
    var fold = RecordFold()
    var texts = TextChecker()
    var numbers = AttemptNumberChecker()
    var dependencies = DependencyChecker()
    var executions = ExecutionChecker()
    let slots = SlotChecker()
    var acknowledgements = AcknowledgementChecker()
    var connections = ConnectionChecker()
    var modelCalls = ModelCallChecker()
    var sessions = SessionChecker()
    var losses: LossChecker
    var refusals = RefusalChecker()
    /// The most attempts of a run at a time, where there is a bound.
    var bounds: [RunID: Int] = [:]
    /// The authors of the models' texts, by run, and the calls that have not ended.
    var authors: [RunID: SimulatedAuthor] = [:]
    var calls: [ModelCallID: SimulatedCall] = [:]
    /// Values that arrive in chunks, by connection and attempt.
    var assemblers: [ConnectionID: [AttemptID: ChunkAssembler]] = [:]
    var unreadable: UnreadableValues

    /// Something that will happen.
    enum What {
        case deliver(SimulatedLink, Direction)
        case noticeEnd(SimulatedLink, Direction)
        case release(SimulatedLink, Direction)
        case answerConnect(SimulatedWorker)
        case restoreTools(SimulatedWorker)
        case written(SimulatedWorker, SimulatedLink)
        case toolEnds(SimulatedWorker, AttemptID, version: Int)
        case toolKills(SimulatedWorker, AttemptID)
        case toolWrites(SimulatedWorker, AttemptID)
        case startWorker(String)
        case keyringChanged(Keyring, seat: Int)
        case accept(SimulatedLink)
        case connectClient(SimulatedClient)
        case giveUp(SimulatedClient, SimulatedLink)
        case stream(SimulatedClient)
        case submitAgain(SimulatedClient)
        case speak(SimulatedCall, turn: Int)
        case cancel(SimulatedClient)
        case decide(SimulatedClient, NodeID)
        case readOn(SimulatedLink)
        case reportBacklog(SimulatedLink)
        case ask(SimulatedClient)
        case fault
        case journalWrites(batch: Int, seat: Int)
        case crashCoordinator
        case startCoordinator
        case startStandby(Int)
        case takeOver(Int)
        case endFormer(seat: Int)
        case loadRun(WantedRun, seat: Int)
        case readNode(NodeQuestion, position: Int, seat: Int)
        case ambush(SimulatedLink, Scenario.Strike)
    }

    private struct Entry: Comparable {
        var at: Instant
        var order: Int
        var what: What

        static func < (left: Entry, right: Entry) -> Bool {
            left.at != right.at ? left.at < right.at : left.order < right.order
        }

        static func == (left: Entry, right: Entry) -> Bool {
            left.at == right.at && left.order == right.order
        }
    }

    init(seed: UInt64, keepsTrace: Bool = false) {
        draw = SeededDraw(seed: seed)
        unreadable = UnreadableValues(seed: seed)
        trace = Trace(keepsAll: keepsTrace)
        scenario = Scenario(drawing: &draw)
        seats = SimulatedSeats(addresses: scenario.sharesJournal ? [1, nil] : [1])
        approvals.tool = scenario.approvedTool
        losses = LossChecker(
            limit: scenario.schedulerLimits.sharedLossesPerNode,
            loneLimit: scenario.schedulerLimits.workersLostPerNode
        )
        coordinator = CoordinatorMachine(
            configuration: Self.configuration(scenario, workerKeys.keyring, epoch: 1),
            seed: draw.next(),
            at: .zero
        )
    }

    static func configuration(
        _ scenario: Scenario,
        _ keyring: Keyring,
        epoch: Int
    ) -> CoordinatorMachine.Configuration {
        var configuration = CoordinatorMachine.Configuration(
            limits: scenario.limits,
            schedulerLimits: scenario.schedulerLimits,
            keyring: keyring,
            epoch: epoch
        )
        configuration.hasModels = true
        configuration.highestPrices = TokenPrices(input: 9, output: 90)
        configuration.keepsRecords = true
        configuration.remembersPlans = true
        return configuration
    }

    func plan(_ what: What, after delay: Duration) {
        plan(what, at: now + delay)
    }

    func plan(_ what: What, at instant: Instant) {
        nextOrder += 1
        agenda.insert(Entry(at: max(instant, now), order: nextOrder, what: what))
    }

    /// Records a broken guarantee; the simulation stops at the first.
    func broken(_ words: String?) {
        guard let words, problem == nil else { return }
        problem = words
        trace.add(now, "BROKEN \(words)")
    }

    // MARK: - Running

    /// Lets virtual time pass until the condition holds; false when time or steps ran out before.
    func run(until end: Instant, steps limit: Int, _ condition: () -> Bool) -> Bool {
        let last = steps + limit
        while problem == nil, !condition() {
            guard steps < last, let next = nextInstant(), next <= end else { return false }
            now = max(now, next)
            step()
        }
        return problem == nil
    }

    private func nextInstant() -> Instant? {
        var next = agenda.min?.at
        func consider(_ candidate: Instant?) {
            guard let candidate else { return }
            next = next.map { min($0, candidate) } ?? candidate
        }
        consider(coordinatorDue.map { max($0, pausedUntil) })
        for other in seats.others.values {
            consider(other.state.due.map { max($0, other.state.pausedUntil) })
        }
        for worker in workers { consider(worker.due) }
        return next
    }

    /// Everything that is due at this instant: one turn of every loop.
    private func step() {
        steps += 1
        while problem == nil, let entry = agenda.min, entry.at <= now {
            agenda.removeMin()
            if let number = seat(of: entry.what), number != seat {
                inSeat(number) { passOn(entry.what) }
            } else {
                passOn(entry.what)
            }
        }
        if let due = coordinatorDue, due <= now, now >= pausedUntil {
            tell(.deadlineReached)
            sealRecords()
        }
        for worker in workers where worker.isAlive {
            guard let due = worker.due, due <= now else { continue }
            tell(worker, .deadlineReached)
        }
        endCoordinatorTurn()
        sealRecords()
        endOtherTurns()
    }

    private func passOn(_ what: What) {
        if now < pausedUntil, concernsCoordinator(what) {
            // It waits in a socket, in order, and is read before any timeout is handled.
            plan(what, at: pausedUntil)
        } else if !concernsCoordinator(what) || !leavesOff() {
            happen(what)
            sealRecords()
        }
    }

    private func concernsCoordinator(_ what: What) -> Bool {
        switch what {
        case .deliver(_, .toCoordinator), .noticeEnd(_, .toCoordinator), .accept, .speak, .readOn,
            .reportBacklog, .keyringChanged, .journalWrites, .loadRun, .readNode:
            true
        // The system of a stopped process accepts connections for it.
        case .answerConnect, .connectClient: isCoordinatorDead && !isShared
        case .deliver(_, .toPeer), .noticeEnd(_, .toPeer), .release, .written, .toolEnds,
            .toolKills, .toolWrites, .startWorker, .stream, .submitAgain, .cancel, .decide, .ask,
            .fault, .ambush, .restoreTools, .startCoordinator, .giveUp, .crashCoordinator,
            .startStandby, .takeOver, .endFormer:
            false
        }
    }

    private func happen(_ what: What) {
        switch what {
        case .deliver(let link, let direction): deliver(link, direction)
        case .noticeEnd(let link, let direction): noticeEnd(link, direction)
        case .release(let link, let direction): release(link, direction)
        case .answerConnect(let worker): answerConnect(worker)
        case .restoreTools(let worker): setTools(of: worker, worker.allTools)
        case .written(let worker, let link):
            guard worker.isAlive, worker.link === link else { return }
            tell(worker, .written)
        case .toolKills(let worker, let attempt): killByTool(worker, attempt)
        case .toolWrites(let worker, let attempt): writeText(worker, attempt)
        case .toolEnds(let worker, let attempt, let version):
            endTool(of: worker, attempt, version)
        case .startWorker(let name): startWorker(name)
        case .keyringChanged(let keyring, _): tell(.keyringChanged(keyring))
        case .accept(let link): accept(link)
        case .connectClient(let client): connect(client)
        case .giveUp(let client, let link): giveUp(client, link)
        case .stream(let client): stream(client)
        case .submitAgain(let client): submitAgain(client)
        case .speak(let call, let turn): speak(call, turn: turn)
        case .cancel(let client): cancel(client)
        case .decide(let client, let node): decide(client, node)
        case .readOn(let link): readOn(link)
        case .reportBacklog(let link): reportBacklog(link)
        case .ask(let client): ask(client)
        case .fault: strike()
        case .journalWrites(let batch, _): finishWriting(batch)
        case .startStandby(let address): startStandby(address)
        case .takeOver(let number): takeOver(number)
        case .endFormer: endFormer()
        case .crashCoordinator: crashCoordinator()
        case .startCoordinator: startCoordinator()
        case .loadRun(let wanted, _): load(wanted)
        case .readNode(let question, let position, _): read(question, position)
        case .ambush(let link, let strike): ambush(link, strike)
        }
    }
}
