// Checking a whole journal: of a file the pages and the tables, every batch and output, and whether the records of
// each run can follow each other. Nothing is changed.

internal import CSQLite
public import Core
internal import Glibc
internal import Runs

/// Something that is wrong with a journal.
public struct JournalFinding: Sendable, Equatable {
    /// The run that is affected; nil if it is not one alone.
    public var run: RunID?
    /// What is wrong, in words.
    public var message: String
}

/// What is in a journal, and what is wrong with it.
public struct JournalReport: Sendable, Equatable {
    /// How many runs are whole.
    public internal(set) var runs = 0
    /// How many of them have not ended.
    public internal(set) var unfinished = 0
    /// How many records they have.
    public internal(set) var records = 0
    /// The bytes of their records and outputs.
    public internal(set) var bytes = 0
    /// How many workers' sessions are known.
    public internal(set) var workers = 0
    /// What is wrong; empty if all is well.
    public internal(set) var findings: [JournalFinding] = []
}

extension JournalFile {
    /// Reads all of a journal and reports what is in it and what is wrong.
    ///
    /// Throws only if there is no journal, or one that this program cannot read at all.
    public static func check(path: String) throws(JournalError) -> JournalReport {
        let salvage = Salvage()
        try salvage.read(path) { (_, _) throws(JournalError) in }
        return salvage.report
    }
}

extension PostgresPlace {
    /// Reads all of a journal and reports what is in it and what is wrong.
    ///
    /// Throws only if there is no journal, or one that this program cannot read at all.
    public func check() throws(JournalError) -> JournalReport {
        let salvage = Salvage()
        try salvage.read(self) { (_, _) throws(JournalError) in }
        return salvage.report
    }
}

/// Reads what can be read of a journal that may be damaged.
final class Salvage {
    private(set) var report = JournalReport()
    /// The names of the workers that could be read, with what is known of them.
    private(set) var workers: [JournalEntry] = []
    /// How often a coordinator was started with it, as far as that can be read.
    private(set) var starts = 0

    /// Reads all of a database, and calls a body with each run that is whole.
    func read(
        _ place: PostgresPlace,
        visit: (any JournalReading, JournalRun) throws(JournalError) -> Void
    ) throws(JournalError) {
        let tables = try PostgresTables(place)
        try readRows(of: tables)
        try readRuns(try tables.runNumbers(), of: tables, visit: visit)
    }

    /// Reads all of a file, and calls a body with each run that is whole.
    func read(
        _ path: String,
        visit: (any JournalReading, JournalRun) throws(JournalError) -> Void
    ) throws(JournalError) {
        guard access(path, F_OK) == 0 else {
            throw JournalError(.failed, "There is no journal \(path); --state names its folder.")
        }
        try note { () throws(JournalError) in
            try JournalFile.checkSizes(of: path)
            try checkLog(of: path)
        }
        var opened: JournalFile?
        try note { () throws(JournalError) in opened = try JournalFile(path: path, .reading) }
        guard let file = opened else { return }
        try note { () throws(JournalError) in try checkTables(of: file) }
        try readRows(of: file)
        try readRuns(try runNumbers(of: file), of: file, visit: visit)
    }

    /// What is known apart from runs.
    private func readRows(of tables: any JournalReading) throws(JournalError) {
        try note { () throws(JournalError) in
            for (name, document) in try tables.workers() {
                workers.append(.worker(name: name, document: document))
            }
            report.workers = workers.count
        }
        try note { () throws(JournalError) in starts = try tables.starts() }
    }

    private func readRuns(
        _ numbers: [Int],
        of tables: any JournalReading,
        visit: (any JournalReading, JournalRun) throws(JournalError) -> Void
    ) throws(JournalError) {
        for number in numbers {
            var whole: JournalRun?
            try note { () throws(JournalError) in whole = try checkRun(number, of: tables) }
            guard let whole else { continue }
            report.runs += 1
            report.unfinished += whole.ended == nil ? 1 : 0
            report.records += whole.records
            report.bytes += whole.bytes
            try visit(tables, whole)
        }
    }

    /// Checks the write-ahead log, to which a coordinator may be writing meanwhile.
    private func checkLog(of path: String) throws(JournalError) {
        for _ in 0..<20 {
            let before = Self.modification(of: path + "-wal")
            do throws(JournalError) {
                return try JournalFile.checkLog(of: path)
            } catch {
                // What was read of a log that changes may not fit together.
                if Self.modification(of: path + "-wal") == before { throw error }
            }
        }
    }

    private static func modification(of path: String) -> [Int] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        return [Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec), Int(status.st_size)]
    }

    /// Turns damage into a finding.
    private func note(
        _ body: () throws(JournalError) -> Void
    ) throws(JournalError) {
        do throws(JournalError) {
            try body()
        } catch {
            guard error.kind == .damaged else { throw error }
            add(error.detail, nil)
        }
    }

    private func add(_ message: String, _ run: RunID?) {
        let finding = JournalFinding(run: run, message: message)
        if !report.findings.contains(finding) { report.findings.append(finding) }
    }

    // MARK: - Tables

    private func checkTables(of file: JournalFile) throws(JournalError) {
        let check = try file.database.prepare("PRAGMA integrity_check(20)")
        while try check.next() {
            let text = check.text(0)
            if text != "ok" { add("the tables are damaged: \(text)", nil) }
        }
    }

    /// The numbers of all runs that have a row or records: from the start as far as it can be read,
    /// and from the end.
    private func runNumbers(of file: JournalFile) throws(JournalError) -> [Int] {
        var numbers: Set<Int> = []
        for (first, next) in [
            ("SELECT min(number) FROM runs", "SELECT min(number) FROM runs WHERE number > ?"),
            ("SELECT max(number) FROM runs", "SELECT max(number) FROM runs WHERE number < ?"),
            (
                "SELECT min(place) >> 32 FROM batches",
                "SELECT min(place) >> 32 FROM batches WHERE place >= (? + 1) << 32"
            ),
            (
                "SELECT max(place) >> 32 FROM batches",
                "SELECT max(place) >> 32 FROM batches WHERE place < ? << 32"
            ),
        ] {
            try note { () throws(JournalError) in
                let statement = try file.database.prepare(first)
                guard try statement.next(), var number = statement.optionalInteger(0) else {
                    return
                }
                let following = try file.database.prepare(next)
                // From the end only down to what was found from the start.
                while numbers.insert(number).inserted {
                    following.bind(1, number)
                    guard try following.next(), let found = following.optionalInteger(0) else {
                        return
                    }
                    following.reset()
                    number = found
                }
            }
        }
        return numbers.sorted()
    }

    // MARK: - Runs

    /// The row of a run whose records are all there and can follow each other; nil after a finding.
    private func checkRun(
        _ number: Int,
        of tables: any JournalReading
    ) throws(JournalError) -> JournalRun? {
        guard let row = try tables.rows(where: "number = \(number)", order: "number").first else {
            if try tables.isBeingForgotten(number) { return nil }
            add("there are records of a run number \(number) that is not in the table", nil)
            return nil
        }
        var fold = RunFold()
        do throws(JournalError) {
            try tables.forEachBatch(of: row) { (records) throws(JournalError) in
                for record in records {
                    if let problem = fold.add(record) { throw tables.damaged(row.id, problem) }
                }
            }
            _ = try tables.summary(of: row)
        } catch {
            guard error.kind == .damaged else { throw error }
            let name = "run \(row.id): "
            add(error.detail.hasPrefix(name) ? error.detail : name + error.detail, row.id)
            return nil
        }
        if let problem = fold.difference(from: row) {
            add("run \(row.id): \(problem)", row.id)
            return nil
        }
        return row
    }
}

/// The fold of records that may not fit, beside what the table of runs should say.
private struct RunFold {
    private var run: Run?
    private var row: JournalRun?
    private var count = 0

    /// Adds the next record, or says why it cannot follow.
    mutating func add(_ record: RunRecord) -> String? {
        count += 1
        guard run != nil else {
            guard case .accepted(let acceptance) = record.change else {
                return "its first record is not that of its acceptance"
            }
            run = Run(acceptance, at: .zero)
            row = JournalRun(acceptance, number: 0)
            row?.add(record)
            return nil
        }
        do throws(RunRecordError) {
            try run?.applyRead(record)
        } catch {
            return "record number \(count) does not fit: \(error)"
        }
        row?.add(record)
        return nil
    }

    /// What the table says otherwise.
    func difference(from found: JournalRun) -> String? {
        guard var expected = row else { return "it has no records" }
        expected.number = found.number
        expected.bytes = found.bytes
        return expected == found ? nil : "the table of runs says something else than its records"
    }
}
