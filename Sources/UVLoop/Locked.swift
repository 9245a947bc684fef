// The only lock: a value shared by threads. Not here: posting closures to a loop (Mailbox).
internal import CLibuv

/// A value that several threads share under libuv's mutex.
///
/// The mutex is the system's, so that the thread sanitizer knows it. It does not know the mutex of
/// Swift's Synchronization, which uses its own futex, and would report false races.
public final class Locked<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<uv_mutex_t>
    private var value: Value

    /// Shares a value, which must not be used directly from now on.
    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        let result = uv_mutex_init(mutex)
        precondition(result == 0, "the system has no memory for a mutex")
    }

    deinit {
        uv_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Calls a closure with the value while no other thread has it.
    ///
    /// The closure must not lock the same value again.
    public func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        uv_mutex_lock(mutex)
        defer { uv_mutex_unlock(mutex) }
        return try body(&value)
    }
}
