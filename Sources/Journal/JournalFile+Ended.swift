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
        return try output(at: place, orThrow: damaged(run.id, "what lists say of it was changed"))
    }

    /// The records of the latest run whose submission had this key, if it has ended; nil if there is
    /// none.
    public func records(ofEndedRunWithKey key: String) throws(JournalError) -> [RunRecord]? {
        guard let run = try run(withKey: key), run.ended != nil else { return nil }
        return try records(of: run.id)
    }
}
