// What a coordinator reads of a journal at its start.

package import Core
package import JSON
package import Runs

/// What is unfinished, and what has ended.
package struct JournalStart: Sendable {
    /// How often a coordinator was started with the journal, or has begun to lead with it.
    package var starts: Int
    /// Runs that have not ended, in the order of their acceptance.
    package var unfinished: [(row: JournalRun, records: [RunRecord])]
    /// The name and the key of each run that has ended.
    package var ended: [(id: RunID, key: String)]
    /// What is known of the workers' sessions, by name.
    package var workers: [String: RawJSON]
}

extension JournalReading {
    /// Reads what a coordinator needs at its start.
    package func start() throws(JournalError) -> JournalStart {
        var start = JournalStart(starts: try starts(), unfinished: [], ended: [], workers: [:])
        for row in try unfinishedRuns() {
            var records: [RunRecord] = []
            try forEachBatch(of: row) { records += $0 }
            start.unfinished.append((row, records))
        }
        for (name, document) in try workers() { start.workers[name] = document }
        start.ended = try endedRuns()
        return start
    }
}
