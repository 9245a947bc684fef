// The coordinator's shell and its journal: records go to disk before anything that follows from them
// is done, what waits for the disk is held, and runs that have ended are read from there.

internal import CoordinatorCore
internal import Core
internal import Journal
internal import Logging
internal import Transport
internal import UVLoop

extension CoordinatorService {
    /// Goes on with the runs of the coordinator before.
    func takeUpRuns() {
        guard let journal else { return }
        journal.onWritten = { [weak self] in self?.passWritten($0) }
        journal.onProblem = { [weak self] in self?.handleJournalProblem($0) }
        let unreadable = machine.restore(
            runs: journal.unfinished,
            workers: journal.workers,
            at: now,
            into: &actions
        )
        for run in journal.ended { machine.noteHistory(of: run.id, key: run.key) }
        let count = journal.unfinished.count - unreadable.count
        if count > 0 { logger.info("runs go on", metadata: ["runs": "\(count)"]) }
        for run in unreadable {
            logger.error("a run cannot be read from the journal", metadata: ["run": "\(run)"])
        }
        journal.forgetRead()
        pruning = Timer(loop: loop) { [weak self] in self?.prune() }
        pruning?.schedule(after: .seconds(5))
        takeRecords()
        carryOut()
        armTimer()
    }

    /// Removes runs that have ended and are not kept any longer.
    private func prune() {
        journal?
            .prune(kept, at: unixMilliseconds) { [weak self] problem in
                if let problem {
                    self?.logger.warning("no room is made", metadata: ["error": "\(problem)"])
                }
                guard self?.isStopped == false else { return }
                self?.pruning?.schedule(after: .seconds(60))
            }
    }

    /// Passes new records to the journal, before anything that follows from them is done.
    func takeRecords() {
        // It may have learned while it carried out actions that it does not lead.
        guard !isStopped else { return }
        journal?.append(machine.takeRecords())
    }

    private func passWritten(_ position: Int) {
        written = position
        if isDiskFull {
            isDiskFull = false
            logger.info("the journal is written again")
            handle(.journalStalled(false))
        }
        handle(.journalWritten(upTo: position))
        for connection in exchange(&held, with: []) {
            connection.release(upTo: position)
            if connection.isHolding { held.append(connection) }
        }
    }

    func handleJournalProblem(_ problem: JournalError) {
        logger.error("the journal cannot be written", metadata: ["error": "\(problem)"])
        guard problem.kind == .full else {
            if problem.kind == .superseded { stopWithoutWord() }
            onJournalFailure?(problem)
            return
        }
        isDiskFull = true
        handle(.journalStalled(true))
    }

    /// What is sent to a connection from here on waits for the records so far.
    func hold(_ id: ConnectionID) {
        let position = machine.recordPosition
        guard position > written, let connection = connections[id] else { return }
        // One that holds something is in the list.
        if !connection.isHolding { held.append(connection) }
        connection.hold(until: position)
    }

    /// Reads a run that has ended.
    func load(_ wanted: WantedRun) {
        journal?
            .load(wanted) { [weak self] result in
                switch result {
                case .success(let records): self?.handle(.runLoaded(wanted, records))
                case .failure(let problem):
                    self?.logger.error("a run cannot be read", metadata: ["error": "\(problem)"])
                    self?.handle(.runLoaded(wanted, nil))
                }
            }
    }

    /// Reads records of a node.
    func read(_ question: NodeQuestion) {
        journal?
            .read(question, whatever: isDiskFull) { [weak self] result in
                switch result {
                case .success(let page):
                    self?.handle(.nodeRead(question, page?.records, next: page?.next))
                case .failure(let problem):
                    let error = "\(problem)"
                    self?.logger.error("a node cannot be read", metadata: ["error": "\(error)"])
                    self?.handle(.nodeRead(question, nil, next: nil))
                }
            }
    }

    func forget(_ run: RunID) {
        journal?
            .forget(run) { [logger] problem in
                logger.error("a run cannot be forgotten", metadata: ["error": "\(problem)"])
            }
    }

    /// Lists runs that have ended.
    func list(_ question: RunsQuestion) {
        journal?
            .list(question) { [weak self] result in
                switch result {
                case .success(let runs): self?.handle(.runsListed(question, runs))
                case .failure(let problem):
                    self?.logger.error("runs cannot be read", metadata: ["error": "\(problem)"])
                    self?.handle(.runsListed(question, []))
                }
            }
    }
}
