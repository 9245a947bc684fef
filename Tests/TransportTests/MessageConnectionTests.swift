// Messages over real sockets: order, collecting, violations, closing.
import TestKit
import Testing
import UVLoop
import Wire

@testable import Transport

/// The messages that arrived at one end, in order.
private final class Inbox {
    var messages: [Message] = []
    var violations: [ErrorCode] = []
    var ends = 0

    func start(_ connection: MessageConnection, onChange: @escaping () -> Void) {
        connection.start(
            onMessage: { [self] message in
                messages.append(message)
                onChange()
            },
            onViolation: { [self] error in
                violations.append(error.code)
                onChange()
            },
            onEnd: { [self] _ in
                ends += 1
                onChange()
            }
        )
    }
}

private func pings(_ range: Range<Int>) -> [Message] {
    range.map { .ping(Ping(n: $0)) }
}

@Suite("Connections that carry messages")
struct MessageConnectionTests {
    @Test("Messages arrive once and in order, and leave when the turn ends")
    func arriveInOrder() async throws {
        let received = try await onLoop { loop in
            let inbox = Inbox()
            var kept: [MessageConnection] = []
            try connectPair(loop) { near, far in
                let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1024)
                kept = [sender, receiver]
                inbox.start(receiver) {
                    if inbox.messages.count == 1000 { loop.stop() }
                }
                for message in pings(0..<1000) { sender.send(message) }
                #expect(sender.unsentBytes > 1000)
                // The first closure still runs in this turn, before it ends.
                loop.nextTurn { loop.nextTurn { #expect(sender.unsentBytes == 0) } }
            }
            loop.run()
            for connection in kept { connection.close() }
            return inbox.messages
        }
        #expect(received == pings(0..<1000))
    }

    @Test("What is held leaves when it is released, part by part, and before the connection closes")
    func holdsAndReleases() async throws {
        let received = try await onLoop { loop in
            let inbox = Inbox()
            var kept: [MessageConnection] = []
            try connectPair(loop) { near, far in
                let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1024)
                kept = [sender, receiver]
                let messages = pings(0..<4)
                inbox.start(receiver) {
                    switch inbox.messages.count {
                    case 1: sender.release(upTo: 5)
                    case 2:
                        #expect(sender.isHolding)
                        sender.closeAfterWriting()
                        sender.release(upTo: 9)
                    case 4: loop.stop()
                    default: break
                    }
                }
                sender.send(messages[0])
                sender.hold(until: 5)
                sender.send(messages[1])
                sender.hold(until: 9)
                sender.send(messages[2])
                sender.send(messages[3])
            }
            loop.run()
            for connection in kept { connection.close() }
            return inbox.messages
        }
        #expect(received == pings(0..<4))
    }

    @Test("A message sent by a hook after that of the outboxes leaves before the loop waits")
    func lateMessagesLeave() async throws {
        let received = try await onLoop { loop in
            let inbox = Inbox()
            var kept: [MessageConnection] = []
            let outboxes = Outboxes(loop: loop)
            var pending: [Message] = []
            loop.onTurnEnd {
                for message in pending { kept[0].send(message) }
                pending = []
            }
            try connectPair(loop) { near, far in
                kept = [near, far].map {
                    MessageConnection(
                        loop: loop,
                        socket: $0,
                        maximumLine: 1024,
                        outboxes: outboxes
                    )
                }
                inbox.start(kept[1]) {
                    let count = inbox.messages.count
                    // Each one is requested only when the previous one has arrived.
                    pending = pings(count..<count + 1)
                    if count == 20 { loop.stop() }
                }
                pending = pings(0..<1)
            }
            loop.run()
            for connection in kept { connection.close() }
            return inbox.messages
        }
        #expect(received == pings(0..<20))
    }

    @Test("Reports a bad line, and delivers the next one")
    func reportsViolations() async throws {
        let (messages, violations) = try await onLoop { loop in
            let inbox = Inbox()
            var kept: MessageConnection?
            try connectPair(loop) { near, far in
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1024)
                kept = receiver
                inbox.start(receiver) {
                    if inbox.messages.count == 2 { loop.stop() }
                }
                let lines = """
                    {"type":"ping","n":0}
                    hello
                    {"type":"ping"}
                    {"type":"teleport"}
                    {"type":"ping","n":1}

                    """
                var bytes = Array(lines.utf8)
                near.write(&bytes)
            }
            loop.run()
            kept?.close()
            return (inbox.messages, inbox.violations)
        }
        #expect(messages == pings(0..<2))
        #expect(violations == [.badJSON, .badMessage, .unknownType])
    }

    @Test("Reads nothing after an over-long line, even if the limit grows")
    func stopsAfterLongLine() async throws {
        let (messages, violations) = try await onLoop { loop in
            let inbox = Inbox()
            var kept: MessageConnection?
            try connectPair(loop) { near, far in
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 64)
                kept = receiver
                inbox.start(receiver) {
                    guard !inbox.violations.isEmpty else { return }
                    receiver.maximumLine = 1 << 20
                    receiver.resumeReading()
                    var more = Array("{\"type\":\"ping\",\"n\":2}\n".utf8)
                    near.write(&more)
                    let pause = Timer(loop: loop) { loop.stop() }
                    pause.schedule(after: .milliseconds(20))
                }
                let padding = String(repeating: " ", count: 64)
                var bytes = Array(
                    "{\"type\":\"ping\",\"n\":0}\n{\(padding)}\n{\"type\":\"ping\",\"n\":1}\n".utf8
                )
                near.write(&bytes)
            }
            loop.run()
            kept?.close()
            return (inbox.messages, inbox.violations)
        }
        #expect(messages == pings(0..<1))
        #expect(violations == [.lineTooLong])
    }

    @Test("A message may raise the limit for the lines directly after it")
    func limitGrows() async throws {
        let count = try await onLoop { loop in
            var received = 0
            var kept: MessageConnection?
            try connectPair(loop) { near, far in
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 64)
                kept = receiver
                receiver.start(
                    onMessage: { _ in
                        received += 1
                        receiver.maximumLine = 1024
                        if received == 2 { loop.stop() }
                    },
                    onViolation: { _ in loop.stop() },
                    onEnd: { _ in loop.stop() }
                )
                let note = String(repeating: "x", count: 500)
                var bytes = Array(
                    "{\"type\":\"ping\",\"n\":0}\n{\"type\":\"bye\",\"reason\":\"\(note)\"}\n".utf8
                )
                near.write(&bytes)
            }
            loop.run()
            kept?.close()
            return received
        }
        #expect(count == 2)
    }

    @Test("Delivers no message after closing, not even one that has arrived")
    func closesWithinAMessage() async throws {
        let messages = try await onLoop { loop in
            let inbox = Inbox()
            var kept: [MessageConnection] = []
            try connectPair(loop) { near, far in
                let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1024)
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1024)
                kept = [sender, receiver]
                inbox.start(receiver) { receiver.close() }
                sender.start(
                    onMessage: { _ in },
                    onViolation: { _ in },
                    onEnd: { _ in loop.stop() }
                )
                for message in pings(0..<10) { sender.send(message) }
            }
            loop.run()
            for connection in kept { connection.close() }
            kept[1].send(.ping(Ping(n: 1)))
            #expect(kept[1].unsentBytes == 0)
            return inbox.messages
        }
        #expect(messages == pings(0..<1))
    }

    @Test("Closing after writing delivers everything, then the end")
    func closesAfterWriting() async throws {
        let (count, ends) = try await onLoop { loop in
            let inbox = Inbox()
            var kept: [MessageConnection] = []
            try connectPair(loop) { near, far in
                let sender = MessageConnection(loop: loop, socket: near, maximumLine: 1 << 20)
                let receiver = MessageConnection(loop: loop, socket: far, maximumLine: 1 << 20)
                kept = [sender, receiver]
                inbox.start(receiver) {
                    if inbox.ends == 1 { loop.stop() }
                }
                let reason = String(repeating: "x", count: 100_000)
                for _ in 0..<50 { sender.send(.bye(Bye(reason: reason))) }
                sender.closeAfterWriting()
            }
            loop.run()
            for connection in kept { connection.close() }
            return (inbox.messages.count, inbox.ends)
        }
        #expect(count == 50)
        #expect(ends == 1)
    }

    @Test("Tells a sender that waits for room each time everything has left")
    func reportsDrained() async throws {
        let (rounds, count) = try await onLoop { loop in
            let inbox = Inbox()
            var rounds = 0
            var kept: [MessageConnection] = []
            try connectPair(loop) { near, far in
                let outboxes = Outboxes(loop: loop)
                let sender = MessageConnection(
                    loop: loop,
                    socket: near,
                    maximumLine: 1 << 20,
                    outboxes: outboxes
                )
                let receiver = MessageConnection(
                    loop: loop,
                    socket: far,
                    maximumLine: 1 << 20,
                    outboxes: outboxes
                )
                kept = [sender, receiver]
                let reason = String(repeating: "x", count: 500_000)
                sender.onDrained = {
                    #expect(sender.unsentBytes == 0)
                    rounds += 1
                    // Small and large: some leave at once, some wait in the socket.
                    if rounds < 10 {
                        sender.send(.bye(Bye(reason: rounds % 2 == 0 ? reason : "short")))
                    }
                }
                inbox.start(receiver) {
                    if inbox.messages.count == 10 { loop.stop() }
                }
                sender.send(.bye(Bye(reason: reason)))
            }
            loop.run()
            for connection in kept { connection.close() }
            return (rounds, inbox.messages.count)
        }
        #expect(rounds == 10)
        #expect(count == 10)
    }
}
