// The tables of a journal and their version: making them, and bringing those of an older version up
// to date. What a row of each is, is described in Journal.docc/Journal.md.

internal import CSQLite

enum JournalSchema {
    /// The version that this program writes.
    static let version = 1
    /// "weft" in ASCII: it tells programs that know files what this one is.
    static let applicationID = 0x7765_6674

    /// The statements that bring a file from each version to the next; version 0 is an empty file.
    static let steps = [
        """
        CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE runs(
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL,
            key TEXT NOT NULL,
            label TEXT,
            submitter TEXT,
            is_goal INTEGER NOT NULL,
            accepted INTEGER NOT NULL,
            ended INTEGER,
            status TEXT NOT NULL,
            nodes INTEGER NOT NULL,
            succeeded INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            skipped INTEGER NOT NULL,
            cancelled INTEGER NOT NULL,
            records INTEGER NOT NULL,
            bytes INTEGER NOT NULL
        );
        CREATE UNIQUE INDEX runs_by_id ON runs(id);
        CREATE INDEX runs_by_key ON runs(key);
        CREATE INDEX runs_unfinished ON runs(number) WHERE ended IS NULL;
        CREATE INDEX runs_by_end ON runs(ended, bytes) WHERE ended IS NOT NULL;
        CREATE TABLE forgotten(number INTEGER PRIMARY KEY);
        CREATE TABLE batches(
            place INTEGER PRIMARY KEY,
            count INTEGER NOT NULL,
            outside INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            body BLOB NOT NULL
        );
        CREATE TABLE outputs(
            place INTEGER PRIMARY KEY,
            checksum INTEGER NOT NULL,
            body BLOB NOT NULL
        );
        CREATE TABLE workers(
            name TEXT PRIMARY KEY,
            checksum INTEGER NOT NULL,
            document BLOB NOT NULL
        );
        """
    ]

    /// Makes the tables of a new file, or brings those of an older version up to date.
    static func prepare(
        _ database: Database,
        steps: [String] = steps
    ) throws(JournalError) {
        let found = try checkedVersion(of: database, newest: steps.count)
        guard found < steps.count else { return }
        try database.inTransaction { () throws(JournalError) in
            for step in steps[found...] { try database.execute(step) }
            try database.execute("PRAGMA application_id = \(applicationID)")
            try database.execute("PRAGMA user_version = \(steps.count)")
        }
    }

    /// The version of a file that this program can read; 0 if it is empty.
    static func checkedVersion(
        of database: Database,
        newest: Int = steps.count
    ) throws(JournalError) -> Int {
        let found = try database.integer("PRAGMA user_version")
        let pageSize = try database.integer("PRAGMA page_size")
        guard pageSize == WEFT_SQLITE_PAGE else {
            throw .damaged(database.path, "its pages have \(pageSize) bytes")
        }
        let application = try database.integer("PRAGMA application_id")
        let tables = try database.integer("SELECT count(*) FROM sqlite_schema")
        if found == 0, application == 0, tables == 0 { return 0 }
        guard application == applicationID else {
            throw JournalError(
                .failed,
                "\(database.path) is no journal of Weftline but another program's file; name another "
                    + "folder with --state."
            )
        }
        guard found >= 1 else { throw .damaged(database.path, "its version is \(found)") }
        guard found <= newest else {
            throw JournalError(
                .newerSchema,
                "The journal \(database.path) has version \(found), and this program reads versions "
                    + "up to \(newest); use the newer program that wrote it."
            )
        }
        return found
    }
}
