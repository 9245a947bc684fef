// A coordinator's process among several: what it has in memory, and what is expected of it alone. The
// one that leads is in the cluster's own properties; others are put there while something happens to
// them.

import Core
import TestKit
import Wire

@testable import CoordinatorCore

/// What belongs to one coordinator.
struct SimulatedSeat {
    /// What it is among those that share a journal.
    enum Standing {
        case leading
        case standby
        /// It led, and has not noticed that another one does.
        case former
    }

    var number: Int
    var standing: Standing
    var coordinator: CoordinatorMachine
    var actions: [CoordinatorMachine.Action] = []
    var isTouched = false
    var due: Instant?
    var pausedUntil = Instant.zero
    var isDead = false
    var epoch = 0
    var journal = SimulatedJournal()
    var durability = DurabilityChecker()
    var resumes = ResumeChecker()
    var runEnds = RunEndChecker()
    var fold = RecordFold()
    var texts = TextChecker()
    var numbers = AttemptNumberChecker()
    var dependencies = DependencyChecker()
    var modelCalls = ModelCallChecker()
    var losses: LossChecker
    var refusals = RefusalChecker()
    var authors: [RunID: SimulatedAuthor] = [:]
    var calls: [ModelCallID: SimulatedCall] = [:]
}

/// Several coordinators with one journal.
struct SimulatedSeats {
    /// A place for one of them: a large value, of which a part is often read.
    final class Box {
        var state: SimulatedSeat
        init(_ state: SimulatedSeat) { self.state = state }
    }

    /// Those that are not in the cluster's own properties.
    var others: [Int: Box] = [:]
    /// Which process is at each address; nil if there is none.
    var addresses: [Int?]
    var count = 1
    /// The address of a leader that has died, until another one leads.
    var lostAddress: Int?
    /// Whether a leader keeps to its lease; else nothing but the fence keeps it from doing harm.
    var keepsLease = false
    /// What former leaders have dispatched.
    var strays: Set<AttemptID> = []
    /// The worker processes that one of them has taken on, and which may have a session of it.
    var strayed: Set<String> = []
    /// When every peer knows which coordinator leads.
    var settledAt = Instant.zero
}

extension SimulatedCluster {
    var isShared: Bool { scenario.sharesJournal }

    /// The process that stands by.
    private var heir: Int? {
        seats.others.values.first { $0.state.standing == .standby }?.state.number
    }

    // MARK: - Whose turn it is

    /// What is in the cluster's own properties goes there, and the other way round.
    private func exchange(_ other: inout SimulatedSeat) {
        swap(&seat, &other.number)
        swap(&standing, &other.standing)
        swap(&coordinator, &other.coordinator)
        swap(&coordinatorActions, &other.actions)
        swap(&isCoordinatorTouched, &other.isTouched)
        swap(&coordinatorDue, &other.due)
        swap(&pausedUntil, &other.pausedUntil)
        swap(&isCoordinatorDead, &other.isDead)
        swap(&epoch, &other.epoch)
        swap(&journal, &other.journal)
        swap(&durability, &other.durability)
        swap(&resumes, &other.resumes)
        swap(&runEnds, &other.runEnds)
        swap(&fold, &other.fold)
        swap(&texts, &other.texts)
        swap(&numbers, &other.numbers)
        swap(&dependencies, &other.dependencies)
        swap(&modelCalls, &other.modelCalls)
        swap(&losses, &other.losses)
        swap(&refusals, &other.refusals)
        swap(&authors, &other.authors)
        swap(&calls, &other.calls)
    }

    /// Something happens to this process; nothing, if it has ended.
    func inSeat(_ number: Int, _ body: () -> Void) {
        guard number != seat else { return body() }
        guard let other = seats.others.removeValue(forKey: number) else { return }
        let present = seat
        exchange(&other.state)
        seats.others[present] = other
        body()
        guard let before = seats.others.removeValue(forKey: present) else {
            preconditionFailure("coordinator \(present) is lost")
        }
        exchange(&before.state)
        if !before.state.isDead { seats.others[number] = before }
    }

    /// The process that something happens to; nil if it is the peers' affair.
    func seat(of what: What) -> Int? {
        switch what {
        case .deliver(let link, .toCoordinator), .noticeEnd(let link, .toCoordinator),
            .accept(let link), .readOn(let link), .reportBacklog(let link):
            link.seat
        case .speak(let call, _): call.seat
        case .journalWrites(_, let seat), .loadRun(_, let seat), .readNode(_, _, let seat),
            .keyringChanged(_, let seat), .endFormer(let seat):
            seat
        default: nil
        }
    }

    /// The turns of the other processes end, too.
    func endOtherTurns() {
        guard !seats.others.isEmpty else { return }
        for number in seats.others.keys.sorted() {
            guard let other = seats.others[number] else { continue }
            let isDue = other.state.due.map { $0 <= now && now >= other.state.pausedUntil } ?? false
            guard isDue || other.state.isTouched else { continue }
            inSeat(number) {
                if isDue, !leavesOff() { tell(.deadlineReached) }
                sealRecords()
                endCoordinatorTurn()
                sealRecords()
            }
        }
    }

    func isStopped(_ number: Int) -> Bool {
        let pause = number == seat ? pausedUntil : seats.others[number]?.state.pausedUntil
        return pause.map { now < $0 } ?? false
    }

    // MARK: - Standing by

    /// A coordinator's process begins at an address, while another one leads.
    func startStandby(_ address: Int) {
        guard seats.addresses[address] == nil else { return }
        seats.count += 1
        var configuration = Self.configuration(scenario, workerKeys.keyring, epoch: 1)
        configuration.standsBy = true
        configuration.keepsRecords = false
        let other = SimulatedSeat(
            number: seats.count,
            standing: .standby,
            coordinator: CoordinatorMachine(
                configuration: configuration,
                seed: draw.next(),
                at: now
            ),
            losses: losses
        )
        seats.others[other.number] = SimulatedSeats.Box(other)
        seats.addresses[address] = other.number
        nameLeader()
    }

    /// Those that stand by know who leads.
    func nameLeader() {
        guard let heir else { return }
        let address = seats.addresses.firstIndex { $0 == seat }.map { "a\($0)" }
        inSeat(heir) { tell(.leaderNamed(address)) }
    }

    // MARK: - Leading

    /// The leader is stopped, or its appends do not arrive, for longer than its lease; another one
    /// leads then.
    func replaceLeader() {
        guard isShared, !isHealed, now >= pausedUntil, now >= journal.cutUntil, epoch < 8,
            !coordinator.isDraining, heir != nil
        else { return }
        let isStopped = draw.permille(500)
        faults.note(isStopped ? .leaderStopped : .leaderCut)
        trace.add(now, "FAULT the leader is \(isStopped ? "stopped" : "cut from the journal")")
        let takeover = now + scenario.limits.lease + draw.duration(.zero ... .seconds(1))
        let end = takeover + draw.duration(.zero ... .seconds(5))
        seats.keepsLease = draw.permille(300)
        seats.settledAt = max(seats.settledAt, end + scenario.limits.lease)
        journal.sentCount = journal.batches.count
        if isStopped {
            pausedUntil = end
            tireClients()
        } else {
            journal.cutUntil = end
        }
        plan(.takeOver(seat), at: takeover)
    }

    /// The one that stands by has the lead, and goes on with what is in the journal.
    func takeOver(_ number: Int) {
        let end = max(pausedUntil, journal.cutUntil)
        guard seat == number, !isCoordinatorDead, now < end, let heir else { return }
        sealRecords()
        trace.add(now, "coordinator \(heir) takes the lead from \(seat)")
        let kept = draw.int(journal.writtenCount...max(journal.sentCount, journal.writtenCount))
        let isKnown = draw.permille(500)
        var former = SimulatedSeat(
            number: seat,
            standing: .former,
            coordinator: coordinator,
            actions: coordinatorActions,
            isTouched: isCoordinatorTouched,
            due: coordinatorDue,
            pausedUntil: pausedUntil,
            epoch: epoch,
            journal: journal,
            durability: durability,
            resumes: resumes,
            runEnds: runEnds,
            fold: fold,
            texts: texts,
            numbers: numbers,
            dependencies: dependencies,
            modelCalls: modelCalls,
            losses: losses,
            refusals: refusals,
            authors: authors,
            calls: calls
        )
        // Its last append may have been written without its knowing.
        former.journal.fence = isKnown ? kept : journal.writtenCount
        let beat = draw.duration(.zero...scenario.limits.lease / 4)
        plan(.endFormer(seat: seat), at: end + beat)
        authors = authors.mapValues { $0.copy() }
        goBack(to: kept)
        giveLead(to: heir, leaving: former)
        startCoordinator()
    }

    /// The process that stands by gets the place of the one that leads.
    private func giveLead(to heir: Int, leaving former: SimulatedSeat?) {
        inSeat(heir) {
            tell(.shutdownRequested)
            endCoordinatorTurn()
        }
        seats.others[heir] = nil
        if let former { seats.others[former.number] = SimulatedSeats.Box(former) }
        seat = heir
        standing = .leading
        isCoordinatorTouched = false
        coordinatorActions = []
        coordinatorDue = nil
        pausedUntil = now
    }

    /// After a crash of the leader, the one that stands by leads if there is one.
    func findLeader() {
        guard isShared, let address = seats.lostAddress else { return }
        seats.lostAddress = nil
        guard let heir else {
            seats.addresses[address] = seat
            return
        }
        giveLead(to: heir, leaving: nil)
        plan(.startStandby(address), after: draw.duration(.milliseconds(20) ... .seconds(2)))
    }

    // MARK: - Leaving off

    /// Whether a former leader ends, because it keeps to its lease.
    func leavesOff() -> Bool {
        guard standing == .former, seats.keepsLease else { return false }
        endFormer()
        return true
    }

    /// An append of a former leader was refused: it ends, when it has read that.
    func refuseAppend() {
        guard !journal.isRefused else { return }
        journal.isRefused = true
        faults.note(.staleAppend)
        trace.add(now, "an append of coordinator \(seat) is refused")
        plan(.endFormer(seat: seat), after: draw.duration(.zero ... .milliseconds(500)))
    }

    /// The process of a former leader ends.
    func endFormer() {
        guard standing == .former, !isCoordinatorDead else { return }
        trace.add(now, "coordinator \(seat) ends")
        closeLinksAtDeath()
        for call in calls.values { call.isOver = true }
        calls = [:]
        isCoordinatorDead = true
        guard let address = seats.addresses.firstIndex(where: { $0 == seat }) else { return }
        seats.addresses[address] = nil
        plan(.startStandby(address), after: draw.duration(.milliseconds(20) ... .seconds(3)))
    }

    /// What is not on its way yet is lost with the process.
    func closeLinksAtDeath() {
        for id in links.keys.sorted() {
            guard let link = links[id], link.seat == seat,
                link.isOpenForCoordinator || link.closesWhenTaken
            else { continue }
            link.closesWhenTaken = false
            link.unwritten = []
            link.wire.discard()
            cut(link, noticedByCoordinator: false, noticedByPeer: true)
            link.isOpenForCoordinator = false
        }
    }
}
