// Encrypted connections over real sockets: both sides prove the same key, and everything else fails
// with a clear reason, in a way that tells a stranger nothing.
import TestKit
import Testing
import UVLoop
import Wire

@testable import Transport

/// What one end saw.
private final class End {
    let connection: MessageConnection
    var messages: [Message] = []
    var violations: [WireError] = []
    var keyName: String?
    var hasEnded = false
    var endError: UVError?

    init(_ connection: MessageConnection, onChange: @escaping () -> Void = {}) {
        self.connection = connection
        connection.onEncrypted = { [unowned self] in keyName = $0 }
        connection.start(
            onMessage: { [unowned self] in
                messages.append($0)
                onChange()
            },
            onViolation: { [unowned self] in
                violations.append($0)
                onChange()
            },
            onEnd: { [unowned self] in
                hasEnded = true
                endError = $0
                onChange()
            }
        )
    }
}

private func key(_ byte: UInt8, named name: String? = nil) throws -> HandshakeKey {
    let key = try #require(HandshakeKey([UInt8](repeating: byte, count: 32)))
    return name.map { HandshakeKey(key, named: $0) } ?? key
}

private func pending(of stream: TLSStream) -> [UInt8] {
    var bytes: [UInt8] = []
    stream.takePending(into: &bytes)
    return bytes
}

private func coordinator(accepting keyring: Keyring) -> TLSContext {
    let context = TLSContext.coordinator()
    context.use(keyring, at: 0)
    return context
}

@Suite("Encrypted connections", .timeLimit(.minutes(Patience.factor)))
struct TLSConnectionTests {
    /// Connects two ends, and returns what they saw when `isDone` holds.
    private func exchange(
        peer: TLSContext?,
        coordinator: TLSContext?,
        sending messages: [Message] = [.ping(Ping(n: 1))],
        atStart begin: @escaping (_ near: End, _ far: End) -> Void = { _, _ in },
        until isDone: @escaping (_ near: End, _ far: End) -> Bool
    ) throws -> (near: End, far: End) {
        let loop = try EventLoop()
        var ends: [End] = []
        func check() {
            if ends.count == 2, isDone(ends[0], ends[1]) { loop.stop() }
        }
        try connectPair(loop) { near, far in
            let near = MessageConnection(
                loop: loop,
                socket: near,
                tls: peer,
                maximumLine: 16 << 20
            )
            let far = MessageConnection(
                loop: loop,
                socket: far,
                tls: coordinator,
                maximumLine: 16 << 20
            )
            ends = [End(near, onChange: check), End(far, onChange: check)]
            for message in messages { near.send(message) }
            begin(ends[0], ends[1])
        }
        let limit = Timer(loop: loop) { loop.stop() }
        limit.schedule(after: .seconds(10 * Patience.factor))
        loop.run()
        for end in ends { end.connection.close() }
        limit.close()
        loop.close()
        return (ends[0], ends[1])
    }

    @Test("Messages of any size pass in order, and the coordinator learns which key it was")
    func passes() throws {
        let keys = Keyring([.client: try key(1), .worker: try key(2)])
        let long = String(repeating: "x", count: 3 << 20)
        let messages: [Message] =
            (0..<500).map { .ping(Ping(n: $0)) } + [.bye(Bye(reason: long)), .ping(Ping(n: 500))]
        let (_, far) = try exchange(
            peer: .peer(key(2), role: .worker),
            coordinator: coordinator(accepting: keys),
            sending: messages,
            until: { $1.messages.count == messages.count }
        )
        #expect(far.messages == messages)
        #expect(far.keyName == "worker")
    }

    @Test("The coordinator answers, and the end of the stream is an orderly one")
    func answers() throws {
        let (near, far) = try exchange(
            peer: .peer(key(3, named: "alice~2"), role: .client),
            coordinator: coordinator(
                accepting: {
                    var keyring = Keyring()
                    let alice = Identity(name: "alice", role: .client)
                    if let key = try? key(3, named: "alice~2") { keyring.add(key, of: alice) }
                    return keyring
                }()
            ),
            until: { near, far in
                if !far.messages.isEmpty, near.messages.isEmpty {
                    far.connection.send(.pong(Pong(n: 1)))
                    far.connection.closeAfterWriting()
                }
                return near.hasEnded
            }
        )
        #expect(near.messages == [.pong(Pong(n: 1))])
        #expect(near.violations == [])
        #expect(near.endError == nil)
        #expect(far.keyName == "alice~2")
    }

    @Test("A stream that ends without a word of its peer is a connection that broke")
    func brokenOff() throws {
        let (near, far) = try exchange(
            peer: .peer(key(1), role: .client),
            coordinator: coordinator(accepting: Keyring([.client: try key(1)])),
            until: { near, far in
                // What others on the way can do, too.
                if !far.messages.isEmpty { far.connection.close() }
                return near.hasEnded
            }
        )
        #expect(near.endError?.isConnectionReset == true)
        #expect(near.violations == [] && far.violations == [])
    }

    @Test("Before the handshake is over, an end is a refusal and nothing more")
    func endedEarly() throws {
        let (near, _) = try exchange(
            peer: .peer(key(1), role: .client),
            coordinator: coordinator(accepting: Keyring([.client: try key(1)])),
            atStart: { _, far in far.connection.closeAfterWriting() },
            until: { near, _ in near.hasEnded }
        )
        #expect(near.hasEnded && near.endError == nil)
        #expect(near.connection.awaitsEncryption)
    }

    @Test("A wrong key and an unknown name fail alike on both sides")
    func wrongKeys() throws {
        let keys = Keyring([.client: try key(1)])
        var seen: [[WireError]] = []
        for peer in [
            TLSContext.peer(try key(9), role: .client), .peer(try key(1), role: .worker),
        ] {
            let (near, far) = try exchange(
                peer: peer,
                coordinator: coordinator(accepting: keys),
                until: { !$0.violations.isEmpty && !$1.violations.isEmpty }
            )
            #expect(near.messages.isEmpty && far.messages.isEmpty)
            #expect(far.keyName == nil)
            seen.append(near.violations + far.violations)
        }
        #expect(seen[0].map(\.code) == [.authFailed, .authFailed])
        #expect(seen[0] == seen[1])
    }

    @Test("A stranger gets the same bytes for a wrong key and for an unknown name")
    func looksAlike() throws {
        let context = coordinator(accepting: Keyring([.client: try key(1)]))
        var answers: [[UInt8]] = []
        for peer in [
            TLSContext.peer(try key(9), role: .client), .peer(try key(1), role: .viewer),
        ] {
            let (near, far) = (peer.makeStream(), context.makeStream())
            var bytes: [UInt8] = []
            near.begin()
            bytes = pending(of: near)
            far.receive(bytes) { _ in true }
            #expect(far.state == .failed)
            bytes = pending(of: far)
            answers.append(bytes)
        }
        #expect(!answers[0].isEmpty)
        #expect(answers[0] == answers[1])
    }

    @Test("Keys that have ended or were taken away are not accepted any more")
    func endedKeys() throws {
        var keyring = Keyring()
        keyring.add(try key(1), of: Identity(first: .client), until: 1_000)
        let context = TLSContext.coordinator()
        func isAccepted() throws -> Bool {
            let (near, far) = (
                try TLSContext.peer(key(1), role: .client).makeStream(), context.makeStream()
            )
            var bytes: [UInt8] = []
            near.begin()
            for _ in 0..<3 {
                bytes = pending(of: near)
                far.receive(bytes) { _ in true }
                bytes = pending(of: far)
                near.receive(bytes) { _ in true }
            }
            return near.state == .open && far.state == .open
        }
        context.use(keyring, at: 999)
        #expect(try isAccepted())
        context.use(keyring, at: 1_000)
        #expect(try !isAccepted())
        context.use(Keyring([.client: try key(1)]), at: 1_000)
        #expect(try isAccepted())
    }

    @Test("A peer that does not encrypt is told so in a line, and the coordinator says why")
    func plainPeer() throws {
        let (near, far) = try exchange(
            peer: nil,
            coordinator: coordinator(accepting: Keyring([.client: try key(1)])),
            until: { !$0.messages.isEmpty && !$1.violations.isEmpty }
        )
        guard case .error(let error) = near.messages.first else {
            Issue.record("no error was sent")
            return
        }
        #expect(error.code == .encryption && error.isFatal)
        #expect(error.message.contains("encrypted connections only"))
        #expect(far.violations.map(\.code) == [.encryption])
        #expect(far.messages.isEmpty)
    }

    @Test("A peer that encrypts is told so at a port that does not")
    func plainCoordinator() throws {
        let (near, far) = try exchange(
            peer: .peer(key(1), role: .client),
            coordinator: nil,
            until: { near, far in
                if let violation = far.violations.first, near.violations.isEmpty {
                    let error = ErrorMessage(
                        code: violation.code,
                        message: violation.message,
                        isFatal: true
                    )
                    far.connection.send(.error(error))
                }
                return !near.violations.isEmpty
            }
        )
        #expect(far.violations.first?.code == .encryption)
        #expect(near.violations.map(\.code) == [.encryption])
        #expect(near.violations.first?.message.contains("does not encrypt") == true)
    }

    @Test("A changed byte ends the connection", arguments: [0, 5, 40])
    func damaged(place: Int) throws {
        let context = coordinator(accepting: Keyring([.client: try key(1)]))
        let (near, far) = (
            try TLSContext.peer(key(1), role: .client).makeStream(), context.makeStream()
        )
        var bytes: [UInt8] = []
        near.begin()
        for _ in 0..<3 {
            bytes = pending(of: near)
            far.receive(bytes) { _ in true }
            bytes = pending(of: far)
            near.receive(bytes) { _ in true }
        }
        #expect(far.state == .open)
        bytes = []
        #expect(near.write(Array("{\"type\":\"ping\",\"n\":1} and more text\n".utf8), into: &bytes))
        bytes[place] ^= 0x40
        var plain: [UInt8] = []
        far.receive(bytes) {
            plain += $0
            return true
        }
        #expect(plain.isEmpty)
        #expect(far.state == .failed)
    }

    @Test("Bytes arrive alike in whole, one by one, and several records at once")
    func cuts() throws {
        let context = coordinator(accepting: Keyring([.client: try key(1)]))
        let (near, far) = (
            try TLSContext.peer(key(1), role: .client).makeStream(), context.makeStream()
        )
        func pass(_ bytes: [UInt8], to stream: TLSStream, by size: Int) -> [UInt8] {
            var plain: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                stream.receive([UInt8](bytes[start..<min(start + size, bytes.count)])) {
                    plain += $0
                    return true
                }
            }
            return plain
        }
        near.begin()
        for _ in 0..<3 {
            #expect(pass(pending(of: near), to: far, by: 1) == [])
            #expect(pass(pending(of: far), to: near, by: 1) == [])
        }
        #expect(near.state == .open && far.state == .open)
        for (length, size) in [
            (1, 1), (300, 1), (300, 7), (16_384, 100), (16_385, 5_000), (49_152, 70_000),
            (49_153, 16_406), (400_000, 1_000_000), (1_000_000, 65_536), (65_536, 65_700),
        ] {
            let text = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            for (source, sink) in [(near, far), (far, near)] {
                var bytes: [UInt8] = []
                #expect(source.write(text, into: &bytes))
                #expect(pass(bytes, to: sink, by: size) == text, "\(length) by \(size)")
            }
        }
    }

    @Test("What was sent before the peer ended its side is still answered")
    func endedByPeer() throws {
        let context = coordinator(accepting: Keyring([.client: try key(1)]))
        let (near, far) = (
            try TLSContext.peer(key(1), role: .client).makeStream(), context.makeStream()
        )
        near.begin()
        for _ in 0..<3 {
            far.receive(pending(of: near)) { _ in true }
            near.receive(pending(of: far)) { _ in true }
        }
        var bytes: [UInt8] = []
        #expect(near.write(Array("question".utf8), into: &bytes))
        near.end()
        near.takePending(into: &bytes)
        var plain: [UInt8] = []
        far.receive(bytes) {
            plain += $0
            return true
        }
        #expect(String(decoding: plain, as: UTF8.self) == "question")
        #expect(far.state == .ended)
        bytes = []
        #expect(far.write(Array("answer".utf8), into: &bytes))
        plain = []
        near.receive(bytes) {
            plain += $0
            return true
        }
        #expect(String(decoding: plain, as: UTF8.self) == "answer")
    }
}
