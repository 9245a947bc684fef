// The runs that a journal has: listing them, finding one, and those that have ended as a coordinator
// needs them.

package import Core
package import JSON
package import Runs
internal import Wire

extension JournalReading {
    // MARK: - Finding

    /// The runs that were asked for, the latest first.
    package func runs(matching filter: JournalFilter) throws(JournalError) -> [JournalRun] {
        var conditions = ["TRUE"]
        if let statuses = filter.statuses {
            let names = RunStatus.allCases.filter(statuses.contains).map { "'\($0.rawValue)'" }
            conditions.append("status IN (\(names.joined(separator: ",")))")
        }
        if filter.label != nil { conditions.append("label = ?") }
        if let since = filter.since { conditions.append("accepted >= \(since)") }
        if let before = filter.before { conditions.append("number < \(before)") }
        return try rows(
            where: conditions.joined(separator: " AND "),
            filter.label,
            order: "number DESC",
            limit: max(filter.limit, 0)
        )
    }

    /// A run by its name.
    package func run(_ id: RunID) throws(JournalError) -> JournalRun? {
        try rows(where: "id = ?", id.text, order: "number", limit: 1).first
    }

    /// The latest run with an idempotency key.
    package func run(withKey key: String) throws(JournalError) -> JournalRun? {
        try rows(where: "key = ?", key, order: "number DESC", limit: 1).first
    }

    /// The runs that have not ended, in the order of their acceptance.
    package func unfinishedRuns() throws(JournalError) -> [JournalRun] {
        try rows(where: "ended IS NULL", order: "number")
    }

    // MARK: - Ended runs

    /// The name and the key of each run that has ended, in the order of their acceptance.
    package func endedRuns() throws(JournalError) -> [(id: RunID, key: String)] {
        try rows(where: "ended IS NOT NULL", order: "number").map { ($0.id, $0.key) }
    }

    /// What lists say of a run; nil if it has not ended.
    package func summary(of run: JournalRun) throws(JournalError) -> RawJSON? {
        let place = RunPlace.range(of: run.number).last
        return try output(at: place, orThrow: damaged(run.id, "what lists say of it was changed"))
    }

    /// The records of the latest run whose submission had this key, if it has ended; nil if there is
    /// none.
    package func records(ofEndedRunWithKey key: String) throws(JournalError) -> [RunRecord]? {
        guard let run = try run(withKey: key), run.ended != nil else { return nil }
        return try records(of: run.id)
    }
}
