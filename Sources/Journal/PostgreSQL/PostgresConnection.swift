// A connection to PostgreSQL on a loop: statements leave in pipelines, and nothing waits for them.
// Not here: what the statements mean; connections that block (PostgresSession).

internal import CPostgreSQL
internal import DequeModule
internal import UVLoop

/// A statement with its values.
struct PostgresQuery {
    var text: String
    var values: [PostgresValue] = []
}

/// A connection; confined to its loop.
///
/// `onReady` is called once, unless it is closed before; after success `onLost` once, unless it is
/// closed before. It keeps the loop alive until it is closed.
final class PostgresConnection {
    let place: PostgresPlace
    /// Called when the connection is lost, after each transaction under way has failed.
    var onLost: ((JournalError) -> Void)?

    private let loop: EventLoop
    private let raw: OpaquePointer
    private var source: PollSource?
    private var onReady: ((Result<PostgresConnection, JournalError>) -> Void)?
    private var deadline: Timer?
    private var transactions: Deque<Transaction> = []
    /// The names under which statements are prepared, by their text.
    private var names: [String: String] = [:]
    private var isClosed = false

    /// What was sent up to one sync.
    private struct Transaction {
        /// What is answered, in order: a name that is prepared, or nil for a statement that is run.
        var expected: Deque<String?>
        var rows: [PostgresRows] = []
        var problem: PostgresProblem?
        var then: (Result<[PostgresRows], PostgresProblem>) -> Void
    }

    /// Begins to connect; the keepalives find a dead connection within about twice that time.
    init(
        loop: EventLoop,
        place: PostgresPlace,
        keepalive: Duration,
        timeout: Duration = .seconds(10),
        onReady: @escaping (Result<PostgresConnection, JournalError>) -> Void
    ) {
        guard let raw = weft_pg_begin(place.url, Int32(max(keepalive.components.seconds, 1))) else {
            preconditionFailure("there is no memory for a connection")
        }
        self.loop = loop
        self.place = place
        self.raw = raw
        self.onReady = onReady
        deadline = Timer(loop: loop) { [self] in fail("there was no answer in time") }
        deadline?.schedule(after: timeout)
        loop.nextTurn { [self] in
            // libpq says that it wants to write first: then there is a socket.
            if !isClosed { watch() }
        }
    }

    deinit {
        if !isClosed { weft_pg_close(raw) }
    }

    /// Ends the connection, and calls nothing any more.
    ///
    /// The database learns it at once: a lock of the session is free.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        source?.close()
        source = nil
        deadline?.close()
        deadline = nil
        onReady = nil
        onLost = nil
        transactions = []
        weft_pg_close(raw)
    }

    // MARK: - Statements

    /// Runs statements in one transaction, and calls back with the rows of each, or with what is
    /// wrong with the first one that failed: then none has had an effect, unless the connection is
    /// lost.
    func run(
        _ queries: [PostgresQuery],
        then: @escaping (Result<[PostgresRows], PostgresProblem>) -> Void
    ) {
        precondition(onReady == nil && !isClosed, "a statement needs an open connection")
        var transaction = Transaction(expected: [], then: then)
        var isSent = true
        for query in queries {
            let name: String
            if let known = names[query.text] {
                name = known
            } else {
                name = "weft_\(names.count + 1)"
                names[query.text] = name
                transaction.expected.append(query.text)
                isSent = isSent && weft_pg_prepare(raw, name, query.text)
            }
            for value in query.values { value.add(to: raw) }
            transaction.expected.append(nil)
            isSent = isSent && weft_pg_run(raw, name)
        }
        isSent = isSent && weft_pg_sync(raw)
        transactions.append(transaction)
        // Problems are told in a later turn, like answers.
        guard isSent, weft_pg_flush(raw) else {
            return loop.nextTurn { [self] in loseIfOpen() }
        }
        watch()
    }

    // MARK: - The socket

    private func watch() {
        if source == nil {
            let descriptor = weft_pg_socket(raw)
            guard descriptor >= 0 else { return fail(connectingProblem()) }
            do throws(UVError) {
                source = try PollSource(loop: loop, descriptor: descriptor) { [self] _ in ready() }
            } catch {
                return fail("\(error)")
            }
        }
        var readiness: PollSource.Readiness = []
        if weft_pg_wants_read(raw) { readiness.insert(.readable) }
        if weft_pg_wants_write(raw) { readiness.insert(.writable) }
        source?.watch(readiness)
    }

    private func ready() {
        guard !isClosed else { return }
        guard onReady == nil else { return goOn() }
        guard weft_pg_flush(raw) else { return lose() }
        let isOpen = weft_pg_read(raw)
        // What has arrived before the end counts.
        let problem = isOpen ? nil : PostgresProblem(raw, isLost: true)
        receive()
        guard !isClosed else { return }
        if let problem { lose(problem) } else { watch() }
    }

    /// Goes on with connecting; libpq may close its socket and open another one.
    private func goOn() {
        source?.close()
        source = nil
        switch weft_pg_go_on(raw) {
        case WEFT_PG_WAIT: watch()
        case WEFT_PG_DONE:
            deadline?.close()
            deadline = nil
            let onReady = onReady
            self.onReady = nil
            watch()
            onReady?(.success(self))
        default: fail(connectingProblem())
        }
    }

    private func connectingProblem() -> String { PostgresProblem(raw, isLost: true).message }

    private func fail(_ detail: String) {
        guard let onReady else { return lose() }
        close()
        onReady(.failure(place.unreachable(detail)))
    }

    // MARK: - Answers

    private func receive() {
        while !isClosed, !transactions.isEmpty {
            switch weft_pg_next(raw) {
            case WEFT_PG_WAIT: return
            case WEFT_PG_DONE:
                let rows = PostgresRows(takenFrom: raw)
                guard let prepared = transactions[0].expected.popFirst() else { return lose() }
                if prepared == nil { transactions[0].rows.append(rows) }
            case WEFT_PG_SYNCED: finishTransaction()
            case WEFT_PG_FAILED:
                let problem = PostgresProblem(raw, isLost: false)
                transactions[0].problem = transactions[0].problem ?? problem
                skip()
            case WEFT_PG_SKIPPED: skip()
            default: return lose()
            }
        }
    }

    private func skip() {
        // What could not be prepared is prepared again.
        if let text = transactions[0].expected.popFirst(), let text { names[text] = nil }
    }

    private func finishTransaction() {
        let transaction = transactions.removeFirst()
        if let problem = transaction.problem {
            transaction.then(.failure(problem))
        } else {
            transaction.then(.success(transaction.rows))
        }
    }

    // MARK: - The end

    private func loseIfOpen() {
        if !isClosed { lose() }
    }

    private func lose(_ found: PostgresProblem? = nil) {
        guard !isClosed else { return }
        var problem = found ?? PostgresProblem(raw, isLost: true)
        // What the database said before the end explains it.
        if let last = transactions.first?.problem { problem.message = last.message }
        problem.isLost = true
        let (onLost, transactions) = (onLost, transactions)
        close()
        for transaction in transactions { transaction.then(.failure(problem)) }
        onLost?(place.unreachable(problem.message))
    }
}

@available(*, unavailable)
extension PostgresConnection: Sendable {}
