// Why an attempt came back unused: said by the scheduler, kept in the records of a run.

/// Why an attempt that was given to a worker never ran, and another one follows at once.
public enum ReturnReason: String, Sendable, Hashable, CaseIterable {
    /// All slots of the worker are taken.
    case busy
    /// The attempt was called back before it started.
    case recalled
    /// The connection broke before the attempt reached the worker.
    case undelivered
}
