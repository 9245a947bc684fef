// One-shot timers that are never early: libuv counts whole milliseconds on a clock that is cached
// for each turn. A shell keeps one timer for the next of many deadlines.
internal import CLibuv

/// A timer that fires once per scheduling, on the loop.
///
/// After a pause of the whole process, such as by SIGSTOP, all waiting input is handled before
/// timers fire.
///
/// Lives until it is closed, even without references to it.
public final class Timer {
    private let loop: EventLoop
    private let memory = HandleMemory(UV_TIMER)
    private var onFire: (() -> Void)?
    /// Called when the loop closes the timer, for owners whose only handle is a timer.
    var onLoopClosing: (() -> Void)?
    private var isClosed = false
    /// Set if it is due at once but was scheduled while timers fire; the number identifies this
    /// scheduling.
    private var rearming: Int?
    private var rearmings = 0
    /// When it is due on libuv's clock, in milliseconds.
    private var due: UInt64 = 0
    /// How many times it was late and let the loop read its input first.
    private var roundsOfInput = 0

    /// A timer that is this late fires after more rounds of input: the process was paused, and
    /// input that the timer waits for may have arrived long ago.
    private static let toleratedMilliseconds: UInt64 = 20
    /// One round accepts connections, the next one reads what was sent over them.
    private static let roundsOfInputWhenLate = 2

    /// Makes a timer that is not scheduled.
    public init(loop: EventLoop, onFire: @escaping () -> Void) {
        loop.preconditionNotClosed()
        self.loop = loop
        self.onFire = onFire
        uv_timer_init(loop.raw, memory.timer)
        memory.retain(self)
    }

    /// Whether the timer will fire; false again from the moment it fires.
    public var isScheduled: Bool {
        loop.assertOnLoop()
        return !isClosed && (rearming != nil || uv_is_active(memory.handle) != 0)
    }

    /// Fires once when the time has passed, rounded up to whole milliseconds.
    ///
    /// Replaces an earlier scheduling. Zero or less means the next turn of the loop.
    public func schedule(after duration: Duration) {
        loop.assertOnLoop()
        guard duration > .zero else { return start(milliseconds: 0) }
        schedule(at: loop.deadline(after: duration))
    }

    /// Fires once when `EventLoop.nowNanoseconds` has reached the given point.
    ///
    /// Replaces an earlier scheduling. A point in the past means the next turn of the loop.
    public func schedule(at nanoseconds: Int64) {
        loop.assertOnLoop()
        guard nanoseconds > loop.nowNanoseconds else { return start(milliseconds: 0) }
        // libuv fires when its clock, in whole milliseconds and never ahead of ours, has reached
        // its cached time plus the given delay. The delay is counted from the same cached time, so
        // the age of the cache does not matter.
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let due = UInt64(whole) + (rest > 0 ? 1 : 0)
        if isClosed { return }
        let cached = uv_now(loop.raw)
        start(milliseconds: due > cached ? due - cached : 0)
    }

    /// Does not fire any more until scheduled again.
    public func cancel() {
        loop.assertOnLoop()
        guard !isClosed else { return }
        rearming = nil
        uv_timer_stop(memory.timer)
    }

    /// Closes the timer; it never fires again.
    ///
    /// Calling it again does nothing.
    public func close() {
        loop.assertOnLoop()
        guard !isClosed else { return }
        isClosed = true
        rearming = nil
        onFire = nil
        onLoopClosing = nil
        memory.close()
    }

    /// Lets the loop end although the timer is scheduled.
    public func detachFromLoopLife() { uv_unref(memory.handle) }

    private func start(milliseconds: UInt64) {
        guard !isClosed else { return }
        rearming = nil
        roundsOfInput = 0
        let (due, overflow) = uv_now(loop.raw).addingReportingOverflow(milliseconds)
        self.due = overflow ? .max : due
        if milliseconds == 0, loop.isFiringTimers {
            fireAfterInput()
        } else {
            uv_timer_start(memory.timer, timerFired, milliseconds, 0)
        }
    }

    /// Lets the loop read its input once before the timer fires.
    ///
    /// libuv continues to fire while any timer is due, so one that is due again at once would come
    /// before all input. Deferred closures run after the timers of a turn.
    private func fireAfterInput() {
        uv_timer_stop(memory.timer)
        rearmings += 1
        let number = rearmings
        rearming = number
        loop.nextTurn { [self] in
            guard rearming == number else { return }
            rearming = nil
            uv_timer_start(memory.timer, timerFired, 0, 0)
        }
    }

    private var isLate: Bool {
        let now = uv_now(loop.raw)
        return now > due && now - due > Self.toleratedMilliseconds
    }

    fileprivate func fire() {
        guard loop.phase == .open else { return }
        if roundsOfInput < Self.roundsOfInputWhenLate, isLate {
            roundsOfInput += 1
            return fireAfterInput()
        }
        loop.isFiringTimers = true
        onFire?()
        loop.isFiringTimers = false
    }
}

extension Timer: HandleOwner {
    func closeWithLoop() {
        let onLoopClosing = onLoopClosing
        close()
        onLoopClosing?()
    }
}

@available(*, unavailable)
extension Timer: Sendable {}

/// A timer that fires once per scheduling, of any precision.
public protocol OneShotTimer: AnyObject {
    /// Fires once when the time has passed; replaces an earlier scheduling.
    func schedule(after duration: Duration)

    /// Fires once when `EventLoop.nowNanoseconds` has reached the given point.
    func schedule(at nanoseconds: Int64)

    /// Closes the timer; it never fires again.
    func close()
}

extension Timer: OneShotTimer {}

/// Makes a timer on a loop, not scheduled, that calls the closure when it fires.
public typealias MakeTimer = (EventLoop, @escaping () -> Void) -> any OneShotTimer

private func timerFired(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: Timer.self).fire()
}
