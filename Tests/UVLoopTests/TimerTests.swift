// Timers and signals.
import Foundation
import Testing

@testable import UVLoop

@Suite("Timers")
struct TimerTests {
    @Test("Timers fire in the order of their deadlines")
    func order() async throws {
        let log = try await onLoop { loop in
            var log: [Int] = []
            for milliseconds in [30, 10, 20, 0, 5] {
                let timer = UVLoop.Timer(loop: loop) { log.append(milliseconds) }
                timer.schedule(after: .milliseconds(milliseconds))
            }
            loop.run()
            return log
        }
        #expect(log == [0, 5, 10, 20, 30])
    }

    @Test("A timer never fires before its point on the loop's clock, nor much too late")
    func neverEarly() async throws {
        let lateness = try await onLoop { loop in
            var lateness: [Int64] = []
            for index in 0..<300 {
                var deadline: Int64 = 0
                let timer = UVLoop.Timer(loop: loop) {
                    lateness.append(loop.nowNanoseconds - deadline)
                }
                let delay = Duration.nanoseconds(Int64(index) * 123_457)
                deadline = loop.nowNanoseconds + Int64(index) * 123_457
                if index.isMultiple(of: 2) {
                    timer.schedule(after: delay)
                } else {
                    timer.schedule(at: deadline)
                }
                // The loop's cached time gets old here, as in a busy turn.
                let busyUntil = loop.nowNanoseconds + 37_000
                while loop.nowNanoseconds < busyUntil {}
            }
            loop.run()
            return lateness
        }
        #expect(lateness.count == 300)
        #expect(lateness.allSatisfy { $0 >= 0 })
        // How late the best one is depends on units and rounding, and little on the machine.
        #expect(lateness.min() ?? .max < 500_000_000)
    }

    @Test("Scheduling again replaces the deadline, cancelling removes it")
    func rearmAndCancel() async throws {
        let (log, states) = try await onLoop { loop in
            var log: [String] = []
            var states: [Bool] = []
            let moved = UVLoop.Timer(loop: loop) { log.append("moved") }
            moved.schedule(after: .seconds(60))
            moved.schedule(after: .milliseconds(5))
            let cancelled = UVLoop.Timer(loop: loop) { log.append("cancelled") }
            cancelled.schedule(after: .milliseconds(1))
            states.append(cancelled.isScheduled)
            cancelled.cancel()
            states.append(cancelled.isScheduled)
            loop.run()
            states.append(moved.isScheduled)
            return (log, states)
        }
        #expect(log == ["moved"])
        #expect(states == [true, false, false])
    }

    @Test("A timer may schedule or close itself when it fires")
    func insideFire() async throws {
        let count = try await onLoop { loop in
            var count = 0
            var timer: UVLoop.Timer?
            timer = UVLoop.Timer(loop: loop) {
                count += 1
                if count < 3 { timer?.schedule(after: .milliseconds(1)) } else { timer?.close() }
            }
            timer?.schedule(at: 0)
            loop.run()
            timer?.schedule(after: .zero)
            timer?.close()
            loop.run()
            return count
        }
        #expect(count == 3)
    }

    @Test("Durations without end do not overflow")
    func hugeDurations() async throws {
        let isScheduled = try await onLoop { loop in
            let timer = UVLoop.Timer(loop: loop) {}
            timer.schedule(after: .seconds(Int64.max))
            timer.schedule(at: .max)
            timer.schedule(after: .seconds(Int64.min))
            timer.schedule(after: .seconds(Int64.max))
            return timer.isScheduled
        }
        #expect(isScheduled)
    }
}

@Suite("Signals", .serialized)
struct SignalTests {
    @Test("A signal arrives on the loop, and not after closing the source")
    func arrives() async throws {
        let count = try await onLoop { loop in
            var count = 0
            let source = try SignalSource(loop: loop, signal: SIGUSR2) { count += 1 }
            kill(getpid(), SIGUSR2)
            when(loop, { count > 0 }, then: loop.stop)
            loop.run()
            let other = try SignalSource(loop: loop, signal: SIGUSR2) { loop.stop() }
            source.close()
            source.close()
            kill(getpid(), SIGUSR2)
            let timer = UVLoop.Timer(loop: loop) {}
            timer.schedule(after: .seconds(60))
            loop.run()
            other.close()
            return count
        }
        #expect(count == 1)
    }

    @Test("A signal source does not keep the loop alive")
    func notAlive() async throws {
        let isDone = try await onLoop { loop in
            _ = try SignalSource(loop: loop, signal: SIGUSR2) {}
            loop.run()
            return true
        }
        #expect(isDone)
    }

    @Test("A signal that cannot be watched is an error with its name")
    func unwatchable() async throws {
        let error = try await onLoop { loop -> UVError? in
            uvError { _ = try SignalSource(loop: loop, signal: SIGKILL) {} }
        }
        #expect(error?.name == "EINVAL")
        #expect(error?.description == "watch signal 9: invalid argument (EINVAL)")
    }
}
