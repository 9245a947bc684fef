// The statements that a journal uses often, each prepared once.

/// Statements by their use.
struct Statements {
    enum Use: Int, CaseIterable {
        case insertRun, updateRun, insertBatch, insertOutput, replaceWorker, removeWorker
        case nextBatch, output
        case deleteRun, deleteBatches, deleteOutputs, insertForgotten

        var text: String {
            switch self {
            case .insertRun:
                "INSERT INTO runs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            case .updateRun:
                """
                UPDATE runs SET ended = ?, status = ?, nodes = ?, succeeded = ?, failed = ?,
                skipped = ?, cancelled = ?, records = ?, bytes = ? WHERE number = ?
                """
            case .insertBatch: "INSERT INTO batches VALUES(?,?,?,?,?)"
            case .insertOutput: "INSERT INTO outputs VALUES(?,?,?)"
            case .replaceWorker: "REPLACE INTO workers VALUES(?,?,?)"
            case .removeWorker: "DELETE FROM workers WHERE name = ?"
            case .nextBatch:
                """
                SELECT place, count, outside, checksum, body FROM batches
                WHERE place >= ? AND place <= ? ORDER BY place LIMIT 1
                """
            case .output: "SELECT checksum, body FROM outputs WHERE place = ?"
            case .deleteRun: "DELETE FROM runs WHERE number = ?"
            case .deleteBatches: "DELETE FROM batches WHERE place >= ? AND place <= ?"
            case .deleteOutputs: "DELETE FROM outputs WHERE place >= ? AND place <= ?"
            case .insertForgotten: "INSERT INTO forgotten VALUES(?)"
            }
        }
    }

    private var prepared = [Statement?](repeating: nil, count: Use.allCases.count)

    mutating func prepared(
        _ use: Use,
        _ database: Database
    ) throws(JournalError) -> Statement {
        if let statement = prepared[use.rawValue] { return statement }
        let statement = try database.prepare(use.text)
        prepared[use.rawValue] = statement
        return statement
    }
}
