// Why a node is tried again: said by the scheduler, kept in the records of a run, from which the
// scheduler is rebuilt after a restart.

/// Why another attempt follows; decides what it counts against.
public enum RetryCause: String, Sendable, Hashable, CaseIterable {
    /// The tool failed, or took too long: one of the node's failures.
    case failed
    /// Its worker takes nothing new.
    case refused
    /// Its worker could not start it: the attempt does not count.
    case neverRan = "never_ran"
    /// Its worker was lost with it, or did not know it.
    case workerLost = "worker_lost"
    /// Its worker ended as planned: it counts against no worker and no node.
    case workerEnded = "worker_ended"
}
