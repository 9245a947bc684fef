// Where a journal in PostgreSQL is, and what is wrong with it in words that say what to do. The
// password is in no message.

internal import CPostgreSQL

/// The database that has a journal.
public struct PostgresPlace: Sendable, Equatable {
    /// As it was given: it may have a password.
    let url: String
    /// What messages say: user, host, port and database.
    public let name: String

    /// Whether a text names a database, and not something else.
    public static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgresql://") || text.hasPrefix("postgres://")
    }

    /// Reads a URL, as libpq does.
    public init(url: String) throws(JournalError) {
        guard Self.isURL(url) else {
            throw JournalError(
                .failed,
                "A journal in a database is named postgresql://USER@HOST:PORT/DATABASE."
            )
        }
        guard weft_pg_version() > 0 else {
            throw JournalError(
                .failed,
                "A journal in PostgreSQL needs its library libpq, version 14 or newer, on this host "
                    + "(Debian: apt-get install libpq5)."
            )
        }
        var name = [CChar](repeating: 0, count: 512)
        guard weft_pg_name(url, &name, name.count) else {
            throw JournalError(
                .failed,
                "The URL of the journal cannot be read; it is written "
                    + "postgresql://USER@HOST:PORT/DATABASE, with %40 for an @ in a password and so "
                    + "on."
            )
        }
        self.url = url
        let length = name.firstIndex(of: 0) ?? name.count
        self.name = String(decoding: name[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    // MARK: - What is wrong

    func unreachable(_ detail: String) -> JournalError {
        JournalError(.unreachable, "The journal \(name) cannot be reached (\(detail)).")
    }

    func superseded(_ detail: String) -> JournalError {
        JournalError(
            .superseded,
            "This coordinator does not lead any more: \(detail). It ends at once; start it again to "
                + "stand by."
        )
    }

    func damaged(_ what: String) -> JournalError {
        JournalError(
            .damaged,
            "The journal \(name) is damaged: \(what). \"weft journal check\" says what can be read; "
                + "restore the database from a backup.",
            detail: what
        )
    }

    /// The error for a statement that failed.
    func failure(_ problem: PostgresProblem) -> JournalError {
        if problem.isLost { return unreachable(problem.message) }
        switch problem.state {
        case "53100":
            return JournalError(
                .full,
                "There is no room on the disk of the journal \(name) (\(problem.message)); free some."
            )
        case "42501":
            return JournalError(
                .failed,
                "The journal \(name) may not be used by this user (\(problem.message)): it must own "
                    + "the schema weftline with its tables, or be allowed to create it."
            )
        case "25006":
            return JournalError(
                .failed,
                "The database of the journal \(name) only reads (\(problem.message)): name the "
                    + "primary, or add ?target_session_attrs=read-write."
            )
        default:
            return JournalError(
                .failed,
                "The journal \(name) cannot be read or written (\(problem.message))."
            )
        }
    }
}

/// Why a statement failed.
struct PostgresProblem: Error, Sendable, Equatable {
    /// In words of the database, or of libpq.
    var message: String
    /// The five characters of SQLSTATE; empty if the database did not answer.
    var state: String
    /// Whether the connection is lost, so that it is not known what happened.
    var isLost: Bool

    /// What went wrong last on a connection.
    init(_ raw: OpaquePointer, isLost: Bool) {
        message = String(cString: weft_pg_message(raw))
        state = String(cString: weft_pg_state(raw))
        self.isLost = isLost
    }
}
