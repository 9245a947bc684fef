// How lines are shared out over the turns of a loop: limited, fair, in order, the end after them.
import TestKit
import Testing
import UVLoop
import Wire

@testable import Transport

@Suite("Lines that wait for their turn")
struct InboxTests {
    /// Keeps the loop busy like an expensive line.
    private func work(_ loop: EventLoop, microseconds: Int64) {
        let end = loop.nowNanoseconds + microseconds * 1_000
        while loop.nowNanoseconds < end {}
    }

    @Test("Many expensive lines let other work run in between, and none is lost")
    func leavesTheLoop() async throws {
        let (numbers, beats) = try await onLoop { loop in
            var numbers: [Int] = []
            var kept: [MessageConnection] = []
            var beats = 0
            var timer: UVLoop.Timer?
            timer = UVLoop.Timer(loop: loop) {
                beats += 1
                timer?.schedule(after: .milliseconds(1))
            }
            timer?.schedule(after: .milliseconds(1))
            try connectPair(loop) { near, far in
                let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1024)
                kept = [sender, receiver]
                receiver.start(
                    onMessage: { message in
                        guard case .ping(let ping) = message else { return }
                        numbers.append(ping.n)
                        work(loop, microseconds: 500)
                        if numbers.count == 400 { loop.stop() }
                    },
                    onViolation: { _ in },
                    onEnd: { _ in }
                )
                for number in 0..<400 { sender.send(.ping(Ping(n: number))) }
            }
            loop.run()
            timer?.close()
            for connection in kept { connection.close() }
            return (numbers, beats)
        }
        #expect(numbers == Array(0..<400))
        // 200 ms of work in one write; a share is 5 ms.
        #expect(beats >= 10)
    }

    @Test("The end of the stream comes after the waiting lines")
    func endComesLast() async throws {
        let log = try await onLoop { loop in
            var log: [Int] = []
            var kept: [MessageConnection] = []
            try connectPair(loop) { near, far in
                let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1024)
                kept = [sender, receiver]
                receiver.isPreferred = false
                receiver.start(
                    onMessage: { message in
                        guard case .ping(let ping) = message else { return }
                        log.append(ping.n)
                        work(loop, microseconds: 300)
                    },
                    onViolation: { _ in },
                    onEnd: { _ in
                        log.append(-1)
                        loop.stop()
                    }
                )
                for number in 0..<100 { sender.send(.ping(Ping(n: number))) }
                sender.closeAfterWriting()
            }
            loop.run()
            for connection in kept { connection.close() }
            return log
        }
        #expect(log == Array(0..<100) + [-1])
    }

    @Test("A preferred connection does not wait for others")
    func preferredComesFirst() async throws {
        let (before, total) = try await onLoop { loop in
            let inboxes = Inboxes(loop: loop)
            var kept: [MessageConnection] = []
            var before = 0
            var handled = 0
            func connect(
                _ isPreferred: Bool,
                _ count: Int,
                _ onMessage: @escaping () -> Void
            ) throws {
                try connectPair(loop) { near, far in
                    let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                    let receiver = MessageConnection(
                        loop: loop,
                        socket: far,
                        maximumLine: 1024,
                        inboxes: inboxes
                    )
                    receiver.isPreferred = isPreferred
                    kept += [sender, receiver]
                    receiver.start(
                        onMessage: { _ in onMessage() },
                        onViolation: { _ in },
                        onEnd: { _ in }
                    )
                    for number in 0..<count { sender.send(.ping(Ping(n: number))) }
                }
            }
            func finish() { if handled == 20 * 100 + 50 { loop.stop() } }
            for _ in 0..<20 {
                try connect(false, 100) {
                    handled += 1
                    work(loop, microseconds: 200)
                    finish()
                }
            }
            var answered = 0
            try connect(true, 50) {
                handled += 1
                answered += 1
                if answered == 50 { before = handled }
                finish()
            }
            loop.run()
            for connection in kept { connection.close() }
            return (before, handled)
        }
        #expect(total == 2_050)
        // The others have 400 ms of work; they get 20 ms a turn.
        #expect(before < 1_500)
    }

    @Test("Connections without preference take turns")
    func turnsAreFair() async throws {
        let order = try await onLoop { loop in
            let inboxes = Inboxes(loop: loop)
            var kept: [MessageConnection] = []
            var order: [Int] = []
            for number in 0..<2 {
                try connectPair(loop) { near, far in
                    let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                    let receiver = MessageConnection(
                        loop: loop,
                        socket: far,
                        maximumLine: 1024,
                        inboxes: inboxes
                    )
                    receiver.isPreferred = false
                    kept += [sender, receiver]
                    receiver.start(
                        onMessage: { _ in
                            order.append(number)
                            work(loop, microseconds: 500)
                            if order.count == 400 { loop.stop() }
                        },
                        onViolation: { _ in },
                        onEnd: { _ in }
                    )
                    for ping in 0..<200 { sender.send(.ping(Ping(n: ping))) }
                }
            }
            loop.run()
            for connection in kept { connection.close() }
            return order
        }
        let half = order.prefix(200)
        #expect(abs(half.count { $0 == 0 } - 100) <= 60)
    }
}
