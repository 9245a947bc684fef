// A loop on a thread of its own, for programs whose other threads are used by something else: the
// thread, the loop, and one object on it.
internal import CLibuv
internal import Glibc

/// A thread that runs one loop, with one object that is confined to it.
///
/// Threads of an async runtime must not run a loop; this gives it a real one. The object is made,
/// used and released on the thread; others reach it only through ``post(_:)``. The loop runs until
/// ``end(within:)``, even if nothing keeps it alive.
public final class LoopThread<Object: AnyObject>: Sendable {
    private let mailbox: Mailbox
    private let confined: LoopConfined<Object>
    private let ending: Ending

    private init(mailbox: Mailbox, confined: LoopConfined<Object>, ending: Ending) {
        self.mailbox = mailbox
        self.confined = confined
        self.ending = ending
    }

    /// Starts a thread, makes a loop and the object on it, and runs the loop.
    ///
    /// - Parameters:
    ///   - name: The name shown by tools that list threads; at most 15 bytes.
    ///   - makeObject: Called once on the new thread.
    /// - Returns: The running thread.
    /// - Throws: `UVError` if there can be no thread or loop, or the error of `makeObject`. The
    ///   thread has ended then.
    public static func start(
        name: String,
        _ makeObject: @escaping @Sendable (EventLoop) throws -> Object
    ) async throws -> LoopThread<Object> {
        // The thread passes its result through a lock; the continuation only signals that it is
        // there.
        let answer = Locked<Result<LoopThread<Object>, any Error>?>(nil)
        await withCheckedContinuation { continuation in
            let ending = Ending()
            let body = ThreadBody {
                weft_name_thread(name)
                let failure = run(makeObject, ending) { thread in
                    answer.withLock { $0 = .success(thread) }
                    continuation.resume()
                }
                ending.finish()
                guard let failure else { return }
                answer.withLock { $0 = .failure(failure) }
                continuation.resume()
            }
            do throws(UVError) {
                try ending.start(body)
            } catch {
                answer.withLock { $0 = .failure(error) }
                continuation.resume()
            }
        }
        guard let started = answer.withLock({ $0 }) else {
            preconditionFailure("a thread was started without an answer")
        }
        return try started.get()
    }

    /// The whole life of the loop; everything of it is released on return.
    private static func run(
        _ makeObject: (EventLoop) throws -> Object,
        _ ending: Ending,
        onStart: (LoopThread<Object>) -> Void
    ) -> (any Error)? {
        do {
            let loop = try EventLoop()
            defer { loop.close() }
            let confined = LoopConfined(try makeObject(loop))
            loop.holdMailbox()
            onStart(LoopThread(mailbox: loop.mailbox, confined: confined, ending: ending))
            loop.run()
            loop.close()
            confined.object = nil
            return nil
        } catch {
            return error
        }
    }

    /// Passes a closure to the object and returns whether it will run.
    ///
    /// Closures run in the order of their posts, on the thread. `false` means that the loop has
    /// ended; the closure is dropped.
    @discardableResult
    public func post(_ body: @escaping @Sendable (Object) -> Void) -> Bool {
        mailbox.post { [confined] _ in
            if let object = confined.object { body(object) }
        }
    }

    /// Lets the loop end when nothing keeps it alive any more, at the latest after the grace
    /// period.
    ///
    /// Earlier posts still run. Calling it again does nothing.
    public func end(within grace: Duration) {
        mailbox.post { [confined] loop in
            guard !confined.isEnding else { return }
            confined.isEnding = true
            loop.releaseMailbox()
            let limit = Timer(loop: loop) { loop.stop() }
            limit.detachFromLoopLife()
            limit.schedule(after: grace)
        }
    }

    /// Waits until the loop is closed, the object is released and the thread has ended, including
    /// all thread-specific data of libraries.
    public func ended() async {
        await ending.wait()
    }
}

/// The data that only the loop's thread reads and writes; others hold a reference to it.
private final class LoopConfined<Object: AnyObject>: @unchecked Sendable {
    var object: Object?
    var isEnding = false

    init(_ object: Object) { self.object = object }
}

/// The end of a thread, for any number of tasks that wait for it.
private final class Ending: Sendable {
    private struct State {
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())
    /// The thread, until it is joined.
    private let thread = Locked<uv_thread_t?>(nil)

    /// A thread that was not awaited frees its memory when it returns.
    deinit {
        thread.withLock { if let thread = $0 { _ = pthread_detach(thread) } }
    }

    /// Starts the thread that will call `finish` as its last action.
    func start(_ body: ThreadBody) throws(UVError) {
        // Locked until the thread is stored: it may run, end and be awaited before that.
        let result = thread.withLock { thread in
            var started = uv_thread_t()
            let argument = Unmanaged.passRetained(body)
            let result = uv_thread_create(&started, runThreadBody, argument.toOpaque())
            if result == 0 { thread = started } else { argument.release() }
            return result
        }
        guard result == 0 else { throw UVError(code: result, operation: "start a thread") }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiters.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
        // Only thread-specific data of libraries is still to be freed: this does not wait for our
        // own code.
        thread.withLock { thread in
            guard var ending = thread else { return }
            uv_thread_join(&ending)
            thread = nil
        }
    }

    func finish() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

/// The work of a new thread, kept alive from the thread's start to its end.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThreadBody(_ argument: UnsafeMutableRawPointer?) {
    guard let argument else { return }
    Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
}
