// A thread without a loop, for calls that block for long: one after the other, in order. Not here:
// libuv's pool, which has few threads that also resolve names (EventLoop+Work).
internal import CLibuv
internal import Glibc

/// A thread that runs closures one after the other, each to its end.
public final class SerialThread: Sendable {
    private let queue: WorkQueue

    /// Starts a thread.
    ///
    /// - Parameter name: The name shown by tools that list threads; at most 15 bytes.
    /// - Throws: If the system has no thread for it.
    public init(name: String) throws(UVError) {
        queue = try WorkQueue()
        var thread = uv_thread_t()
        let body = SerialThreadBody(name: name, queue: queue)
        let argument = Unmanaged.passRetained(body)
        let result = uv_thread_create(&thread, runSerialThread, argument.toOpaque())
        guard result == 0 else {
            argument.release()
            throw UVError(code: result, operation: "start a thread")
        }
        // Nothing waits for its end; its memory goes with it.
        _ = pthread_detach(thread)
    }

    /// The thread ends after the closures that wait.
    deinit { queue.close() }

    /// Runs a closure on the thread, after those of earlier calls.
    public func run(_ body: @escaping @Sendable () -> Void) { queue.append(body) }
}

extension EventLoop {
    /// Runs a blocking function on a thread of its own and passes its value to `then`, once.
    ///
    /// Keeps the loop alive until then. Only when the loop closes first, `then` is never called,
    /// and nothing waits for the function.
    public func run<Value: Sendable>(
        on thread: SerialThread,
        _ work: @escaping @Sendable () -> Value,
        then: @escaping (Value) -> Void
    ) {
        preconditionNotClosed()
        let answer = Locked<Value?>(nil)
        let number = performed.add {
            guard let value = answer.withLock({ $0 }) else {
                preconditionFailure("work of a thread was answered without a value")
            }
            then(value)
        }
        holdMailbox()
        let mailbox = mailbox
        thread.run {
            let value = work()
            answer.withLock { $0 = value }
            mailbox.post { $0.finishPerformed(number) }
        }
    }
}

/// The closures that wait for a thread, with a semaphore that counts them.
private final class WorkQueue: @unchecked Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var isClosed = false
    }

    private let state = Locked(State())
    private let semaphore: UnsafeMutablePointer<uv_sem_t>

    init() throws(UVError) {
        semaphore = .allocate(capacity: 1)
        let result = uv_sem_init(semaphore, 0)
        guard result == 0 else {
            semaphore.deallocate()
            throw UVError(code: result, operation: "make a semaphore")
        }
    }

    deinit {
        uv_sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func append(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.waiting.append(body) }
        uv_sem_post(semaphore)
    }

    func close() {
        state.withLock { $0.isClosed = true }
        uv_sem_post(semaphore)
    }

    /// Waits until there are closures, and takes all; nil at the end.
    func next() -> [@Sendable () -> Void]? {
        while true {
            uv_sem_wait(semaphore)
            let found: (bodies: [@Sendable () -> Void], isClosed: Bool) = state.withLock { state in
                let bodies = state.waiting
                state.waiting = []
                return (bodies, state.isClosed)
            }
            if !found.bodies.isEmpty { return found.bodies }
            if found.isClosed { return nil }
        }
    }
}

/// What a new thread runs.
private final class SerialThreadBody: Sendable {
    let name: String
    let queue: WorkQueue

    init(name: String, queue: WorkQueue) {
        self.name = name
        self.queue = queue
    }

    func run() {
        weft_name_thread(name)
        while let bodies = queue.next() {
            for body in bodies { body() }
        }
    }
}

private func runSerialThread(_ argument: UnsafeMutableRawPointer?) {
    guard let argument else { return }
    Unmanaged<SerialThreadBody>.fromOpaque(argument).takeRetainedValue().run()
}
