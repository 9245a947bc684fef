// Timers and signals.
import Foundation
import TestKit
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

    @Test("A timer never fires before its time on the loop's clock, nor much too late")
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
                // The loop's cached time becomes old here, as in a busy turn.
                let busyUntil = loop.nowNanoseconds + 37_000
                while loop.nowNanoseconds < busyUntil {}
            }
            loop.run()
            return lateness
        }
        #expect(lateness.count == 300)
        #expect(lateness.allSatisfy { $0 >= 0 })
        // The lateness of the best one depends on units and rounding, and little on the machine.
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

    @Test("A timer that is due again at once lets input in between")
    func zeroLetsInputIn() async throws {
        let (fires, hasArrived) = try await onLoop { loop in
            let hasArrived = Locked(false)
            var fires = 0
            var timer: UVLoop.Timer?
            timer = UVLoop.Timer(loop: loop) {
                fires += 1
                if fires == 1 { loop.mailbox.post { _ in hasArrived.withLock { $0 = true } } }
                // A time in the past is due at once, like no time.
                guard fires < 1000, !hasArrived.withLock({ $0 }) else { return }
                if fires.isMultiple(of: 2) {
                    timer?.schedule(at: 0)
                } else {
                    timer?.schedule(after: .zero)
                }
            }
            timer?.schedule(after: .zero)
            loop.run()
            return (fires, hasArrived.withLock { $0 })
        }
        #expect(hasArrived)
        #expect(fires == 2)
    }

    @Test("A timer due again at once can be cancelled, moved and closed before it fires")
    func zeroInsideFireIsTakenBack() async throws {
        let (log, states) = try await onLoop { loop in
            var log: [String] = []
            var states: [Bool] = []
            func make(_ name: String, _ then: @escaping (UVLoop.Timer) -> Void) {
                var timer: UVLoop.Timer?
                var isFirst = true
                timer = UVLoop.Timer(loop: loop) {
                    log.append(name)
                    guard isFirst, let timer else { return }
                    isFirst = false
                    timer.schedule(after: .zero)
                    states.append(timer.isScheduled)
                    then(timer)
                    states.append(timer.isScheduled)
                }
                timer?.schedule(after: .zero)
            }
            make("cancelled") { $0.cancel() }
            make("closed") { $0.close() }
            make("moved") { $0.schedule(after: .milliseconds(20)) }
            make("kept") { _ in }
            loop.run()
            return (log, states)
        }
        #expect(log == ["cancelled", "closed", "moved", "kept", "kept", "moved"])
        #expect(states == [true, false, true, false, true, true, true, true])
    }

    @Test("A late timer lets waiting input run first, also new connections")
    func lateTimersLetInputPass() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            var kept: [TCPConnection] = []
            let listener = try listen(loop) { connection in
                kept.append(connection)
                log.append("connection")
                connection.start(onBytes: { _ in log.append("bytes") }, onEnd: { _ in })
            }
            for (name, milliseconds) in [("first", 5), ("second", 30)] {
                UVLoop.Timer(loop: loop) {
                    log.append(name)
                    if name == "second" { loop.stop() }
                }.schedule(after: .milliseconds(milliseconds))
            }
            loop.nextTurn {
                // Like a process that was stopped while a peer connected and sent data.
                let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = in_port_t(listener.localAddress.port).bigEndian
                address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
                withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        #expect(connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0)
                    }
                }
                #expect(write(socket, "x", 1) == 1)
                let end = loop.nowNanoseconds + 80_000_000
                while loop.nowNanoseconds < end {}
            }
            loop.run()
            listener.close()
            for connection in kept { connection.close() }
            return log
        }
        #expect(log == ["connection", "bytes", "first", "second"])
    }

    @Test("Very long durations do not overflow")
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
