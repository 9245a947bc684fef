// The tables of a journal in PostgreSQL and their version, and how sessions are set up. What a row of
// each table is, is described in Journal.docc/Journal.md.

enum PostgresSchema {
    /// The version that this program writes.
    static let version = 1
    /// The two numbers of the advisory lock that the leader holds; the first one is "weft" in ASCII.
    static let lock = (first: 0x7765_6674, second: 1)
    /// How long a session waits for the lock before it asks again: while it waits, it keeps the
    /// database from clearing away old rows.
    static let longestWait = "60s"

    /// What each session needs, whatever the database has as its defaults.
    static let settings = [
        """
        SELECT set_config(name, value, false) FROM (VALUES
            ('client_min_messages', 'error'),
            ('default_transaction_isolation', 'read committed'),
            ('lock_timeout', '\(longestWait)'),
            ('statement_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),
            ('idle_in_transaction_session_timeout', '0')) AS wanted(name, value)
        WHERE current_setting(name, true) IS NOT NULL
        """,
        // A commit is on the disk when it is answered.
        """
        SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') = 'off'
        """,
    ]

    /// What lets the database notice that the process, or its host, has gone without a word.
    static func keepalives(seconds: Int) -> String {
        let pause = max(seconds / 3, 1)
        return """
            SELECT set_config('tcp_keepalives_idle', '\(seconds)', false),
                set_config('tcp_keepalives_interval', '\(pause)', false),
                set_config('tcp_keepalives_count', '3', false),
                set_config('tcp_user_timeout', '\((seconds + 3 * pause) * 1_000)', false)
            """
    }

    /// Makes the tables if there are none.
    static let preparation = """
        DO $$
        BEGIN
            PERFORM pg_advisory_xact_lock(\(lock.first), \(lock.second + 1));
            IF to_regclass('weftline.meta') IS NOT NULL THEN RETURN; END IF;
            IF to_regnamespace('weftline') IS NULL THEN CREATE SCHEMA weftline; END IF;
            CREATE TABLE weftline.runs(
                number bigint PRIMARY KEY,
                id text NOT NULL UNIQUE,
                key bytea NOT NULL,
                label bytea,
                submitter bytea,
                is_goal bigint NOT NULL,
                accepted bigint NOT NULL,
                ended bigint,
                status text NOT NULL,
                nodes bigint NOT NULL,
                succeeded bigint NOT NULL,
                failed bigint NOT NULL,
                skipped bigint NOT NULL,
                cancelled bigint NOT NULL,
                records bigint NOT NULL,
                bytes bigint NOT NULL
            );
            CREATE INDEX runs_by_key ON weftline.runs(key);
            CREATE INDEX runs_unfinished ON weftline.runs(number) WHERE ended IS NULL;
            CREATE INDEX runs_by_end ON weftline.runs(ended, number) WHERE ended IS NOT NULL;
            CREATE TABLE weftline.batches(
                place bigint PRIMARY KEY,
                count bigint NOT NULL,
                outside bigint NOT NULL,
                checksum bigint NOT NULL,
                body bytea NOT NULL
            );
            CREATE TABLE weftline.outputs(
                place bigint PRIMARY KEY,
                checksum bigint NOT NULL,
                body bytea NOT NULL
            );
            CREATE TABLE weftline.workers(
                name text PRIMARY KEY,
                checksum bigint NOT NULL,
                document bytea NOT NULL
            );
            CREATE TABLE weftline.leader(
                epoch bigint NOT NULL,
                beat bigint NOT NULL,
                session integer NOT NULL,
                lease bigint NOT NULL,
                address text NOT NULL
            );
            INSERT INTO weftline.leader VALUES(0, 0, 0, 0, '');
            CREATE TABLE weftline.meta(name text PRIMARY KEY, value bigint NOT NULL);
            INSERT INTO weftline.meta VALUES('version', \(version));
        END $$
        """

    /// The version of the tables, and how the database writes texts.
    static let versionQuery = """
        SELECT value, current_setting('server_encoding')
        FROM weftline.meta WHERE name = 'version'
        """

    /// The tables that this user may not use as it must.
    static let lackingQuery = """
        SELECT name FROM (VALUES ('runs'), ('batches'), ('outputs'), ('workers'), ('leader')) AS t(name)
        WHERE NOT (has_table_privilege('weftline.' || name, 'SELECT')
            AND has_table_privilege('weftline.' || name, 'UPDATE')
            AND (name = 'leader' OR has_table_privilege('weftline.' || name, 'INSERT'))
            AND (name = 'leader' OR has_table_privilege('weftline.' || name, 'DELETE')))
        """

    /// Checks what `versionQuery` has found.
    static func check(_ rows: PostgresRows, of place: PostgresPlace) throws(JournalError) {
        guard rows.count == 1, rows[0].integer(0) >= 1 else {
            throw place.damaged("its version cannot be read")
        }
        let found = rows[0].integer(0)
        guard found <= version else {
            throw JournalError(
                .newerSchema,
                "The journal \(place.name) has version \(found), and this program reads versions up "
                    + "to \(version); use the newer program that wrote it."
            )
        }
        guard rows[0].text(1) == "UTF8" else {
            throw JournalError(
                .failed,
                "The database of the journal \(place.name) has the encoding \(rows[0].text(1)); make "
                    + "one with ENCODING 'UTF8' (and TEMPLATE template0)."
            )
        }
    }

    /// Checks what `lackingQuery` has found.
    static func checkPrivileges(_ rows: PostgresRows, of place: PostgresPlace) throws(JournalError)
    {
        guard rows.count > 0 else { return }
        let tables = (0..<rows.count).map { "weftline." + rows[$0].text(0) }.joined(separator: ", ")
        throw JournalError(
            .failed,
            "This user may not read and write all tables of the journal \(place.name): GRANT SELECT, "
                + "INSERT, UPDATE, DELETE ON \(tables) to it, or let it own them."
        )
    }
}
