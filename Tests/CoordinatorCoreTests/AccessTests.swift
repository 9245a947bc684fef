// Keys that come and go while the coordinator runs, and what identities may do.
import CoordinatorCore
import Core
import JSON
import TestKit
import Testing
import Wire

@Suite("Keys and identities at the coordinator")
struct AccessTests {
    private func key(_ byte: UInt8, _ name: String) throws -> HandshakeKey {
        HandshakeKey(
            try #require(HandshakeKey([UInt8](repeating: byte, count: 32))),
            named: name
        )
    }

    private func keyring(
        _ entries: [(byte: UInt8, name: String, identity: Identity, until: Int?)]
    ) throws -> Keyring {
        var keyring = Keyring(MachineHarness.keys)
        for entry in entries {
            keyring.add(try key(entry.byte, entry.name), of: entry.identity, until: entry.until)
        }
        return keyring
    }

    private func harness(_ keyring: Keyring) -> MachineHarness {
        MachineHarness { $0.keyring = keyring }
    }

    /// Sends the first message of a peer, which is enough to be refused.
    private func sayHello(_ peer: TestPeer) {
        let nonce = [UInt8](repeating: 9, count: 32)
        let hello = Hello(role: peer.role, name: peer.name, nonce: nonce, key: peer.key.name)
        peer.send(.hello(hello))
    }

    @Test("A key proves its identity, in the role of that and no other")
    func roles() throws {
        let alice = Identity(name: "alice", role: .viewer)
        let harness = harness(try keyring([(7, "alice", alice, nil)]))
        let viewer = harness.connect(.viewer, "v", key: try key(7, "alice"))
        viewer.shakeHands()
        #expect(!harness.isClosed(viewer))
        let client = harness.connect(.client, "c", key: try key(7, "alice"))
        sayHello(client)
        #expect(harness.isClosed(client))
    }

    @Test("Over an encrypted connection the same key has to be proved")
    func sameKey() throws {
        let harness = harness(Keyring(MachineHarness.keys))
        for (encrypting, isAccepted) in [("client", true), ("viewer", false)] {
            let peer = harness.connect(.client, "c")
            harness.handle(.encrypted(peer.id, key: encrypting))
            sayHello(peer)
            #expect(harness.isClosed(peer) == !isAccepted)
        }
    }

    @Test("Peers whose key is gone or has changed are closed at once; others notice nothing")
    func revoked() throws {
        let bob = Identity(name: "bob", role: .worker)
        let eve = Identity(name: "eve", role: .viewer)
        let harness = harness(
            try keyring([(7, "bob", bob, nil), (8, "eve", eve, nil)])
        )
        let worker = harness.connect(.worker, "w", key: try key(7, "bob"))
        worker.shakeHands()
        worker.send(.register(Register(slots: 1, tools: [])))
        let viewer = harness.connect(.viewer, "v", key: try key(8, "eve"))
        viewer.shakeHands()
        let client = harness.client()
        harness.handle(.keyringChanged(try keyring([(9, "eve", eve, nil)])))
        #expect(harness.isClosed(worker) && harness.isClosed(viewer))
        // One that stays connected must not keep a socket open for longer.
        #expect(harness.closedAtOnce == [worker.id, viewer.id])
        #expect(!harness.isClosed(client))
        let again = harness.connect(.worker, "w", key: try key(7, "bob"))
        sayHello(again)
        #expect(harness.isClosed(again))
    }

    @Test("A former key is accepted until its time ends, which closes its connections")
    func ended() throws {
        let bob = Identity(name: "bob", role: .viewer)
        let harness = harness(
            try keyring([(7, "bob", bob, 5_000), (8, "bob~2", bob, nil)])
        )
        let former = harness.connect(.viewer, "v1", key: try key(7, "bob"))
        former.shakeHands()
        let current = harness.connect(.viewer, "v2", key: try key(8, "bob~2"))
        current.shakeHands()
        harness.advance(.milliseconds(4_999))
        #expect(!harness.isClosed(former))
        harness.advance(.milliseconds(1))
        #expect(harness.isClosed(former))
        #expect(!harness.isClosed(current))
        harness.advance(.seconds(60))
        #expect(!harness.isClosed(current))
    }

    @Test("A key ends by the calendar, also when a clock was set meanwhile")
    func calendar() throws {
        let bob = Identity(name: "bob", role: .viewer)
        let harness = harness(try keyring([(7, "bob", bob, 3_600_000)]))
        let viewer = harness.connect(.viewer, "v", key: try key(7, "bob"))
        viewer.shakeHands()
        harness.handle(.calendarRead(unixMillisecondsAtZero: 3_599_000))
        #expect(!harness.isClosed(viewer))
        harness.advance(.seconds(1))
        #expect(harness.isClosed(viewer))
    }

    @Test("A key whose time ends during the handshake gives nothing, by the clock as it is now")
    func endedMeanwhile() throws {
        let bob = Identity(name: "bob", role: .viewer)
        let harness = harness(try keyring([(7, "bob", bob, 3_600_000)]))
        let viewer = harness.connect(.viewer, "v", key: try key(7, "bob"))
        var initiator = HandshakeInitiator(
            role: .viewer,
            name: "v",
            key: viewer.key,
            nonce: [UInt8](repeating: 9, count: 32)
        )
        viewer.send(.hello(initiator.hello()))
        let challenge = try viewer.next {
            if case .challenge(let challenge) = $0 { challenge } else { nil }
        }
        harness.handle(.calendarRead(unixMillisecondsAtZero: 3_600_000))
        viewer.send(.auth(try initiator.answer(to: challenge)))
        #expect(try viewer.nextError().code == .authFailed)
        #expect(harness.isClosed(viewer))
    }

    /// A registered worker that holds an attempt, so that its session outlives its connection.
    private func busyWorker(_ key: HandshakeKey, in harness: MachineHarness) throws -> TestPeer {
        let worker = harness.connect(.worker, "w", key: key)
        worker.shakeHands()
        let tool = ToolDescription(name: "t", description: "")
        worker.send(.register(Register(slots: 1, tools: [tool])))
        let plan = #"{"tasks":[{"id":"a","tool_name":"t","args":{}}]}"#
        harness.client().send(.submit(Submit(key: "k", plan: try RawJSON(validating: plan))))
        #expect(worker.held.count == 1)
        return worker
    }

    private func hasLeft(_ harness: MachineHarness) -> Bool {
        harness.notices.contains { if case .workerLeft = $0 { true } else { false } }
    }

    @Test("A worker's name and session belong to its identity")
    func sessions() throws {
        let (ann, bob) = (
            Identity(name: "ann", role: .worker), Identity(name: "bob", role: .worker)
        )
        let harness = harness(try keyring([(7, "ann", ann, nil), (8, "bob", bob, nil)]))
        let first = try busyWorker(key(7, "ann"), in: harness)
        let other = harness.connect(.worker, "w", key: try key(8, "bob"))
        other.shakeHands()
        other.send(.register(Register(slots: 1, tools: [], isReplacing: true)))
        #expect(harness.isClosed(other))
        #expect(!harness.isClosed(first))
        harness.handle(.disconnected(first.id))
        let thief = harness.connect(.worker, "w", key: try key(8, "bob"))
        thief.shakeHands(resume: Hello.Resume(session: first.session, epoch: 1))
        thief.send(.register(Register(slots: 1, tools: [])))
        #expect(harness.isClosed(thief))
    }

    @Test("A worker that is away when its keys are revoked is lost")
    func awayAndRevoked() throws {
        let bob = Identity(name: "bob", role: .worker)
        let harness = harness(try keyring([(7, "bob", bob, nil)]))
        let worker = try busyWorker(key(7, "bob"), in: harness)
        harness.handle(.disconnected(worker.id))
        #expect(!hasLeft(harness))
        harness.handle(.keyringChanged(Keyring(MachineHarness.keys)))
        #expect(hasLeft(harness))
    }

    @Test("A run knows who submitted it and who cancelled it")
    func whoDidIt() throws {
        let alice = Identity(name: "alice", role: .client)
        let harness = harness(try keyring([(7, "alice", alice, nil)]))
        let submitter = harness.connect(.client, "c1", key: try key(7, "alice"))
        submitter.shakeHands()
        let plan = #"{"tasks":[{"id":"a","tool_name":"t","args":{}}]}"#
        submitter.send(.submit(Submit(key: "k", plan: try RawJSON(validating: plan))))
        let run = try submitter.next {
            if case .accepted(let accepted) = $0 { accepted.run } else { nil }
        }
        let canceller = harness.client()
        canceller.send(.cancelRun(CancelRun(run: run)))
        canceller.send(.get(Get(request: 1, what: .run, id: run.text)))
        let reply = try canceller.next {
            if case .reply(let reply) = $0 { reply } else { nil }
        }
        let document = try #require(reply.data.inlineValue)
        #expect(document.value(at: [.key("submitted_by")])?.stringValue == "alice")
        #expect(document.value(at: [.key("cancelled_by")])?.stringValue == "client")
        #expect(harness.notices.contains(.runAccepted(run, by: "alice", nodes: 1)))
        #expect(harness.notices.contains(.cancelAsked(run, by: "client")))
    }

    @Test("An identity approves only tools that it may use itself, and may deny any")
    func approvals() throws {
        let alice = Identity(name: "alice", role: .client, allowedTools: ["u"])
        let harness = harness(try keyring([(7, "alice", alice, nil)]))
        let pay = ToolDescription(name: "t", description: "", needsApproval: true)
        let worker = harness.worker(tools: [pay])
        let owner = harness.client()
        let run = try owner.submit([NodeText("a")])
        let client = harness.connect(.client, "c", key: try key(7, "alice"))
        client.shakeHands()
        client.send(.approve(Approve(run: run)))
        let error = try client.nextError()
        #expect(error.code == .forbidden && !error.isFatal)
        #expect(error.message.contains("alice may not use the tool t"))
        #expect(worker.takeEvents().isEmpty)
        client.send(.approve(Approve(run: run, isApproved: false)))
        #expect(client.takeEvents().isEmpty)
        let node = try client.get(.node, run, node: "a")
        #expect(node["error"]?["message"] == "alice denied it")
    }

    @Test("An identity that is bound to tools may use no others, whatever its run allows")
    func boundToTools() throws {
        let alice = Identity(name: "alice", role: .client, allowedTools: ["t"])
        let harness = harness(try keyring([(7, "alice", alice, nil)]))
        let client = harness.connect(.client, "c", key: try key(7, "alice"))
        client.shakeHands()
        for (tools, problems) in [(nil, 1), (["u"], 0), (["t"], 1)] as [([String]?, Int)] {
            let plan = """
                {"tasks":[{"id":"a","tool_name":"t","args":{}},
                {"id":"b","tool_name":"u","args":{}}]}
                """
            let submit = Submit(
                key: "k-\(tools?.first ?? "")",
                plan: try RawJSON(validating: plan),
                tools: tools
            )
            client.send(.submit(submit))
            let error = try client.next {
                if case .error(let error) = $0 { error } else { nil }
            }
            #expect(error.code == .badPlan)
            #expect(error.problems.count == problems)
        }
    }

    @Test("An identity that is bound to a number of running nodes has no more at a time")
    func boundToRunning() throws {
        let alice = Identity(name: "alice", role: .client, maxRunning: 2)
        let harness = harness(try keyring([(7, "alice", alice, nil)]))
        let worker = harness.worker(slots: 8)
        let client = harness.connect(.client, "c", key: try key(7, "alice"))
        client.shakeHands()
        let nodes = (0..<6).map { #"{"id":"n\#($0)","tool_name":"t","args":{}}"# }
        let plan = "{\"tasks\":[\(nodes.joined(separator: ","))]}"
        client.send(.submit(Submit(key: "k", plan: try RawJSON(validating: plan))))
        let dispatched = worker.take().filter {
            if case .dispatch = $0 { true } else { false }
        }
        #expect(dispatched.count == 2)
        client.send(.submit(Submit(key: "l", plan: try RawJSON(validating: plan))))
        harness.advance(.milliseconds(10))
        // Its other runs count, too.
        #expect(!worker.take().contains { if case .dispatch = $0 { true } else { false } })
    }
}
