// Runs that have ended, as a coordinator needs them: which there are, and one of them by name or key.

public import Core
public import JSON
public import Runs
internal import Wire

extension JournalFile {
    /// The name and the key of each run that has ended, in the order of their acceptance.
    public func endedRuns() throws(JournalError) -> [(id: RunID, key: String)] {
        try rows(where: "ended IS NOT NULL", order: "number").map { ($0.id, $0.key) }
    }

    /// What lists say of a run; nil if it has not ended.
    public func summary(of run: JournalRun) throws(JournalError) -> RawJSON? {
        let place = RunPlace.range(of: run.number).last
        let statement = try statements.prepared(.output, database)
        statement.bind(1, place)
        guard try statement.next() else { return nil }
        let sum = statement.integer(0)
        let body = statement.bytes(1)[...]
        statement.reset()
        guard checksum(of: body, place) == sum, let document = try? RawJSON(validating: body) else {
            throw damaged(run.id, "what lists say of it was changed")
        }
        return document
    }

    /// The records of the latest run whose submission had this key, if it has ended; nil if there is
    /// none.
    public func records(ofEndedRunWithKey key: String) throws(JournalError) -> [RunRecord]? {
        let found = try rows(where: "key = ?", key, order: "number DESC", limit: 1)
        guard let run = found.first, run.ended != nil else { return nil }
        return try records(of: run.id)
    }
}
