// A timer that keeps fractions of a millisecond, which libuv's timers do not: what waits 20 ms and
// is started anew the moment it ends would wait 21 each time. Not here: queues of deadlines.
internal import CLibuv
internal import Glibc

/// A timer that fires once per scheduling, some microseconds after its point and never before.
///
/// It takes a descriptor; where the system has none to give, it counts whole milliseconds as
/// ``Timer`` does. Keeps the loop alive while scheduled. Whoever has it closes it.
public final class PreciseTimer {
    private enum Source {
        case descriptor(Int32, PollSource)
        case timer(Timer)
    }

    private var source: Source?
    private var onFire: (() -> Void)?

    /// Makes a timer that is not scheduled.
    public init(loop: EventLoop, onFire: @escaping () -> Void) {
        self.onFire = onFire
        let descriptor = weft_timer_descriptor()
        if descriptor >= 0 {
            let poll = try? PollSource(loop: loop, descriptor: descriptor) { [weak self] _ in
                self?.fire()
            }
            if let poll {
                source = .descriptor(descriptor, poll)
                return
            }
            Glibc.close(descriptor)
        }
        source = .timer(Timer(loop: loop) { [weak self] in self?.fire() })
    }

    deinit { close() }

    /// Fires once when `EventLoop.nowNanoseconds` has reached the given point, at once if it has.
    ///
    /// Replaces an earlier scheduling.
    public func schedule(at nanoseconds: Int64) {
        switch source {
        case .descriptor(let descriptor, let poll):
            weft_arm_timer(descriptor, max(nanoseconds, 1))
            poll.watch(.readable)
        case .timer(let timer): timer.schedule(at: nanoseconds)
        case nil: break
        }
    }

    /// Does not fire any more until scheduled again.
    public func cancel() {
        switch source {
        case .descriptor(let descriptor, let poll):
            weft_arm_timer(descriptor, 0)
            poll.watch([])
        case .timer(let timer): timer.cancel()
        case nil: break
        }
    }

    /// Gives the timer back; it never fires again.
    ///
    /// Calling it again does nothing.
    public func close() {
        switch source {
        case .descriptor(let descriptor, let poll):
            poll.close()
            Glibc.close(descriptor)
        case .timer(let timer): timer.close()
        case nil: break
        }
        source = nil
        onFire = nil
    }

    private func fire() {
        cancel()
        onFire?()
    }
}

@available(*, unavailable)
extension PreciseTimer: Sendable {}
