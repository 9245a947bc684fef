// Why an attempt is called back: said by the scheduler, kept in the records of a run.

/// Why the coordinator calls an attempt back.
public enum CancelReason: String, Sendable, Hashable, CaseIterable {
    /// The run was cancelled.
    case cancelled
    /// The attempt took longer than it may.
    case timeout
    /// It was prefetched and still waits while another worker has a free slot.
    case recalled
}
