// Work off the loop: async functions and blocking functions, each answered by exactly one call
// on the loop. Not here: child processes.
internal import CLibuv

extension EventLoop {
    /// Runs async work as a `Task` and passes its value to `then` on the loop, exactly once.
    ///
    /// Keeps the loop alive until then. Cancelling cancels the task; `then` is still called, with
    /// the value that the work returns. Only when the loop closes first, `then` is never called.
    @discardableResult
    public func perform<Value: Sendable>(
        _ work: @escaping @Sendable () async -> Value,
        then: @escaping (Value) -> Void
    ) -> PerformedWork {
        assertOnLoop()
        guard phase == .open else { return PerformedWork(task: nil) }
        let answer = Locked<Value?>(nil)
        // `then` never leaves the loop: the task carries only its number.
        let number = performed.add {
            guard let value = answer.withLock({ $0 }) else {
                preconditionFailure("performed work was answered without a value")
            }
            then(value)
        }
        holdMailbox()
        let mailbox = mailbox
        let task = Task {
            let value = await work()
            answer.withLock { $0 = value }
            mailbox.post { $0.finishPerformed(number) }
        }
        performed.setTask(task, of: number)
        return PerformedWork(task: task)
    }

    /// Runs a blocking function on libuv's thread pool and passes its value to `then`, once.
    ///
    /// The pool has few threads and also resolves names. Keeps the loop alive; closing the loop
    /// waits for the work and still calls `then`.
    public func offload<Value: Sendable>(
        _ work: @escaping @Sendable () -> Value,
        then: @escaping (Value) -> Void
    ) {
        preconditionNotClosed()
        let offloaded = OffloadedWork()
        let answer = Locked<Value?>(nil)
        offloaded.work = {
            let value = work()
            answer.withLock { $0 = value }
        }
        offloaded.then = {
            guard let value = answer.withLock({ $0 }) else {
                preconditionFailure("offloaded work was answered without a value")
            }
            then(value)
        }
        let request = RequestMemory(UV_WORK, waiting: offloaded)
        let result = uv_queue_work(
            raw,
            request.bound(to: uv_work_t.self),
            runOffloaded,
            finishOffloaded
        )
        // libuv refuses only a missing function.
        precondition(result == 0, "libuv refused work for its thread pool")
    }

    func finishPerformed(_ number: Int) {
        let answer = performed.remove(number)
        releaseMailbox()
        answer?()
    }
}

/// Running async work; cancelling is a request that the work may follow.
public final class PerformedWork: Sendable {
    private let task: Task<Void, Never>?

    fileprivate init(task: Task<Void, Never>?) { self.task = task }

    /// Cancels the task; may be called from any thread, and more than once.
    public func cancel() { task?.cancel() }
}

/// The performed work of a loop that has not been answered.
struct PerformedTable {
    private struct Entry {
        var answer: () -> Void
        var task: Task<Void, Never>?
    }

    private var entries: [Int: Entry] = [:]
    private var lastNumber = 0

    mutating func add(_ answer: @escaping () -> Void) -> Int {
        lastNumber += 1
        entries[lastNumber] = Entry(answer: answer)
        return lastNumber
    }

    mutating func setTask(_ task: Task<Void, Never>, of number: Int) {
        entries[number]?.task = task
    }

    mutating func remove(_ number: Int) -> (() -> Void)? {
        entries.removeValue(forKey: number)?.answer
    }

    mutating func cancelAll() {
        for entry in entries.values { entry.task?.cancel() }
        entries = [:]
    }
}

/// One piece of offloaded work: `work` is called on the pool, everything else on the loop.
private final class OffloadedWork {
    var work: @Sendable () -> Void = {}
    var then: () -> Void = {}
}

private func runOffloaded(_ request: UnsafeMutablePointer<uv_work_t>?) {
    guard let data = request?.pointee.data else { return }
    owner(data, as: OffloadedWork.self).work()
}

private func finishOffloaded(_ request: UnsafeMutablePointer<uv_work_t>?, _: Int32) {
    guard let request else { return }
    RequestMemory.take(UnsafeMutableRawPointer(request), as: OffloadedWork.self)?.then()
}
