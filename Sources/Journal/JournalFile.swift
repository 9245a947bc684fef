// The journal's file: opening it, and counting its starts. Writing entries is in
// JournalFile+Writing.swift, reading its rows in JournalFile+Rows.swift.

internal import CSQLite
internal import Core
internal import Glibc

/// The records of all runs in a file of SQLite; blocking, and confined to one thread at a time.
///
/// What is written is on the disk when the call returns. Several connections may have a file open;
/// one of them writes.
public final class JournalFile {
    /// What a connection is for.
    public enum Access: Sendable {
        /// Reading and writing; the file is made if there is none.
        case writing
        /// Reading only, while another connection may write.
        case reading
    }

    /// The name of the file in the state folder.
    public static let name = "journal.sqlite"

    /// Where it is.
    public let path: String
    let database: Database
    /// The rows that entries become.
    var writing: EntryRows
    /// The bytes of all runs that have ended, once they were asked for.
    var endedBytes: Int?
    /// Prepared when they are used first.
    var statements = Statements()

    /// Opens a journal, makes it if there is none, and brings an older version up to date.
    public init(path: String, _ access: Access = .writing) throws(JournalError) {
        self.path = path
        writing = EntryRows(journal: path)
        if access == .reading {
            database = try Database(path: path, WEFT_SQLITE_READ)
            guard try JournalSchema.checkedVersion(of: database) == JournalSchema.version else {
                throw JournalError(
                    .failed,
                    "The journal \(path) has an older version; start a coordinator with it once."
                )
            }
            return
        }
        try JournalRepair.refuseUnfinished(of: path)
        // Others cannot read what SQLite puts beside the file either: it has the same mode. A file
        // that exists is not opened, as closing it would end the locks of other connections.
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
        try Self.checkSizes(of: path)
        try Self.checkLog(of: path)
        database = try Database(path: path, WEFT_SQLITE_WRITE)
        try Self.configure(database)
        try JournalSchema.prepare(database)
        writing.goOn(
            with: try unfinishedRuns(),
            after: max(
                try database.integer("SELECT ifnull(max(number), 0) FROM runs"),
                try database.integer("SELECT ifnull(max(number), 0) FROM forgotten")
            )
        )
    }

    private static func configure(_ database: Database) throws(JournalError) {
        // Room of forgotten runs goes back to the system; this works only before there are tables.
        try database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        try database.execute("PRAGMA journal_mode = WAL")
        // A commit is on the disk when it returns.
        try database.execute("PRAGMA synchronous = FULL")
        try database.execute("PRAGMA journal_size_limit = \(64 << 20)")
        try database.execute("PRAGMA cache_size = -16384")
        try database.execute("PRAGMA temp_store = MEMORY")
    }

    /// Refuses files that SQLite would take for new ones, though they once were not.
    static func checkSizes(of path: String) throws(JournalError) {
        var file = stat()
        var log = stat()
        guard stat(path, &file) == 0 else { return }
        let logSize = stat(path + "-wal", &log) == 0 ? Int(log.st_size) : 0
        if file.st_size == 0, logSize > 0 {
            throw .damaged(path, "the file is empty or gone, and its write-ahead log is not")
        }
        if file.st_size > 0, file.st_size < Int(WEFT_SQLITE_PAGE) {
            throw .damaged(path, "it has only \(file.st_size) bytes")
        }
    }

    /// Refuses a write-ahead log of which SQLite would silently use a part.
    static func checkLog(of path: String) throws(JournalError) {
        switch weft_sqlite_check_log(path + "-wal") {
        case WEFT_SQLITE_LOG_WHOLE: return
        case WEFT_SQLITE_LOG_DAMAGED:
            throw .damaged(path, "its write-ahead log was changed in the middle")
        default:
            let detail = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw JournalError(.failed, "The file \(path)-wal cannot be read: \(detail).")
        }
    }

    // MARK: - Starts

    /// Counts a start of the coordinator, and returns how many there were with it.
    public func nextStart() throws(JournalError) -> Int {
        try database.inTransaction { () throws(JournalError) in
            try database.execute(
                """
                INSERT INTO meta VALUES('starts', 1)
                ON CONFLICT(name) DO UPDATE SET value = value + 1
                """
            )
            return try database.integer("SELECT value FROM meta WHERE name = 'starts'")
        }
    }
}

@available(*, unavailable)
extension JournalFile: Sendable {}
