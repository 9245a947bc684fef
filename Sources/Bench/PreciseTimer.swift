// A timer that is late by microseconds, where Timer is late by up to a millisecond: for
// measurements. Each uses a descriptor; without a free one it is as precise as Timer.
internal import CBench
internal import Glibc
package import UVLoop

/// Fires once at a time of the loop's clock, never early.
///
/// Lives until it is closed, and keeps the loop alive until then.
package final class PreciseTimer: OneShotTimer {
    private let loop: EventLoop
    private var onFire: (() -> Void)?
    private let descriptor: Int32
    private var source: PollSource?
    /// Used instead of the descriptor, if there is none.
    private var timer: Timer?

    /// Makes a timer that is not scheduled; without a descriptor it is as precise as ``Timer``.
    package convenience init(
        loop: EventLoop,
        usesDescriptor: Bool = true,
        onFire: @escaping () -> Void
    ) {
        let descriptor = usesDescriptor ? weft_alarm_open() : -1
        self.init(loop: loop, descriptor: descriptor, onFire: onFire)
    }

    /// A timer with this descriptor, which it owns; below zero there is none.
    private init(loop: EventLoop, descriptor: Int32, onFire: @escaping () -> Void) {
        self.loop = loop
        self.onFire = onFire
        self.descriptor = descriptor
        if descriptor >= 0 {
            source = try? PollSource(loop: loop, descriptor: descriptor) { [self] _ in
                if weft_alarm_take(descriptor) != 0 { fire() }
            }
        }
        source?.watch(.readable)
        if source == nil { timer = Timer(loop: loop) { [self] in fire() } }
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// Fires once when the duration has passed, instead of an earlier scheduling.
    package func schedule(after duration: Duration) {
        schedule(at: loop.deadline(after: max(duration, .zero)))
    }

    /// Fires once when `EventLoop.nowNanoseconds` has reached the given point.
    ///
    /// A point in the past means the next turn of the loop.
    package func schedule(at nanoseconds: Int64) {
        if source != nil {
            // Zero would turn the alarm off.
            weft_alarm_set(descriptor, max(nanoseconds, 1))
        } else {
            timer?.schedule(at: nanoseconds)
        }
    }

    /// Closes the timer; it never fires again.
    ///
    /// Calling it again does nothing.
    package func close() {
        onFire = nil
        source?.close()
        source = nil
        timer?.close()
        timer = nil
    }

    private func fire() { onFire?() }

    /// Makes such timers, as a `MakeTimer`.
    package static func make(loop: EventLoop, onFire: @escaping () -> Void) -> any OneShotTimer {
        PreciseTimer(loop: loop, onFire: onFire)
    }
}

@available(*, unavailable)
extension PreciseTimer: Sendable {}
