// Lets other threads reach a loop: closures wait in an array under a lock, and one wake-up of the
// loop runs all of them.
internal import CLibuv

/// Runs closures on a loop's thread; may be used from any thread.
public final class Mailbox: Sendable {
    /// Other threads use the handle in it only for `uv_async_send`, which any thread may call.
    private struct State: @unchecked Sendable {
        /// Nil as soon as the loop closes, so that a late post cannot touch freed memory.
        var wake: UnsafeMutablePointer<uv_async_t>?
        var waiting: [@Sendable (EventLoop) -> Void] = []
    }

    private let state = Locked(State())

    init() {}

    /// Passes a closure to the loop and returns whether it will run.
    ///
    /// Closures run in the order of their posts, each in a turn of the loop after the post.
    /// `false` means that the loop is closed; the closure is dropped. `true` means that the
    /// closure runs once, at the latest while the loop closes.
    /// Waiting posts alone do not keep a running loop from ending, but are run before it ends.
    @discardableResult
    public func post(_ body: @escaping @Sendable (EventLoop) -> Void) -> Bool {
        state.withLock { state in
            guard let wake = state.wake else { return false }
            state.waiting.append(body)
            // Later posts find the loop already woken.
            if state.waiting.count == 1 { uv_async_send(wake) }
            return true
        }
    }

    func open(_ wake: UnsafeMutablePointer<uv_async_t>) {
        state.withLock { $0.wake = wake }
    }

    /// Swaps the waiting closures with an empty array, whose capacity is reused.
    func drain(into batch: inout [@Sendable (EventLoop) -> Void]) {
        state.withLock { swap(&$0.waiting, &batch) }
    }

    /// Accepts no more posts; waiting ones can still be removed.
    func close() {
        state.withLock { $0.wake = nil }
    }
}
