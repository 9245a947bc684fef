// Only peers with the key are accepted.
import Testing

@testable import Wire

@Suite("Handshake")
struct HandshakeTests {
    private let keys: [Role: HandshakeKey] = [
        .worker: HandshakeTests.key(1), .client: HandshakeTests.key(2),
    ]

    private static func key(_ byte: UInt8) -> HandshakeKey {
        guard let key = HandshakeKey([UInt8](repeating: byte, count: 32)) else {
            preconditionFailure("a key has 32 bytes")
        }
        return key
    }

    private static func nonce(_ byte: UInt8) -> [UInt8] {
        [UInt8](repeating: byte, count: 32)
    }

    private func initiator(
        role: Role = .worker,
        key: UInt8 = 1,
        nonce: UInt8 = 7
    ) -> HandshakeInitiator {
        HandshakeInitiator(
            role: role,
            name: "w-1",
            key: Self.key(key),
            nonce: Self.nonce(nonce),
            resume: Hello.Resume(session: "s1", epoch: 2)
        )
    }

    private func responder(nonce: UInt8 = 8, session: String = "s2") -> HandshakeResponder {
        HandshakeResponder(nonce: Self.nonce(nonce), session: session)
    }

    @Test("Both sides have the key")
    func succeeds() throws {
        var worker = initiator()
        var coordinator = responder()
        let challenge = try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        #expect(challenge.version == 1)
        let peer = try coordinator.receive(try worker.answer(to: challenge))
        #expect(peer.role == .worker)
        #expect(peer.name == "w-1")
        #expect(peer.resume == Hello.Resume(session: "s1", epoch: 2))
    }

    @Test("A key with a name of its own proves its identity")
    func namedKey() throws {
        var keyring = Keyring(keys)
        let key = HandshakeKey(Self.key(5), named: "bob~2")
        keyring.add(key, of: Identity(name: "bob", role: .worker), until: 1_000)
        for time in [999, 1_000] {
            var worker = HandshakeInitiator(
                role: .worker,
                name: "w-1",
                key: key,
                nonce: Self.nonce(7)
            )
            var coordinator = responder()
            let hello = worker.hello()
            #expect(hello.key == "bob~2")
            guard time < 1_000 else {
                let error = #expect(throws: WireError.self) {
                    try coordinator.receive(hello, keyring: keyring, at: time)
                }
                #expect(error == .authFailed)
                continue
            }
            let challenge = try coordinator.receive(hello, keyring: keyring, at: time)
            let peer = try coordinator.receive(try worker.answer(to: challenge))
            #expect(peer.entry.identity.name == "bob")
        }
    }

    @Test("The worker notices that the coordinator has another key")
    func coordinatorWithoutKey() throws {
        var worker = initiator(key: 9)
        var coordinator = responder()
        let challenge = try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        let error = #expect(throws: WireError.self) { try worker.answer(to: challenge) }
        #expect(error?.code == .authFailed)
    }

    @Test("The coordinator notices that the peer has another key")
    func peerWithoutKey() throws {
        let hello = initiator(key: 9).hello()
        var coordinator = responder()
        let challenge = try coordinator.receive(hello, keyring: Keyring(keys), at: 0)
        let guess = Handshake.mac(
            key: Self.key(9),
            side: .peer,
            role: .worker,
            clientNonce: hello.nonce,
            coordinatorNonce: challenge.nonce,
            name: hello.name,
            session: challenge.session
        )
        let error = #expect(throws: WireError.self) {
            try coordinator.receive(Auth(mac: guess))
        }
        #expect(error == WireError.authFailed)
    }

    @Test("Refuses the coordinator's own proof when it is sent back")
    func reflectedProof() throws {
        let worker = initiator()
        var coordinator = responder()
        let challenge = try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        let error = #expect(throws: WireError.self) {
            try coordinator.receive(Auth(mac: challenge.mac))
        }
        #expect(error == WireError.authFailed)
    }

    @Test("Refuses the key of another role")
    func swappedRoles() throws {
        var client = initiator(role: .client, key: 1)
        var coordinator = responder()
        let challenge = try coordinator.receive(client.hello(), keyring: Keyring(keys), at: 0)
        #expect(throws: WireError.self) { try client.answer(to: challenge) }

        // A worker that presents its honest challenge as one for a client.
        var worker = initiator()
        var honest = responder()
        let auth = try worker.answer(
            to: try honest.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        )
        var second = responder()
        var hello = worker.hello()
        hello.role = .client
        _ = try second.receive(hello, keyring: Keyring(keys), at: 0)
        #expect(throws: WireError.self) { try second.receive(auth) }
    }

    @Test("Refuses a recorded proof")
    func replayedProof() throws {
        var worker = initiator()
        var coordinator = responder(nonce: 8)
        let hello = worker.hello()
        let auth = try worker.answer(
            to: try coordinator.receive(hello, keyring: Keyring(keys), at: 0)
        )
        _ = try coordinator.receive(auth)

        var later = responder(nonce: 9)
        _ = try later.receive(hello, keyring: Keyring(keys), at: 0)
        #expect(throws: WireError.self) { try later.receive(auth) }
    }

    @Test("Refuses a recorded challenge for a new hello")
    func replayedChallenge() throws {
        var coordinator = responder()
        let recorded = try coordinator.receive(
            initiator(nonce: 7).hello(),
            keyring: Keyring(keys),
            at: 0
        )
        var later = initiator(nonce: 6)
        #expect(throws: WireError.self) { try later.answer(to: recorded) }
    }

    @Test("Notices any change of a message on the way")
    func editedFields() throws {
        let edits: [(inout Hello) -> Void] = [
            { $0.name = "w-2" }, { $0.nonce = Self.nonce(3) }, { $0.role = .client },
        ]
        for edit in edits {
            var worker = initiator()
            var coordinator = responder()
            var hello = worker.hello()
            edit(&hello)
            let challenge = try coordinator.receive(hello, keyring: Keyring(keys), at: 0)
            #expect(throws: WireError.self) { try worker.answer(to: challenge) }
        }
        let changes: [(inout Challenge) -> Void] = [
            { $0.nonce = Self.nonce(3) }, { $0.session = "s3" }, { $0.mac[31] ^= 1 },
            { $0.version = 2 },
        ]
        for change in changes {
            var worker = initiator()
            var coordinator = responder()
            var challenge = try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
            change(&challenge)
            #expect(throws: WireError.self) { try worker.answer(to: challenge) }
        }
    }

    @Test("A role without a key, a bad name and a wrong proof get the same answer")
    func failuresLookAlike() throws {
        var errors: [WireError?] = []
        var first = responder()
        errors.append(
            #expect(throws: WireError.self) {
                try first.receive(initiator(role: .viewer).hello(), keyring: Keyring(keys), at: 0)
            }
        )
        var second = responder()
        var hello = initiator().hello()
        hello.name = "a b"
        errors.append(
            #expect(throws: WireError.self) {
                try second.receive(hello, keyring: Keyring(keys), at: 0)
            }
        )
        var third = responder()
        _ = try third.receive(initiator().hello(), keyring: Keyring(keys), at: 0)
        errors.append(
            #expect(throws: WireError.self) { try third.receive(Auth(mac: Self.nonce(0))) }
        )
        #expect(errors == [WireError.authFailed, .authFailed, .authFailed])
    }

    @Test("Reports that there is no common version")
    func noCommonVersion() {
        var hello = initiator().hello()
        hello.versions = [2, 3]
        var coordinator = responder()
        let error = #expect(throws: WireError.self) {
            try coordinator.receive(hello, keyring: Keyring(keys), at: 0)
        }
        #expect(error?.code == .unsupportedVersion)
        #expect(
            error?.message == "The coordinator speaks version 1 of the protocol, and 2, 3 was"
                + " offered. Use programs of the same version on both sides; `weft version` shows"
                + " what one speaks."
        )
    }

    @Test("Accepts each message once and in order")
    func takesMessagesOnce() throws {
        var coordinator = responder()
        let early = #expect(throws: WireError.self) {
            try coordinator.receive(Auth(mac: Self.nonce(0)))
        }
        #expect(early?.code == .notReady)
        var worker = initiator()
        let challenge = try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        #expect(throws: WireError.self) {
            try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        }
        let auth = try worker.answer(to: challenge)
        #expect(throws: WireError.self) { try worker.answer(to: challenge) }
        _ = try coordinator.receive(auth)
        #expect(throws: WireError.self) { try coordinator.receive(auth) }
    }

    @Test("Refuses the right proof after a wrong one")
    func failsForGood() throws {
        var worker = initiator()
        var coordinator = responder()
        let auth = try worker.answer(
            to: try coordinator.receive(worker.hello(), keyring: Keyring(keys), at: 0)
        )
        #expect(throws: WireError.self) { try coordinator.receive(Auth(mac: Self.nonce(0))) }
        #expect(throws: WireError.self) { try coordinator.receive(auth) }
    }

    @Test("The proof is that of the protocol document")
    func testVector() throws {
        let key = try #require(HandshakeKey(Array(0..<32)))
        func mac(_ side: Handshake.Side) -> String {
            Hex.encode(
                Handshake.mac(
                    key: key,
                    side: side,
                    role: .worker,
                    clientNonce: [UInt8](repeating: 0xAA, count: 32),
                    coordinatorNonce: [UInt8](repeating: 0xBB, count: 32),
                    name: "w-1",
                    session: "s1"
                )
            )
        }
        #expect(mac(.coordinator) == TestVector.coordinatorMAC)
        #expect(mac(.peer) == TestVector.peerMAC)
    }

    @Test("A key is 64 hex digits and never shown")
    func readsKeys() throws {
        let digits = String(repeating: "0f", count: 32)
        let key = try #require(HandshakeKey(hex: digits))
        #expect(key.hex == digits)
        #expect(!"\(key)".contains("0f"))
        #expect(HandshakeKey(hex: digits + "0f") == nil)
        #expect(HandshakeKey(hex: String(digits.dropLast())) == nil)
        #expect(HandshakeKey(hex: String(repeating: "0g", count: 32)) == nil)
        #expect(HandshakeKey([1, 2, 3]) == nil)
        #expect(key != Self.key(1))
    }
}
