// Why an attempt came back unused: said by the scheduler, kept in the records of a run.

/// Why an attempt never ran although a worker was chosen for it; its node is ready again.
public enum ReturnReason: String, Sendable, Hashable, CaseIterable {
    /// All slots of the worker are taken.
    case busy
    /// The attempt was called back before it started.
    case recalled
    /// The attempt did not reach the worker: the connection broke, or it was taken back before it
    /// was sent.
    case undelivered
}
