// Forgetting runs that ended. Finding them is in JournalReading+Finding.swift.

public import Core

extension JournalFile {
    // MARK: - Forgetting

    /// Removes a run that has ended, and says whether there was one of that name.
    ///
    /// Its room is given back by ``prune(endedBefore:keepingBytes:)``.
    @discardableResult
    public func forget(_ id: RunID) throws(JournalError) -> Bool {
        guard let row = try run(id), row.ended != nil else { return false }
        try forget([row])
        return true
    }

    /// What one step of pruning did.
    public struct Pruned: Sendable, Equatable {
        /// The runs that were removed.
        public var runs: [RunID]
        /// Whether there is nothing left to do.
        public var isDone: Bool
    }

    /// Removes runs that ended before a time, in milliseconds of Unix time, and then the oldest ones
    /// until those that have ended keep at most so many bytes; gives their room back.
    ///
    /// It does a part of it that takes little time, so that other calls need not wait; call it again
    /// until it is done.
    public func prune(endedBefore time: Int?, keepingBytes: Int?) throws(JournalError) -> Pruned {
        var excess = 0
        if let keepingBytes { excess = try bytesOfEndedRuns() - keepingBytes }
        let oldest = try rows(
            where: "ended IS NOT NULL",
            nil,
            order: "ended, number",
            limit: Self.runsAtOnce
        )
        var bytes = 0
        let removed = oldest.prefix { row in
            guard excess > 0 || time.map({ row.ended ?? .max < $0 }) ?? false else { return false }
            guard bytes < Self.bytesAtOnce else { return false }
            excess -= row.bytes
            bytes += min(row.bytes, Self.largestAtOnce)
            return true
        }
        if !removed.isEmpty { try forget(Array(removed)) }
        let isEmptied = try removeRecords()
        // What is free is given back when no more is about to become free.
        if isEmptied { try database.execute("PRAGMA incremental_vacuum(\(Self.pagesAtOnce))") }
        let free = try database.integer("PRAGMA freelist_count")
        // The next of the oldest ones is to be kept, or there is none.
        let hasMore = removed.count == Self.runsAtOnce || bytes >= Self.bytesAtOnce
        let isDone = isEmptied && free == 0 && !hasMore
        // The file itself becomes smaller when the log is copied into it.
        try database.checkpoint(ifLongerThan: isDone ? 0 : Database.longLog)
        return Pruned(runs: removed.map(\.id), isDone: isDone)
    }

    private static let runsAtOnce = 256
    private static let rowsAtOnce = 32
    private static let pagesAtOnce = 2_048
    private static let bytesAtOnce = 8 << 20
    /// The records of larger runs are removed in several steps.
    private static let largestAtOnce = 1 << 20

    /// The sum is made once, as there may be many runs.
    private func bytesOfEndedRuns() throws(JournalError) -> Int {
        if let endedBytes { return endedBytes }
        let sum = "SELECT ifnull(sum(bytes), 0) FROM runs WHERE ended IS NOT NULL"
        let bytes = try database.integer(sum)
        endedBytes = bytes
        return bytes
    }

    /// Takes runs out of the table; the records of large ones follow later.
    private func forget(_ rows: [JournalRun]) throws(JournalError) {
        try database.inTransaction { () throws(JournalError) in
            for row in rows {
                try run(.deleteRun, row.number)
                if row.bytes > Self.largestAtOnce {
                    try run(.insertForgotten, row.number)
                } else {
                    let places = RunPlace.range(of: row.number)
                    try run(.deleteBatches, places.first, places.last)
                    try run(.deleteOutputs, places.first, places.last)
                }
            }
        }
        if let bytes = endedBytes { endedBytes = rows.reduce(bytes) { $0 - $1.bytes } }
    }

    private func run(_ use: Statements.Use, _ values: Int...) throws(JournalError) {
        let statement = try statements.prepared(use, database)
        for (index, value) in values.enumerated() { statement.bind(Int32(index + 1), value) }
        try statement.run()
    }

    /// Removes some records and outputs of forgotten runs, and says whether none is left.
    private func removeRecords() throws(JournalError) -> Bool {
        try database.inTransaction { () throws(JournalError) in
            var left = Self.rowsAtOnce
            let next = try database.prepare("SELECT min(number) FROM forgotten")
            while left > 0 {
                guard try next.next(), let number = next.optionalInteger(0) else { return true }
                next.reset()
                let places = RunPlace.range(of: number)
                for table in ["batches", "outputs"] where left > 0 {
                    let delete = """
                        DELETE FROM \(table) WHERE place IN (SELECT place FROM \(table)
                        WHERE place BETWEEN \(places.first) AND \(places.last) LIMIT \(left))
                        """
                    try database.execute(delete)
                    left -= try database.integer("SELECT changes()")
                }
                if left > 0 {
                    try database.execute("DELETE FROM forgotten WHERE number = \(number)")
                    left -= 1
                }
            }
            return false
        }
    }
}
