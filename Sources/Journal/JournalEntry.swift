// What is written to a journal.

public import Core
public import JSON
public import Runs

/// One thing to write.
public enum JournalEntry: Sendable {
    /// The next record of a run.
    ///
    /// The first record of a run is that of its acceptance; after the record of its end there is
    /// none.
    case record(RunID, RunRecord)
    /// What lists say of a run that has ended; comes in the call that has its last record.
    case summary(RunID, RawJSON)
    /// What is known of the session of a worker; replaces what was known of a worker of that name.
    case worker(name: String, document: RawJSON)
    /// A worker has left for good.
    case workerLeft(name: String)
}
