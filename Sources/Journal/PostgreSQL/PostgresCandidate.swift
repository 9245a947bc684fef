// How a coordinator comes to lead: it waits for an advisory lock, which the database gives to one
// session at a time, and raises the epoch. Until then it watches the leader's beat, and ends the
// session of a leader that has been silent for a lease. Not here: leading (PostgresStore).

internal import Core
package import UVLoop

/// A coordinator that wants to lead; confined to its loop, which it keeps alive until it is closed or
/// leads.
package final class PostgresCandidate {
    /// Called when another coordinator leads, with its address as far as that is known; again when it
    /// is another one.
    package var onStandby: (_ leader: String?) -> Void = { _ in }
    /// Called once: this one leads, and is closed by that.
    package var onLeading: (PostgresStore) -> Void = { _ in }
    /// Called when the journal cannot be used, before it stood by for the first time; or for good.
    package var onFailure: (JournalError) -> Void = { _ in }
    /// Called when the database is lost while it stands by; it tries again.
    package var onProblem: (JournalError) -> Void = { _ in }

    private let loop: EventLoop
    private let place: PostgresPlace
    private let lease: Duration
    private let address: String
    /// The one that waits for the lock, and will write.
    private var waiting: PostgresConnection?
    private var watching: PostgresConnection?
    private var timer: Timer?
    private var isStandby = false
    private var isClosed = false
    /// The last beat that was seen, and when it was seen first.
    private var seen: Beat?

    private struct Beat {
        var epoch: Int
        var number: Int
        var address: String
        /// After how long it is replaced: what that leader counts on, and no less.
        var lease: Duration
        var since: Int64
    }

    /// Prepares to lead, with the address that others are told, and the time after which a silent
    /// leader is replaced.
    package init(loop: EventLoop, place: PostgresPlace, lease: Duration, address: String) {
        self.loop = loop
        self.place = place
        self.lease = lease
        self.address = address
    }

    /// Begins.
    package func start() { connect() }

    /// Ends; nothing is called any more.
    package func close() {
        isClosed = true
        waiting?.close()
        waiting = nil
        watching?.close()
        watching = nil
        timer?.close()
        timer = nil
    }

    // MARK: - Connecting

    private func connect() {
        guard !isClosed else { return }
        waiting = PostgresConnection(loop: loop, place: place, keepalive: lease) {
            [self] result in
            switch result {
            case .success(let connection):
                connection.onLost = { [weak self] in self?.lose($0) }
                prepare(connection)
            case .failure(let error): lose(error)
            }
        }
    }

    /// The database is lost, or not there: a candidate that stood by has time.
    private func lose(_ error: JournalError) {
        // It may be told by what was asked, and then by the connection.
        guard !isClosed, waiting != nil || watching != nil else { return }
        guard isStandby, error.kind == .unreachable else { return fail(error) }
        waiting?.close()
        waiting = nil
        watching?.close()
        watching = nil
        seen = nil
        onProblem(error)
        schedule(after: .seconds(1)) { [self] in connect() }
    }

    private func fail(_ error: JournalError) {
        guard !isClosed else { return }
        close()
        onFailure(error)
    }

    /// Sets the session up, and makes the tables if there are none.
    private func prepare(_ connection: PostgresConnection) {
        let seconds = max(Int(lease.components.seconds), 1)
        let texts =
            PostgresSchema.settings + [
                PostgresSchema.keepalives(seconds: seconds), PostgresSchema.preparation,
                PostgresSchema.versionQuery,
            ]
        connection.run(texts.map { PostgresQuery(text: $0) }) { [self] result in
            do throws(JournalError) {
                try PostgresSchema.check(try lastRows(of: result), of: place)
                checkPrivileges(connection)
            } catch {
                lose(error)
            }
        }
    }

    private func checkPrivileges(_ connection: PostgresConnection) {
        connection.run([PostgresQuery(text: PostgresSchema.lackingQuery)]) { [self] result in
            do throws(JournalError) {
                try PostgresSchema.checkPrivileges(try lastRows(of: result), of: place)
                awaitLock(connection)
            } catch {
                lose(error)
            }
        }
    }

    private func lastRows(
        of result: Result<[PostgresRows], PostgresProblem>
    ) throws(JournalError) -> PostgresRows {
        do throws(PostgresProblem) {
            let rows = try result.get()
            return rows[rows.count - 1]
        } catch {
            throw place.failure(error)
        }
    }

    // MARK: - The lock

    /// Both statements are on the way together: with the lock comes the epoch, also if this process
    /// is stopped meanwhile.
    private func awaitLock(_ connection: PostgresConnection) {
        let lock = PostgresSchema.lock
        connection.run([
            PostgresQuery(text: "SELECT pg_advisory_lock(\(lock.first), \(lock.second))"),
            PostgresQuery(
                text: """
                    UPDATE weftline.leader SET epoch = epoch + 1, beat = beat + 1,
                        session = pg_backend_pid(), lease = $1, address = $2
                    RETURNING epoch
                    """,
                values: [.integer(lease.wholeMilliseconds), .text(address)]
            ),
        ]) { [self] result in
            guard !isClosed else { return }
            switch result {
            case .success(let rows): lead(connection, rows[1])
            // It waited for long, and waits again.
            case .failure(let problem) where problem.state == Self.lockTimeout:
                awaitLock(connection)
            case .failure(let problem): lose(place.failure(problem))
            }
        }
        // Without another leader the answer is there soon.
        if watching == nil { schedule(after: Self.patience) { [self] in watch() } }
    }

    private static let lockTimeout = "55P03"
    private static let patience = Duration.milliseconds(200)

    private func lead(_ connection: PostgresConnection, _ rows: PostgresRows) {
        guard rows.count == 1 else {
            return fail(place.damaged("the table of the leader has \(rows.count) rows"))
        }
        waiting = nil
        close()
        do throws(UVError) {
            onLeading(
                try PostgresStore(
                    loop: loop,
                    connection: connection,
                    epoch: rows[0].integer(0),
                    lease: lease
                )
            )
        } catch {
            connection.close()
            onFailure(JournalError(.failed, "\(error)"))
        }
    }

    // MARK: - Watching the leader

    private func watch() {
        watching = PostgresConnection(loop: loop, place: place, keepalive: lease) {
            [self] result in
            switch result {
            case .success(let connection):
                connection.onLost = { [weak self] in self?.lose($0) }
                check(connection)
            case .failure(let error): lose(error)
            }
        }
    }

    private func check(_ connection: PostgresConnection) {
        let query = PostgresQuery(text: "SELECT epoch, beat, lease, address FROM weftline.leader")
        connection.run([query]) { [self] result in
            guard !isClosed else { return }
            do throws(JournalError) {
                let rows = try lastRows(of: result)
                guard rows.count == 1 else {
                    throw place.damaged("the table of the leader has \(rows.count) rows")
                }
                note(rows[0], connection)
            } catch {
                lose(error)
            }
        }
    }

    private func note(_ row: PostgresRow, _ connection: PostgresConnection) {
        let beat = Beat(
            epoch: row.integer(0),
            number: row.integer(1),
            address: row.text(3),
            lease: max(lease, .milliseconds(row.integer(2))),
            since: loop.nowNanoseconds
        )
        let known = seen
        if known?.epoch != beat.epoch || known?.number != beat.number { seen = beat }
        if !isStandby || known?.address != beat.address {
            isStandby = true
            onStandby(beat.address.isEmpty ? nil : beat.address)
        }
        let silence = Duration.nanoseconds(loop.nowNanoseconds - (seen?.since ?? 0))
        if let seen, silence >= seen.lease { end(seen, connection) }
        schedule(after: lease / 8) { [self] in check(connection) }
    }

    /// Ends the session of a leader that is silent: the lock becomes free.
    ///
    /// Only if it is still that one, and still silent.
    private func end(_ beat: Beat, _ connection: PostgresConnection) {
        let lock = PostgresSchema.lock
        let query = PostgresQuery(
            text: """
                SELECT pg_terminate_backend(l.pid) FROM weftline.leader r
                JOIN pg_locks l ON l.pid = r.session
                WHERE r.epoch = $1 AND r.beat = $2 AND l.granted AND l.locktype = 'advisory'
                    AND l.classid = \(lock.first) AND l.objid = \(lock.second) AND l.objsubid = 2
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """,
            values: [.integer(beat.epoch), .integer(beat.number)]
        )
        connection.run([query]) { [self] result in
            if case .failure(let problem) = result, !isClosed, !problem.isLost {
                onProblem(place.failure(problem))
            }
        }
    }

    private func schedule(after pause: Duration, _ body: @escaping () -> Void) {
        timer?.close()
        let timer = Timer(loop: loop) { [weak self] in
            self?.timer?.close()
            self?.timer = nil
            body()
        }
        timer.schedule(after: pause)
        self.timer = timer
    }
}

@available(*, unavailable)
extension PostgresCandidate: Sendable {}
