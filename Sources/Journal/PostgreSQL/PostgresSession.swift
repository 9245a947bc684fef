// A connection to PostgreSQL on a thread of its own, whose statements block. It reads, and removes what
// is not kept; records are written by PostgresStore.

internal import CPostgreSQL

/// A connection that is used by one thread at a time.
final class PostgresSession {
    let place: PostgresPlace
    private let raw: OpaquePointer
    /// The names under which statements are prepared, by their text.
    private var names: [String: String] = [:]

    init(place: PostgresPlace, keepalive: Duration) throws(JournalError) {
        guard let raw = weft_pg_open(place.url, Int32(max(keepalive.components.seconds, 1))) else {
            throw JournalError(.failed, "There is no memory to open the journal \(place.name).")
        }
        self.place = place
        self.raw = raw
        for statement in PostgresSchema.settings { try query(statement) }
    }

    deinit { weft_pg_close(raw) }

    /// Runs a statement, and returns the rows that it finds.
    @discardableResult
    func query(
        _ text: String,
        _ values: [PostgresValue] = []
    ) throws(JournalError) -> PostgresRows {
        let name = names[text] ?? "weft_\(names.count + 1)"
        if names[text] == nil {
            try check(weft_pg_prepare_now(raw, name, text))
            names[text] = name
        }
        for value in values { value.add(to: raw) }
        try check(weft_pg_run_now(raw, name))
        return PostgresRows(takenFrom: raw)
    }

    private func check(_ outcome: weft_pg_outcome) throws(JournalError) {
        guard outcome != WEFT_PG_DONE else { return }
        throw place.failure(PostgresProblem(raw, isLost: outcome == WEFT_PG_LOST))
    }
}

@available(*, unavailable)
extension PostgresSession: Sendable {}
