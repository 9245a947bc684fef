// Threads of this library: each runs a loop with one object on it, and ends when it is closed or
// when nobody refers to it any more.
internal import UVLoop

/// What lives on a thread's loop.
protocol Resident: AnyObject, SendableMetatype {
    /// Says good-bye to everyone and lets go of everything that keeps the loop alive.
    ///
    /// May be called more than once.
    func close()
}

/// A thread that ends with its last reference.
final class ResidentThread<Home: Resident>: Sendable {
    private let thread: LoopThread<Home>

    private init(_ thread: LoopThread<Home>) { self.thread = thread }

    deinit { end() }

    /// Starts a thread and waits until what lives there is ready.
    ///
    /// Cancelling the task closes it. If it does not become ready, the thread is gone when this
    /// throws.
    static func start(
        name: String,
        until ready: Promise<Void>,
        _ makeHome: @escaping @Sendable (EventLoop) throws -> Home
    ) async throws -> ResidentThread {
        let thread = ResidentThread(try await LoopThread.start(name: name, makeHome))
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

    /// Hands a closure to the resident; false when the thread has ended.
    @discardableResult
    func post(_ body: @escaping @Sendable (Home) -> Void) -> Bool {
        thread.post(body)
    }

    /// Closes the resident and waits for the end of the thread.
    func close() async {
        end()
        await thread.ended()
    }

    /// Waits for the end of the thread.
    func ended() async {
        await thread.ended()
    }

    /// Good-byes leave within this time; what does not end by itself is cut off.
    private func end() {
        thread.post { $0.close() }
        thread.end(within: .seconds(1))
    }
}
