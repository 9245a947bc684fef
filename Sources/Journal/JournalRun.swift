// A run's row in the table of runs, as it changes with its records; and what may be asked of the
// table.

public import Core
internal import Runs
public import Wire

/// What a journal knows of a run beside its records.
public struct JournalRun: Sendable, Equatable {
    /// Its number in the file, in the order of acceptance; see ``JournalFilter/before``.
    public internal(set) var number: Int
    /// Its name.
    public internal(set) var id: RunID
    /// The idempotency key of its submission.
    public internal(set) var key: String
    /// What people call it.
    public internal(set) var label: String?
    /// The identity that submitted it.
    public internal(set) var submitter: String?
    /// Whether a model planned it.
    public internal(set) var isGoal: Bool
    /// When it was accepted, in milliseconds of Unix time.
    public internal(set) var accepted: Int
    /// When it ended, in milliseconds of Unix time; nil if it has not.
    public internal(set) var ended: Int?
    /// How it ended, or that it goes on.
    public internal(set) var status = RunStatus.running
    /// How many nodes ended how; those that workers have are not counted.
    public internal(set) var counts = NodeCounts()
    /// How many records it has.
    public internal(set) var records = 0
    /// The bytes of its records and outputs as they are written.
    public internal(set) var bytes = 0

    /// The row of a run that was just accepted.
    init(_ acceptance: Acceptance, number: Int) {
        self.number = number
        id = acceptance.id
        key = acceptance.key
        label = acceptance.label
        submitter = acceptance.submitter
        isGoal = acceptance.goal != nil
        accepted = acceptance.unixMilliseconds
    }

    /// Counts a record.
    mutating func add(_ record: RunRecord) {
        records += 1
        switch record.change {
        case .nodesAdded(let nodes): counts.total += nodes.count
        case .joinerAdded: counts.total += 1
        case .succeeded, .takenOver: counts.succeeded += 1
        case .failed: counts.failed += 1
        case .skipped: counts.skipped += 1
        case .cancelled: counts.cancelled += 1
        case .ended(let status):
            self.status = status
            ended = accepted &+ record.at / 1_000
        default: break
        }
    }
}

/// Which runs are asked for.
public struct JournalFilter: Sendable {
    /// Only with one of these; nil for any.
    public var statuses: Set<RunStatus>?
    /// Only with this label; nil for any and none.
    public var label: String?
    /// Only those accepted at this time or later, in milliseconds of Unix time.
    public var since: Int?
    /// Only those before the run of that number: to go on after the last one of an earlier answer.
    public var before: Int?
    /// At most so many.
    public var limit: Int

    /// Asks for runs.
    public init(
        statuses: Set<RunStatus>? = nil,
        label: String? = nil,
        since: Int? = nil,
        before: Int? = nil,
        limit: Int = 100
    ) {
        self.statuses = statuses
        self.label = label
        self.since = since
        self.before = before
        self.limit = limit
    }
}

// MARK: - Rows

extension JournalRun {
    /// The columns in the order of `init(reading:)`.
    static let columns = """
        number, id, key, label, submitter, is_goal, accepted, ended, status, nodes, succeeded, \
        failed, skipped, cancelled, records, bytes
        """

    /// Reads a row; nil if a value of it cannot be.
    init?(reading row: some StoredRow) {
        guard let id = RunID(row.text(1)), let status = RunStatus(rawValue: row.text(8)),
            (status == .running) == (row.optionalInteger(7) == nil),
            (1..<RunPlace.limit / 2).contains(row.integer(0))
        else { return nil }
        number = row.integer(0)
        self.id = id
        key = row.text(2)
        label = row.optionalText(3)
        submitter = row.optionalText(4)
        isGoal = row.integer(5) != 0
        accepted = row.integer(6)
        ended = row.optionalInteger(7)
        self.status = status
        counts.total = row.integer(9)
        counts.succeeded = row.integer(10)
        counts.failed = row.integer(11)
        counts.skipped = row.integer(12)
        counts.cancelled = row.integer(13)
        records = row.integer(14)
        bytes = row.integer(15)
    }

    /// Sets the values of a new row.
    func bindNew(to statement: Statement) {
        statement.bind(1, number)
        statement.bind(2, id.text)
        statement.bind(3, key)
        statement.bind(4, label)
        statement.bind(5, submitter)
        statement.bind(6, isGoal ? 1 : 0)
        statement.bind(7, accepted)
        bindCourse(to: statement, from: 8)
    }

    /// Sets the values that change.
    func bindChanged(to statement: Statement) {
        bindCourse(to: statement, from: 1)
        statement.bind(10, number)
    }

    private func bindCourse(to statement: Statement, from first: Int32) {
        statement.bind(first, ended)
        statement.bind(first + 1, status.rawValue)
        statement.bind(first + 2, counts.total)
        statement.bind(first + 3, counts.succeeded)
        statement.bind(first + 4, counts.failed)
        statement.bind(first + 5, counts.skipped)
        statement.bind(first + 6, counts.cancelled)
        statement.bind(first + 7, records)
        statement.bind(first + 8, bytes)
    }
}
