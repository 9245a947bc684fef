// A file of SQLite and its statements, with errors that say what to do. What the tables mean is not
// known here.

internal import CSQLite

/// An open file; confined to one thread at a time.
final class Database {
    let path: String
    private let raw: OpaquePointer

    init(path: String, _ access: weft_sqlite_access) throws(JournalError) {
        guard let raw = weft_sqlite_open(path, access) else {
            throw JournalError(.failed, "There is no memory to open the journal \(path).")
        }
        self.path = path
        self.raw = raw
        try check(weft_sqlite_last(raw))
    }

    deinit { weft_sqlite_close(raw) }

    /// Runs statements without values.
    func execute(_ text: String) throws(JournalError) {
        try check(weft_sqlite_execute(raw, text))
    }

    func prepare(_ text: String) throws(JournalError) -> Statement {
        guard let statement = weft_sqlite_prepare(raw, text) else { throw problem() }
        return Statement(statement, of: self)
    }

    /// The first column of the only row of a query.
    func integer(_ text: String) throws(JournalError) -> Int {
        let statement = try prepare(text)
        guard try statement.next() else { throw .damaged(path, "\(text) finds nothing") }
        return statement.integer(0)
    }

    /// Runs a body in a transaction, which is on the disk on return; if it throws, nothing changed.
    func inTransaction<Value>(
        _ body: () throws(JournalError) -> Value
    ) throws(JournalError) -> Value {
        try execute("BEGIN IMMEDIATE")
        do throws(JournalError) {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            // Some failures have ended the transaction already.
            if weft_sqlite_in_transaction(raw) { weft_sqlite_execute(raw, "ROLLBACK") }
            throw error
        }
    }

    /// How many pages the write-ahead log may have before it is copied into the file.
    static let longLog = 4_000

    /// Copies the write-ahead log into the file if it has more pages.
    func checkpoint(ifLongerThan pages: Int = longLog) throws(JournalError) {
        guard weft_sqlite_log_pages(raw) > pages else { return }
        do throws(JournalError) {
            try check(weft_sqlite_checkpoint(raw))
        } catch {
            // What was committed is in the log; the next call tries again.
            guard error.kind == .full else { throw error }
        }
    }

    func check(_ result: weft_sqlite_result) throws(JournalError) {
        switch result {
        case WEFT_SQLITE_OK, WEFT_SQLITE_ROW, WEFT_SQLITE_DONE: return
        default: throw problem()
        }
    }

    private func problem() -> JournalError {
        let detail = String(cString: weft_sqlite_message(raw))
        switch weft_sqlite_last(raw) {
        case WEFT_SQLITE_FULL:
            return JournalError(
                .full,
                "There is no room on the disk for the journal \(path) (\(detail)); free some."
            )
        case WEFT_SQLITE_DAMAGED:
            return .damaged(path, detail)
        case WEFT_SQLITE_BUSY:
            return JournalError(
                .failed,
                "Another program uses the journal \(path) (\(detail)); end it, or wait for its end."
            )
        case WEFT_SQLITE_NOT_OPENED:
            return JournalError(
                .failed,
                "The journal \(path) cannot be opened (\(detail)); its folder must exist and belong "
                    + "to the user that runs this."
            )
        case WEFT_SQLITE_NO_MEMORY:
            return JournalError(.failed, "There is no memory to use the journal \(path).")
        default:
            return JournalError(
                .failed,
                "The journal \(path) cannot be read or written (\(detail)); check its disk."
            )
        }
    }
}

/// A row of a table; columns count from 0.
protocol StoredRow {
    func integer(_ column: Int32) -> Int
    func optionalInteger(_ column: Int32) -> Int?
    func bytes(_ column: Int32) -> [UInt8]
    func optionalText(_ column: Int32) -> String?
}

extension StoredRow {
    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
}

/// A statement; its values are set, then its rows are read.
final class Statement: StoredRow {
    private let raw: OpaquePointer
    private let database: Database

    fileprivate init(_ raw: OpaquePointer, of database: Database) {
        self.raw = raw
        self.database = database
    }

    deinit { weft_sqlite_finalize(raw) }

    // MARK: - Values, from 1

    func bind(_ index: Int32, _ value: Int) { weft_sqlite_bind_integer(raw, index, Int64(value)) }

    func bind(_ index: Int32, _ value: Int?) {
        if let value { bind(index, value) } else { weft_sqlite_bind_null(raw, index) }
    }

    func bind(_ index: Int32, _ text: String?) {
        guard let text else { return weft_sqlite_bind_null(raw, index) }
        weft_sqlite_bind_text(raw, index, text, text.utf8.count)
    }

    func bind(_ index: Int32, bytes: ArraySlice<UInt8>) {
        let isBound: Void? = bytes.withContiguousStorageIfAvailable {
            weft_sqlite_bind_bytes(raw, index, $0.baseAddress, $0.count)
        }
        if isBound == nil { weft_sqlite_bind_bytes(raw, index, Array(bytes), bytes.count) }
    }

    // MARK: - Rows

    /// Runs the statement, which finds no rows.
    func run() throws(JournalError) {
        _ = try next()
        weft_sqlite_reset(raw)
    }

    /// Goes to the next row, or says that there is none; then the statement can be used again.
    func next() throws(JournalError) -> Bool {
        let result = weft_sqlite_step(raw)
        if result == WEFT_SQLITE_ROW { return true }
        do throws(JournalError) {
            try database.check(result)
        } catch {
            weft_sqlite_reset(raw)
            throw error
        }
        weft_sqlite_reset(raw)
        return false
    }

    /// Ends the rows, so that the statement can be used again.
    func reset() { weft_sqlite_reset(raw) }

    // MARK: - Columns of a row, from 0

    func integer(_ column: Int32) -> Int { Int(weft_sqlite_integer(raw, column)) }

    func optionalInteger(_ column: Int32) -> Int? {
        weft_sqlite_is_null(raw, column) ? nil : integer(column)
    }

    func bytes(_ column: Int32) -> [UInt8] {
        let count = weft_sqlite_length(raw, column)
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        weft_sqlite_copy(raw, column, &bytes)
        return bytes
    }

    func optionalText(_ column: Int32) -> String? {
        weft_sqlite_is_null(raw, column) ? nil : text(column)
    }
}

/// The checksum of bytes that belong to numbers.
func checksum(of bytes: ArraySlice<UInt8>, _ numbers: Int...) -> Int {
    var seed: UInt64 = 0
    for number in numbers { seed = weft_checksum(seed ^ UInt64(bitPattern: Int64(number)), [], 0) }
    let sum = bytes.withContiguousStorageIfAvailable {
        weft_checksum(seed, $0.baseAddress, $0.count)
    }
    return Int(Int64(bitPattern: sum ?? 0))
}
