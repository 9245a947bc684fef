// Threads of this library: each runs a loop with one object on it, and ends when it is closed or
// when its last reference is released.
internal import UVLoop

/// An object on the loop of a thread.
protocol Closable: AnyObject, SendableMetatype {
    /// Closes its connections, and releases everything that keeps the loop alive.
    ///
    /// May be called more than once.
    func close()
}

/// A thread that ends with its last reference.
final class OwnedThread<Object: Closable>: Sendable {
    private let thread: LoopThread<Object>

    private init(_ thread: LoopThread<Object>) { self.thread = thread }

    deinit { end() }

    /// Starts a thread and waits until its object is ready.
    ///
    /// Cancelling the task closes it. If it does not become ready, the thread has ended when this
    /// throws.
    static func start(
        name: String,
        until ready: Promise<Void>,
        _ makeObject: @escaping @Sendable (EventLoop) throws -> Object
    ) async throws -> OwnedThread {
        let thread = OwnedThread(try await LoopThread.start(name: name, makeObject))
        do {
            try await withTaskCancellationHandler {
                try await ready.value
            } onCancel: {
                thread.post { $0.close() }
                ready.settle(.failure(CancellationError()))
            }
            try Task.checkCancellation()
        } catch {
            await thread.close()
            throw error
        }
        return thread
    }

    /// Passes a closure to the object; false when the thread has ended.
    @discardableResult
    func post(_ body: @escaping @Sendable (Object) -> Void) -> Bool {
        thread.post(body)
    }

    /// Closes the object and waits for the end of the thread.
    func close() async {
        end()
        await thread.ended()
    }

    /// Waits for the end of the thread.
    func ended() async {
        await thread.ended()
    }

    /// The time for connections to close; then the loop is stopped.
    private func end() {
        thread.post { $0.close() }
        thread.end(within: .seconds(1))
    }
}
