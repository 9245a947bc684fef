// A run's row in the table of runs, as it changes with its records.

internal import Core
internal import Runs
internal import Wire

/// What is kept of a run beside its records.
struct RunRow {
    /// Its number in this file.
    var number: Int
    var id: RunID
    var key: String
    var label: String?
    var submitter: String?
    var isGoal: Bool
    /// Milliseconds of Unix time.
    var accepted: Int
    var ended: Int?
    var status = RunStatus.running
    var counts = NodeCounts()
    /// How many records it has.
    var records = 0
    /// The bytes of its records and outputs as they are written.
    var bytes = 0

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
        case .succeeded: counts.succeeded += 1
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

extension RunRow {
    /// The columns in the order of `init(reading:)`.
    static let columns = """
        number, id, key, label, submitter, is_goal, accepted, ended, status, nodes, succeeded, \
        failed, skipped, cancelled, records, bytes
        """

    /// Reads a row; nil if a value of it cannot be.
    init?(reading row: Statement) {
        guard let id = RunID(row.text(1)), let status = RunStatus(rawValue: row.text(8)),
            (status == .running) == (row.optionalInteger(7) == nil)
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
