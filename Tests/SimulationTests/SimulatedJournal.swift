// The coordinator's disk: records in batches, each written whole or not at all, some time after they
// were made. What the checkers knew at each batch is kept, so that they forget what a crash undoes.

import Core
import JSON
import Runs
import TestKit
import Wire

@testable import CoordinatorCore

/// Batches of records, the first ones of which are on disk.
struct SimulatedJournal {
    /// What the checkers know that follows from records.
    struct Books {
        var runEnds: RunEndChecker
        var dependencies: DependencyChecker
        var modelCalls: ModelCallChecker
        var losses: LossChecker
    }

    struct Batch {
        var records: [NewRecord]
        /// The position after them.
        var position: Int
        var books: Books
    }

    private(set) var batches: [Batch] = []
    private var open: [NewRecord] = []
    /// How many batches are on disk.
    private(set) var writtenCount = 0
    /// The position up to which records are on disk.
    var written: Int { writtenCount > 0 ? batches[writtenCount - 1].position : 0 }
    var hasOpen: Bool { !open.isEmpty }
    /// Until when the disk is full, and whether the coordinator knows it.
    var fullUntil = Instant.zero
    var isKnownFull = false
    /// Until when appends do not arrive, and how many were on their way before.
    var cutUntil = Instant.zero
    var sentCount = 0
    /// How many batches were written before another coordinator led: later ones are refused.
    var fence: Int?
    var isRefused = false

    mutating func append(_ record: NewRecord) { open.append(record) }

    /// Makes one batch of the records since the last one, and returns how many there are.
    mutating func seal(position: Int, _ books: Books) -> Int {
        batches.append(Batch(records: open, position: position, books: books))
        open = []
        return batches.count
    }

    /// The first batches are on disk.
    mutating func write(_ count: Int) {
        writtenCount = max(writtenCount, min(count, batches.count))
    }

    /// Loses all batches after the first ones, which begin the positions of a new coordinator.
    mutating func cut(to count: Int) {
        batches.removeLast(batches.count - count)
        open = []
        for index in batches.indices { batches[index].position = 0 }
        writtenCount = count
        fullUntil = .zero
        isKnownFull = false
        cutUntil = .zero
    }

    /// All records on disk of one run; nil if there is none.
    func records(of wanted: WantedRun) -> [RunRecord]? {
        var found: RunID?
        var records: [RunRecord] = []
        for record in batches[..<writtenCount].flatMap(\.records) {
            guard case .run(let run, let record) = record else { continue }
            if case .accepted(let acceptance) = record.change {
                let isWanted =
                    switch wanted {
                    case .id(let id): id == run
                    case .key(let key): key == acceptance.key
                    }
                if isWanted {
                    found = run
                    records = []
                }
            }
            if run == found { records.append(record) }
        }
        return found == nil ? nil : records
    }

    /// The runs that have ended.
    var ended: [Acceptance] {
        var accepted: [RunID: Acceptance] = [:]
        var ended: [Acceptance] = []
        for record in batches.flatMap(\.records) {
            guard case .run(let run, let record) = record else { continue }
            if case .accepted(let acceptance) = record.change { accepted[run] = acceptance }
            if case .ended = record.change, let acceptance = accepted[run] {
                ended.append(acceptance)
            }
        }
        return ended
    }

    /// The records of the runs that have not ended, in the order of their acceptance, and the last
    /// document of each worker that has a session.
    var histories: (runs: [(run: RunID, records: [RunRecord])], workers: [String: RawJSON]) {
        var order: [RunID] = []
        var records: [RunID: [RunRecord]] = [:]
        var workers: [String: RawJSON] = [:]
        for record in batches.flatMap(\.records) {
            switch record {
            case .run(let run, let record):
                if records[run] == nil { order.append(run) }
                records[run, default: []].append(record)
            case .summary: break
            case .worker(let name, let document): workers[name] = document
            case .workerLeft(let name): workers[name] = nil
            }
        }
        let runs = order.compactMap { run -> (run: RunID, records: [RunRecord])? in
            guard let all = records[run] else { return nil }
            if case .ended? = all.last?.change { return nil }
            return (run, all)
        }
        return (runs, workers)
    }
}

extension SimulatedCluster {
    /// Ends a batch: what one event led to is written as a whole.
    func sealRecords() {
        guard journal.hasOpen else { return }
        let books = SimulatedJournal.Books(
            runEnds: runEnds,
            dependencies: dependencies,
            modelCalls: modelCalls,
            losses: losses
        )
        let count = journal.seal(position: coordinator.recordPosition, books)
        let isSlow = !isHealed && draw.permille(30)
        let delay = draw.duration(.microseconds(50)...(isSlow ? .seconds(2) : .milliseconds(4)))
        plan(.journalWrites(batch: count, seat: seat), after: delay)
        // In the middle of writing, so that records are lost.
        if !isHealed, standing == .leading, scenario.strikes.contains(.coordinatorCrash),
            draw.permille(8)
        {
            plan(.crashCoordinator, after: draw.duration(.zero...delay))
        }
    }

    /// The disk has written the first batches.
    func finishWriting(_ count: Int) {
        // It may be of the coordinator before.
        guard count > journal.writtenCount, count <= journal.batches.count else { return }
        if now < journal.cutUntil {
            return plan(.journalWrites(batch: count, seat: seat), at: journal.cutUntil)
        }
        if let fence = journal.fence, count > fence { return refuseAppend() }
        if now < journal.fullUntil {
            if !journal.isKnownFull {
                journal.isKnownFull = true
                tell(.journalStalled(true))
            }
            let pause = journal.fullUntil - now
            return plan(.journalWrites(batch: count, seat: seat), after: pause)
        }
        if journal.isKnownFull {
            journal.isKnownFull = false
            tell(.journalStalled(false))
        }
        for batch in journal.batches[journal.writtenCount..<count] {
            durability.write(batch.records)
        }
        journal.write(count)
        tell(.journalWritten(upTo: journal.written))
        for id in links.keys.sorted() {
            if let link = links[id], !link.unwritten.isEmpty, link.seat == seat {
                sendWritten(over: link)
            }
        }
    }

    /// Nothing more can be written for a while.
    func fillDisk() {
        guard !isHealed else { return }
        faults.note(.diskFull)
        trace.add(now, "FAULT the disk is full")
        journal.fullUntil = now + draw.duration(.milliseconds(50) ... .seconds(4))
    }

    /// A run is read from disk.
    func load(_ wanted: WantedRun) {
        faults.note(.runLoaded)
        tell(.runLoaded(wanted, journal.records(of: wanted)))
    }

    /// Reads what is known of a node when all records that there were at the question are on disk.
    func read(_ question: NodeQuestion, _ position: Int) {
        if journal.written < position, coordinator.peers[question.connection] != nil {
            return plan(
                .readNode(question, position: position, seat: seat),
                after: .milliseconds(1)
            )
        }
        let all = journal.records(of: .id(question.run)) ?? []
        let page = all.dropFirst(question.from).prefix(20)
        let next = question.from + page.count
        let records = page.filter(question.wants)
        faults.note(.nodeRead)
        tell(.nodeRead(question, records, next: next < all.count ? next : nil))
    }

    /// The coordinator's process dies, sometimes a while after it was told to end.
    func endCoordinator() {
        guard !coordinator.isDraining, draw.permille(400) else { return crashCoordinator() }
        guard now >= pausedUntil, !isHealed, epoch < 8 else { return }
        faults.note(.coordinatorDrain)
        trace.add(now, "FAULT the coordinator is told to end")
        tell(.drainRequested)
        plan(.crashCoordinator, after: draw.duration(.zero ... .seconds(2)))
    }

    /// The coordinator's process dies; of what was not on disk some may be there all the same.
    func crashCoordinator() {
        if now < pausedUntil {
            // What drains must end.
            guard coordinator.isDraining else { return }
            return plan(.crashCoordinator, after: pausedUntil - now + .milliseconds(1))
        }
        guard coordinator.isDraining || !isHealed && epoch < 8 else { return }
        sealRecords()
        if coordinator.isDrained { faults.note(.coordinatorDrained) }
        faults.note(.coordinatorCrash)
        let kept = countAfterCrash()
        let lost = journal.batches[kept...].reduce(0) { $0 + $1.records.count }
        if lost > 0 { faults.note(.recordsLost) }
        trace.add(now, "FAULT the coordinator dies, \(lost) records are lost")
        closeLinksAtDeath()
        for call in calls.values { call.isOver = true }
        goBack(to: kept)
        if let address = seats.addresses.firstIndex(where: { $0 == seat }), isShared {
            seats.addresses[address] = nil
            seats.lostAddress = address
        }
        let pause = draw.duration(.milliseconds(20) ... .seconds(3))
        pausedUntil = now + pause
        isCoordinatorDead = true
        coordinatorDue = nil
        isCoordinatorTouched = false
        coordinatorActions = []
        plan(.startCoordinator, after: pause)
    }

    /// Another process goes on with the first batches: what followed from others is forgotten.
    func goBack(to kept: Int) {
        calls = [:]
        let isUndone = kept < journal.batches.count
        for batch in journal.batches[journal.writtenCount..<kept] {
            durability.write(batch.records)
        }
        durability.restart()
        journal.cut(to: kept)
        if !isUndone {
            // All that the checkers know is on disk.
        } else if let books = journal.batches.last?.books {
            runEnds = books.runEnds
            dependencies.goBack(to: books.dependencies)
            modelCalls = books.modelCalls
            losses = books.losses
        } else {
            runEnds = RunEndChecker()
            dependencies.goBack(to: DependencyChecker())
            modelCalls = ModelCallChecker()
        }
        fold = RecordFold()
        for record in journal.batches.flatMap(\.records) { broken(fold.apply(record, at: now)) }
        numbers.goBack(to: fold.latestAttempts)
        modelCalls.loseOpenCalls()
        // Which worker refused what is forgotten with the process.
        refusals = RefusalChecker()
    }

    /// Another process goes on from what is on disk.
    func startCoordinator() {
        isCoordinatorDead = false
        findLeader()
        epoch += 1
        coordinator = CoordinatorMachine(
            configuration: Self.configuration(scenario, workerKeys.keyring, epoch: epoch),
            seed: draw.next(),
            at: now
        )
        let (runs, workers) = journal.histories
        if fold.openApprovals > 0 { faults.note(.approvalAskedAgain) }
        trace.add(now, "the coordinator starts again with \(runs.map(\.run.text))")
        let unreadable = coordinator.restore(
            runs: runs,
            workers: workers,
            at: now,
            into: &coordinatorActions
        )
        if let run = unreadable.first { broken("the records of \(run) cannot be read") }
        for run in journal.ended { coordinator.noteHistory(of: run.id, key: run.key) }
        var held: [AttemptID: String] = [:]
        for attempt in fold.heldAttempts { held[attempt] = sessions.process(of: attempt) }
        resumes.restart(held, until: now + scenario.limits.lease)
        takeUpRestored()
        if isShared { nameLeader() }
    }
}
