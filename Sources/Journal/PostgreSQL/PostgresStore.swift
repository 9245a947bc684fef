// The journal of the coordinator that leads, in PostgreSQL: records leave in pipelines on the loop,
// each transaction fenced by the epoch; a beat tells the others that this one is there. Reading, and
// removing what is not kept, is done on a thread with a connection of its own. Not here: how a
// coordinator comes to lead (PostgresCandidate).

package import Core
internal import UVLoop

/// Writes as the leader of one epoch; confined to its loop.
package final class PostgresStore: JournalStore {
    package var onFailure: (JournalError) -> Void = { _ in }
    /// A beat that was answered lets this one lead for so long after it was sent: others begin to
    /// count when they see it, which is later.
    package private(set) var validUntil: Int64 = 0
    /// How often a coordinator has begun to lead, this time included.
    package let epoch: Int

    private let loop: EventLoop
    private let connection: PostgresConnection
    private let history: ThreadConnection<PostgresTables>
    private let lease: Duration
    private var rows: EntryRows
    private let batch: PostgresBatch
    private var beatTimer: Timer?
    private var isBeating = false
    private var isClosed = false
    private var failure: JournalError?
    /// What waits for the transaction under way.
    private var afterWriting: [() -> Void] = []
    private var isWriting = false

    /// Leads with a connection that holds the lock; `begin` follows.
    init(
        loop: EventLoop,
        connection: PostgresConnection,
        epoch: Int,
        lease: Duration
    ) throws(UVError) {
        self.loop = loop
        self.connection = connection
        self.epoch = epoch
        self.lease = lease
        let place = connection.place
        rows = EntryRows(journal: place.name)
        batch = PostgresBatch(epoch: epoch)
        history = try ThreadConnection(name: "weft-history", nil) { () throws(JournalError) in
            try PostgresTables(place, keepalive: lease)
        }
        connection.onLost = { [weak self] in self?.fail(place.superseded($0.message)) }
        beatTimer = Timer(loop: loop) { [weak self] in self?.beat {} }
    }

    /// Reads what is unfinished, after which it can be written.
    ///
    /// A first beat comes before that: this process may have been stopped since it got the lock.
    package func begin(then: @escaping (Result<JournalStart, JournalError>) -> Void) {
        beat { [self] in read(then: then) }
    }

    private func read(then: @escaping (Result<JournalStart, JournalError>) -> Void) {
        if let failure { return then(.failure(failure)) }
        history.use(on: loop) { (tables) throws(JournalError) in
            (start: try tables.start(), last: try tables.lastNumber())
        } then: { [self] result in
            if let failure { return then(.failure(failure)) }
            if case .success(let found) = result {
                rows.goOn(with: found.start.unfinished.map(\.row), after: found.last)
            }
            then(result.map(\.start))
        }
    }

    // MARK: - Leading

    private func beat(then: @escaping () -> Void) {
        beatTimer?.schedule(after: lease / 4)
        guard !isBeating, !isClosed, failure == nil else { return }
        isBeating = true
        let sent = loop.nowNanoseconds
        let query = PostgresQuery(
            text: "UPDATE weftline.leader SET beat = beat + 1 WHERE epoch = $1 RETURNING epoch",
            values: [.integer(epoch)]
        )
        connection.run([query]) { [self] result in
            isBeating = false
            switch result {
            case .success(let rows) where rows[0].count == 1:
                validUntil = sent + lease.nanosecondsRoundedUp
            case .success: fail(connection.place.superseded("another coordinator leads"))
            case .failure(let problem): fail(error(of: problem))
            }
            then()
        }
    }

    private func fail(_ problem: JournalError) {
        // A full disk refuses a beat, too; what follows from that is the lease's matter.
        guard !isClosed, failure == nil, problem.kind != .full else { return }
        failure = problem
        beatTimer?.close()
        beatTimer = nil
        connection.close()
        onFailure(problem)
    }

    /// A connection that is lost is the end of leading, as the lock is lost with it.
    private func error(of problem: PostgresProblem) -> JournalError {
        problem.isLost
            ? connection.place.superseded(connection.place.unreachable(problem.message).message)
            : connection.place.failure(problem)
    }

    // MARK: - Writing

    package func write(
        _ entries: [JournalEntry],
        then: @escaping (Result<Void, JournalError>) -> Void
    ) {
        if let failure { return loop.nextTurn { then(.failure(failure)) } }
        do throws(JournalError) {
            try rows.write(entries, to: batch)
        } catch {
            rows.discard()
            batch.discard()
            return loop.nextTurn { then(.failure(error)) }
        }
        isWriting = true
        connection.run(batch.takeQueries()) { [self] result in
            isWriting = false
            let outcome = judge(result)
            if case .success = outcome { _ = rows.confirm() } else { rows.discard() }
            if case .failure(let problem) = outcome { fail(problem) }
            then(outcome)
            for body in exchange(&afterWriting, with: []) { body() }
        }
    }

    private func judge(
        _ result: Result<[PostgresRows], PostgresProblem>
    ) -> Result<Void, JournalError> {
        switch result {
        case .success(let answers):
            guard answers.allSatisfy({ $0.count == 1 && $0[0].integer(0) == 1 }) else {
                return .failure(connection.place.superseded("another coordinator leads"))
            }
            return .success(())
        case .failure(let problem): return .failure(error(of: problem))
        }
    }

    // MARK: - History

    package func forget(_ run: RunID, then: @escaping (Result<Bool, JournalError>) -> Void) {
        // Its last record may be on the way.
        guard !isWriting else {
            return afterWriting.append { [self] in forget(run, then: then) }
        }
        let epoch = epoch
        history.use(
            on: loop,
            { (tables) throws(JournalError) in try tables.forget(run, epoch: epoch) },
            then: then
        )
    }

    package func prune(
        endedBefore time: Int?,
        keepingBytes: Int?,
        then: @escaping (Result<JournalFile.Pruned, JournalError>) -> Void
    ) {
        let epoch = epoch
        history.use(
            on: loop,
            { (tables) throws(JournalError) in
                try tables.prune(endedBefore: time, keepingBytes: keepingBytes, epoch: epoch)
            },
            then: then
        )
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any JournalReading) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    ) {
        history.use(on: loop, { (tables) throws(JournalError) in try body(tables) }, then: then)
    }

    /// The lock is free from here on, so that another coordinator leads.
    package func close(then: @escaping () -> Void) {
        isClosed = true
        beatTimer?.close()
        beatTimer = nil
        connection.close()
        // A database that does not answer is not waited for.
        guard failure == nil else { return loop.nextTurn(then) }
        history.close(on: loop, then: then)
    }
}

@available(*, unavailable)
extension PostgresStore: Sendable {}
