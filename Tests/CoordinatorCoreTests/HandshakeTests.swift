// Connections up to the handshake, and which role may send what after it.

import CoordinatorCore
import Core
import JSON
import Testing
import Wire

@Suite("Handshake and roles")
struct HandshakeTests {
    let harness = MachineHarness()

    @Test("Welcomes every role with its key and the limits", arguments: Role.allCases)
    func welcome(role: Role) throws {
        let peer = harness.connect(role, "p")
        var initiator = HandshakeInitiator(
            role: role,
            name: "p",
            key: peer.key,
            nonce: [UInt8](repeating: 3, count: 32)
        )
        peer.send(.hello(initiator.hello()))
        guard case .challenge(let challenge)? = peer.take().first else {
            Issue.record("no challenge")
            return
        }
        #expect(harness.lineLimits[peer.id] == nil)
        peer.send(.auth(try initiator.answer(to: challenge)))
        guard case .welcome(let welcome)? = peer.take().first else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.session == challenge.session)
        #expect(welcome.epoch == 1)
        #expect(welcome.software == "test")
        #expect(welcome.limits == Limits().announced)
        #expect(harness.lineLimits[peer.id] == Limits().maxLine)
    }

    @Test("A wrong key and a name or role without key all end at the proof, with no detail")
    func wrongKey() throws {
        let keys = MachineHarness.keys.filter { $0.key == .worker }
        let harness = MachineHarness {
            $0.keyring = Keyring(keys)
            $0.decoy = HandshakeKey([UInt8](repeating: 77, count: 32))
        }
        let wrong = try #require(HandshakeKey([UInt8](repeating: 99, count: 32)))
        let worker = try #require(keys[.worker])
        var refusals: [ErrorMessage] = []
        for (role, name, key) in [
            (.worker, "worker", wrong), (.worker, "nobody", wrong), (.client, "client", wrong),
            (.client, "worker", worker), (.worker, "worker~2", worker),
        ] as [(Role, String, HandshakeKey)] {
            let peer = harness.connect(role, "p", key: HandshakeKey(key, named: name))
            let nonce = [UInt8](repeating: 3, count: 32)
            peer.send(.hello(Hello(role: role, name: "p", nonce: nonce, key: name)))
            guard case .challenge(let challenge)? = peer.take().first else {
                Issue.record("no challenge for \(name)")
                continue
            }
            #expect(!harness.isClosed(peer))
            let mac = Handshake.mac(
                key: key,
                side: .peer,
                role: role,
                clientNonce: nonce,
                coordinatorNonce: challenge.nonce,
                name: "p",
                session: challenge.session
            )
            peer.send(.auth(Auth(mac: mac)))
            refusals.append(try peer.nextError())
            #expect(harness.isClosed(peer))
        }
        #expect(refusals.count == 5)
        #expect(Set(refusals.map(\.message)).count == 1)
        #expect(refusals.allSatisfy { $0.code == .authFailed && $0.isFatal })
    }

    @Test("Without a decoy a role without key ends at its hello, with no detail either")
    func noDecoy() throws {
        let wrong = try #require(HandshakeKey([UInt8](repeating: 99, count: 32)))
        let peer = harness.connect(.client, "p", key: wrong)
        let initiator = HandshakeInitiator(
            role: .client,
            name: "p",
            key: wrong,
            nonce: [UInt8](repeating: 3, count: 32)
        )
        peer.send(.hello(initiator.hello()))
        _ = peer.take()
        peer.send(.auth(Auth(mac: [UInt8](repeating: 0, count: 32))))
        let refusal = try peer.nextError()
        #expect(refusal.code == .authFailed)
        #expect(refusal.isFatal)
        #expect(harness.isClosed(peer))

        let workersOnly = MachineHarness(keys: MachineHarness.keys.filter { $0.key == .worker })
        let client = workersOnly.connect(.client, "p")
        client.send(.hello(initiator.hello()))
        let other = try client.nextError()
        #expect(other == refusal)
    }

    @Test("A key that is revoked during the handshake, or after it, gives nothing")
    func revokedKey() throws {
        let peer = harness.connect(.client, "p")
        var initiator = HandshakeInitiator(
            role: .client,
            name: "p",
            key: peer.key,
            nonce: [UInt8](repeating: 3, count: 32)
        )
        peer.send(.hello(initiator.hello()))
        guard case .challenge(let challenge)? = peer.take().first else {
            Issue.record("no challenge")
            return
        }
        let auth = try initiator.answer(to: challenge)
        let viewer = harness.client("v", role: .viewer)
        let client = harness.client("c")
        let others = MachineHarness.keys.filter { $0.key != .client }
        harness.handle(.keyringChanged(Keyring(others)))
        #expect(try client.nextError().code == .authFailed)
        #expect(harness.isClosed(client))
        peer.send(.auth(auth))
        let refusal = try peer.nextError()
        #expect(refusal.code == .authFailed)
        #expect(refusal.isFatal)
        #expect(harness.isClosed(peer))
        #expect(!harness.isClosed(viewer))
    }

    @Test("A handshake that takes too long ends with auth_timeout at its time")
    func slowHandshake() throws {
        let first = harness.connect(.client, "a")
        harness.advance(.seconds(3))
        let second = harness.connect(.client, "b")
        harness.advance(.milliseconds(2_100))
        #expect(try first.nextError().code == .authTimeout)
        #expect(harness.isClosed(first))
        #expect(!harness.isClosed(second))
        second.shakeHands()
        harness.advance(.seconds(6))
        #expect(!harness.isClosed(second))
        #expect(second.take() == [])
    }

    @Test("Anything but hello and auth before the handshake ends the connection")
    func tooEarly() throws {
        let peer = harness.connect(.client, "a")
        peer.send(.get(Get(request: 1, what: .status)))
        #expect(try peer.nextError().code == .notReady)
        #expect(harness.isClosed(peer))
        let twice = harness.connect(.client, "b")
        let hello = Hello(role: .client, name: "b", nonce: [UInt8](repeating: 1, count: 32))
        twice.send(.hello(hello))
        _ = twice.take()
        twice.send(.hello(hello))
        #expect(try twice.nextError().code == .notReady)
        #expect(harness.isClosed(twice))
    }

    @Test("A role may send only what the protocol allows it")
    func forbidden() throws {
        let attempt = try #require(AttemptID(parsing: Array("r1/0/1".utf8)[...]))
        let run = try #require(RunID("r1"))
        let cases: [(Role, Message)] = [
            (.viewer, .cancelRun(CancelRun(run: run))),
            (.viewer, .drain(Drain(worker: "w"))),
            (.client, .result(ResultMessage(attempt: attempt, outcome: .success(.inline(.null))))),
            (.client, .ack(Ack(attempts: []))),
            (.worker, .get(Get(request: 1, what: .status))),
        ]
        for (role, message) in cases {
            let peer =
                role == .worker ? harness.worker("x") : harness.client("x", role: role)
            peer.send(message)
            let error = try peer.nextError()
            #expect(error.code == .forbidden)
            #expect(error.isFatal)
            #expect(harness.isClosed(peer))
        }
    }

    @Test("Answers a legal but unexpected message with not_ready, before and after registering")
    func notReady() throws {
        let unregistered = harness.connect(.worker, "w")
        unregistered.shakeHands()
        unregistered.send(.ping(Ping(n: 4)))
        #expect(unregistered.take() == [.pong(Pong(n: 4))])
        unregistered.send(
            .started(Started(attempt: AttemptID(run: try #require(RunID("r")), node: 0, number: 1)))
        )
        #expect(try unregistered.nextError().code == .notReady)
        #expect(harness.isClosed(unregistered))
        let worker = harness.worker("w2")
        worker.send(.register(Register(slots: 1, tools: [])))
        #expect(try worker.nextError().code == .notReady)
        #expect(harness.isClosed(worker))
    }

    @Test("Tolerates unknown types up to the limit; any other violation is final")
    func unknownTypes() throws {
        let client = harness.client()
        let error = WireError(code: .unknownType, message: "There is no message type \"x\".")
        for _ in 0..<Limits().unknownTypes {
            harness.handle(.violated(client.id, error))
            let answer = try client.nextError()
            #expect(answer.code == .unknownType)
            #expect(!answer.isFatal)
        }
        harness.handle(.violated(client.id, error))
        #expect(try client.nextError().isFatal)
        #expect(harness.isClosed(client))
        let other = harness.client("d")
        harness.handle(.violated(other.id, WireError(code: .badJSON, message: "no JSON")))
        #expect(try other.nextError().code == .badJSON)
        #expect(harness.isClosed(other))
        let early = harness.connect(.client, "e")
        harness.handle(.violated(early.id, error))
        #expect(try early.nextError().isFatal)
    }

    @Test("A new connection replaces the oldest one without a handshake")
    func oldestMakesRoom() throws {
        var limits = Limits()
        limits.unauthenticatedConnections = 3
        let harness = MachineHarness(limits: limits)
        let idle = (0..<40).map { harness.connect(.client, "idle\($0)") }
        let honest = harness.connect(.client, "honest")
        honest.shakeHands()
        #expect(idle.count { !harness.isClosed($0) } == 2)
        #expect(try idle[0].nextError().code == .busy)
        honest.send(.ping(Ping(n: 1)))
        #expect(honest.takeKinds() == [.pong])
    }

    @Test("Closes connections over the limits with busy; freed places can be used again")
    func tooMany() throws {
        var limits = Limits()
        limits.unauthenticatedConnections = 2
        limits.connections = 3
        let harness = MachineHarness(limits: limits)
        let a = harness.connect(.client, "a")
        let b = harness.connect(.client, "b")
        a.shakeHands()
        let c = harness.connect(.client, "c")
        let evicting = harness.connect(.client, "evicting")
        #expect(try b.nextError().code == .busy)
        #expect(harness.isClosed(b))
        c.disconnect()
        evicting.disconnect()
        let d = harness.connect(.client, "d")
        #expect(!harness.isClosed(d))
        d.shakeHands()
        let e = harness.connect(.client, "e")
        e.shakeHands()
        let f = harness.connect(.client, "f")
        #expect(try f.nextError().code == .busy)
        a.send(.bye(Bye(reason: "done")))
        #expect(harness.isClosed(a))
        let g = harness.connect(.client, "g")
        g.shakeHands()
        harness.expectNothingElse()
    }

    @Test("Shutting down sends bye to every peer and refuses new connections")
    func shutdown() throws {
        let client = harness.client()
        let worker = harness.worker()
        let half = harness.connect(.client, "half")
        harness.handle(.shutdownRequested)
        let bye = Message.bye(Bye(reason: "shutting_down", keepsRuns: false))
        #expect(client.take() == [bye])
        #expect(worker.take() == [bye])
        for peer in [client, worker, half] { #expect(harness.isClosed(peer)) }
        let late = harness.connect(.client, "late")
        #expect(try late.nextError().code == .shuttingDown)
        #expect(harness.isClosed(late))
        harness.handle(.shutdownRequested)
        harness.advance(.seconds(60))
    }
}
