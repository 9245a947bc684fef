// The libuv loop: running, stopping, closing, and the thread it is confined to.
// Not here: end-of-turn hooks (EventLoop+Turns), work off the loop (EventLoop+Work), handles.
internal import CLibuv
internal import Core

/// One libuv loop, confined to the thread that made it.
///
/// Make a loop only in a synchronous `main` or on a thread of its own, never in an async function.
/// All objects of the loop are used on that thread only; debug builds check it. Other threads use
/// `mailbox`. A loop lives until it is closed.
public final class EventLoop {
    /// How other threads reach the loop.
    public let mailbox = Mailbox()

    enum Phase { case open, closing, closed }

    let raw: UnsafeMutablePointer<uv_loop_t>
    /// The buffer of every read of this loop; the bytes read are copied out of it.
    let readBuffer: UnsafeMutableRawBufferPointer
    private(set) var phase = Phase.open
    private let thread: uv_thread_t
    private let wake = HandleMemory(UV_ASYNC)
    private var mailBatch: [@Sendable (EventLoop) -> Void] = []
    private var isRunning = false
    private var isStopping = false
    private var closesAfterRunning = false
    private var mailboxHolds = 0
    var turns: Turns
    var performed = PerformedTable()
    /// Whether a timer's closure is running; a timer that is due at once then waits for the next
    /// turn.
    var isFiringTimers = false
    /// Children that have not been waited for; a closing loop waits for them briefly.
    var childrenAlive = 0

    /// Makes a loop; also lets writes to closed sockets fail instead of raising SIGPIPE.
    public init() throws(UVError) {
        ProcessTable.ignoreSIGPIPE()
        thread = uv_thread_self()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: uv_loop_size(), alignment: 16)
        raw = memory.assumingMemoryBound(to: uv_loop_t.self)
        var result = uv_loop_init(raw)
        guard result == 0 else {
            memory.deallocate()
            wake.freeUninitialized()
            throw UVError(code: result, operation: "make an event loop")
        }
        result = uv_async_init(raw, wake.async, mailArrived)
        guard result == 0 else {
            uv_loop_close(raw)
            memory.deallocate()
            wake.freeUninitialized()
            throw UVError(code: result, operation: "make an event loop's mailbox")
        }
        uv_unref(wake.handle)
        readBuffer = .allocate(byteCount: 256 << 10, alignment: 16)
        turns = Turns(loop: raw)
        // The loop's own handles point to it, so it is kept until it is closed.
        let own = Unmanaged.passRetained(self).toOpaque()
        wake.handle.pointee.data = own
        turns.setOwner(own)
        mailbox.open(wake.async)
    }

    /// Nanoseconds on the monotonic clock, read now and not cached for the turn.
    public var nowNanoseconds: Int64 { Int64(clamping: uv_hrtime()) }

    /// When so much time will have passed, in `nowNanoseconds`; never early.
    public func deadline(after duration: Duration) -> Int64 {
        (Instant(nanoseconds: nowNanoseconds) + duration).nanoseconds
    }

    /// How many child processes run.
    public var childCount: Int { childrenAlive }

    /// Whether the calling thread is the loop's.
    public var isOnLoop: Bool { uv_thread_self() == thread }

    /// Runs until `stop` is called or nothing keeps the loop alive.
    ///
    /// The loop is kept alive by scheduled timers, connections that read or write, listeners,
    /// children, performed and offloaded work. Signal sources and the mailbox do not keep it alive.
    /// The hooks at the end of a turn run once more before this returns, so that everything written
    /// is sent.
    public func run() {
        assertOnLoop()
        precondition(!isRunning, "the loop runs already")
        precondition(phase == .open, "the loop is closed")
        isRunning = true
        var hasMore = true
        while hasMore, !isStopping {
            uv_run(raw, UV_RUN_DEFAULT)
            guard !isStopping else { break }
            // A post just before the loop would end still counts as work.
            let hadMail = runMail()
            hasMore = hadMail || uv_loop_alive(raw) != 0
        }
        runTurnEnd()
        isRunning = false
        isStopping = false
        if closesAfterRunning { close() }
    }

    /// Makes `run` return after the current turn; a stop before `run` makes it return at once.
    public func stop() {
        assertOnLoop()
        guard phase == .open else { return }
        isStopping = true
        uv_stop(raw)
    }

    /// Closes every handle that is still open, and frees the loop.
    ///
    /// Accepted posts are run, performed work is cancelled and its `then` dropped, offloaded work
    /// is waited for and answered, children still alive are killed with their groups. No other
    /// callback is called. Called inside `run`, it stops the loop and closes it when `run` returns.
    /// Calling it again does nothing.
    public func close() {
        assertOnLoop()
        guard phase == .open else { return }
        if isRunning {
            closesAfterRunning = true
            stop()
            return
        }
        mailbox.close()
        // Accepted posts run while the loop is still open; if one of them closes the loop, this
        // call continues.
        isRunning = true
        runMail()
        phase = .closing
        turns.close()
        wake.closeUnowned()
        performed.cancelAll()
        closeHandles()
        readBuffer.deallocate()
        UnsafeMutableRawPointer(raw).deallocate()
        phase = .closed
        Unmanaged.passUnretained(self).release()
    }

    private func closeHandles() {
        uv_walk(raw, closeWalkedHandle, nil)
        waitForChildren(atMostMilliseconds: 2000)
        var result = UV_EBUSY.rawValue
        while result == UV_EBUSY.rawValue {
            uv_walk(raw, closeWalkedHandle, nil)
            uv_run(raw, UV_RUN_DEFAULT)
            result = uv_loop_close(raw)
        }
        precondition(result == 0, "the loop could not be closed")
    }

    /// Killed children usually end at once; waiting for them leaves no zombies.
    private func waitForChildren(atMostMilliseconds limit: Int64) {
        guard childrenAlive > 0 else { return }
        let deadline = deadline(after: .milliseconds(limit))
        let timer = Timer(loop: self) {}
        timer.schedule(at: deadline)
        while childrenAlive > 0, nowNanoseconds < deadline {
            uv_run(raw, UV_RUN_ONCE)
        }
        timer.close()
    }

    /// Runs the waiting posts and returns whether there were any.
    @discardableResult
    func runMail() -> Bool {
        var batch: [@Sendable (EventLoop) -> Void] = []
        swap(&batch, &mailBatch)
        mailbox.drain(into: &batch)
        let hadMail = !batch.isEmpty
        for body in batch { body(self) }
        batch.removeAll(keepingCapacity: batch.count <= 1024)
        swap(&batch, &mailBatch)
        return hadMail
    }

    /// Lets the mailbox keep the loop alive until `releaseMailbox`, because a post is expected.
    func holdMailbox() {
        mailboxHolds += 1
        if mailboxHolds == 1, phase == .open { uv_ref(wake.handle) }
    }

    /// Releases one hold.
    func releaseMailbox() {
        mailboxHolds -= 1
        if mailboxHolds == 0, phase == .open { uv_unref(wake.handle) }
    }

    /// Stops a debug build when an object of the loop is used on another thread.
    func assertOnLoop() {
        assert(isOnLoop, "the event loop and all that belongs to it stay on the loop's thread")
    }

    /// Stops the program when a closed loop, whose memory is freed, is used for something new.
    func preconditionNotClosed() {
        assertOnLoop()
        precondition(phase != .closed, "the loop is closed")
    }
}

@available(*, unavailable)
extension EventLoop: Sendable {}

private func mailArrived(_ handle: UnsafeMutablePointer<uv_async_t>?) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: EventLoop.self).runMail()
}
