// A real coordinator machine, peers that exchange messages with it over the real codec, virtual
// time, and a check of every cross-reference after each step.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import Runs
import TestKit
import Testing
import Wire

/// Drives one machine.
final class MachineHarness {
    static let keys: [Role: HandshakeKey] = {
        var keys: [Role: HandshakeKey] = [:]
        for (index, role) in Role.allCases.enumerated() {
            keys[role] = HandshakeKey([UInt8](repeating: UInt8(index + 1), count: 32))
        }
        return keys
    }()

    private(set) var machine: CoordinatorMachine
    private(set) var now = Instant.zero
    private(set) var peers: [ConnectionID: TestPeer] = [:]
    private(set) var closed: Set<ConnectionID> = []
    private(set) var closedAtOnce: Set<ConnectionID> = []
    private(set) var notices: [CoordinatorMachine.Notice] = []
    /// The remembered plans as they are to be kept; nil if there was no change.
    private(set) var storedPlans: [RememberedPlan]?
    private(set) var lineLimits: [ConnectionID: Int] = [:]
    /// Calls of models that no test has checked yet.
    private(set) var calls: [TestCall] = []
    private(set) var cancelledCalls: [ModelCallID] = []
    /// All records so far, where there are any.
    private(set) var records: [NewRecord] = []
    private var actions: [CoordinatorMachine.Action] = []
    private let limits: Limits
    private var connectionCount = 0
    /// Off for runs that are too large to check after each step.
    var validates = true
    /// Off while several events belong to one loop turn.
    private var endsTurns = true

    init(
        limits: Limits = Limits(),
        epoch: Int = 1,
        keys: [Role: HandshakeKey] = MachineHarness.keys,
        hasModels: Bool = false,
        configure: (inout CoordinatorMachine.Configuration) -> Void = { _ in }
    ) {
        var configuration = CoordinatorMachine.Configuration(
            limits: limits,
            keyring: Keyring(keys),
            epoch: epoch,
            software: "test"
        )
        configuration.hasModels = hasModels
        configure(&configuration)
        self.limits = limits
        machine = CoordinatorMachine(configuration: configuration, seed: 1, at: .zero)
    }

    // MARK: - Steps

    func handle(
        _ event: CoordinatorMachine.Event,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        machine.handle(event, at: now, into: &actions)
        carryOut(sourceLocation)
        if endsTurns { endTurn(sourceLocation: sourceLocation) }
    }

    func endTurn(sourceLocation: SourceLocation = #_sourceLocation) {
        machine.endTurn(at: now, into: &actions)
        carryOut(sourceLocation)
    }

    /// Takes up a run of an earlier machine.
    func restore(
        _ run: RunID,
        _ records: [RunRecord],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let unreadable = machine.restore(
            runs: [(run, records)],
            workers: [:],
            at: now,
            into: &actions
        )
        #expect(unreadable == [], sourceLocation: sourceLocation)
        carryOut(sourceLocation)
        endTurn(sourceLocation: sourceLocation)
    }

    /// Several events of one loop turn.
    func turn(sourceLocation: SourceLocation = #_sourceLocation, _ body: () -> Void) {
        endsTurns = false
        body()
        endsTurns = true
        endTurn(sourceLocation: sourceLocation)
    }

    /// Advances time through every deadline; pings are answered.
    func advance(_ duration: Duration, sourceLocation: SourceLocation = #_sourceLocation) {
        let end = now + duration
        while let next = machine.nextDeadline(), next <= end {
            now = max(now, next)
            handle(.deadlineReached, sourceLocation: sourceLocation)
        }
        now = end
    }

    /// Lets a peer read that many more bytes of its backlog, or all.
    func read(_ bytes: Int, by peer: TestPeer, sourceLocation: SourceLocation = #_sourceLocation) {
        peer.wire.allowance = bytes
        var pings: [(TestPeer, Ping)] = []
        deliver(to: peer, &pings, sourceLocation)
        handle(.backlog(peer.id, peer.wire.backlog), sourceLocation: sourceLocation)
        answer(pings)
        if endsTurns { endTurn(sourceLocation: sourceLocation) }
    }

    /// Passes to a peer what it reads.
    private func deliver(
        to peer: TestPeer,
        _ pings: inout [(TestPeer, Ping)],
        _ sourceLocation: SourceLocation
    ) {
        do {
            for message in try peer.wire.takeMessages() {
                if case .ping(let ping) = message, peer.answersPings {
                    pings.append((peer, ping))
                } else {
                    peer.arrived(message)
                }
            }
        } catch {
            Issue.record("\(error)", sourceLocation: sourceLocation)
        }
    }

    private func answer(_ pings: [(TestPeer, Ping)]) {
        for (peer, ping) in pings where !closed.contains(peer.id) {
            peer.send(.pong(Pong(n: ping.n, inFlight: peer.role == .worker ? peer.held : nil)))
        }
    }

    /// Advances time while the coordinator does nothing, as if its process was stopped.
    func pause(_ duration: Duration) { now = now + duration }

    private func carryOut(_ sourceLocation: SourceLocation) {
        records += machine.takeRecords()
        let batch = actions
        actions.removeAll()
        var pings: [(TestPeer, Ping)] = []
        var readers: Set<ConnectionID> = []
        var resumed: [ConnectionID] = []
        for action in batch {
            switch action {
            case .send(let id, let message):
                guard let peer = peers[id], !closed.contains(id) else {
                    Issue.record("a message to \(id), which is closed: \(message)")
                    continue
                }
                let before = peer.wire.backlog
                peer.wire.send(message)
                deliver(to: peer, &pings, sourceLocation)
                if peer.wire.isBehind || peer.wire.backlog.values > before.values {
                    readers.insert(id)
                }
            case .measureBacklog(let id): readers.insert(id)
            case .discardBacklog(let id):
                peers[id]?.wire.discard()
                // The following messages are for the peer to read, at any time.
                peers[id]?.wire.allowance = .max
            case .pauseReading(let id): peers[id]?.isPaused = true
            case .resumeReading(let id): resumed.append(id)
            case .close(let id): closed.insert(id)
            case .closeAtOnce(let id):
                closed.insert(id)
                closedAtOnce.insert(id)
            case .letOthersGoFirst: break
            case .raiseLineLimit(let id, let bytes): lineLimits[id] = bytes
            case .callModel(let id, let request, let purpose):
                calls.append(TestCall(id: id, request: request, purpose: purpose))
            case .cancelModel(let id): cancelledCalls.append(id)
            case .awaitJournal, .loadRun, .readNode, .listRuns, .forgetRun: break
            case .storePlans(let plans): storedPlans = plans
            case .dropEndedKeys, .exportRun: break
            case .report(let notice): notices.append(notice)
            }
        }
        do {
            if validates { try machine.validate() }
        } catch {
            Issue.record("\(error)", sourceLocation: sourceLocation)
        }
        for id in readers.sorted() where !closed.contains(id) {
            guard let peer = peers[id] else { continue }
            handle(.backlog(id, peer.wire.backlog), sourceLocation: sourceLocation)
        }
        answer(pings)
        for id in resumed { peers[id]?.sendHeldBack() }
    }

    // MARK: - Models

    /// The next call of a model.
    func nextCall(
        _ purpose: PlannerMachine.Purpose,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> TestCall {
        try #require(!calls.isEmpty, "no model was called", sourceLocation: sourceLocation)
        let call = calls.removeFirst()
        #expect(call.purpose == purpose, sourceLocation: sourceLocation)
        return call
    }

    /// The model writes a text.
    func say(_ texts: String..., in call: TestCall) {
        for text in texts { handle(.modelReported(call.id, .delta(text))) }
    }

    /// The model ends its reply.
    func end(_ call: TestCall, _ stop: ModelStop = .end) {
        handle(.modelReported(call.id, .ended(stop)))
    }

    func fail(_ call: TestCall, _ failure: ModelFailure) {
        handle(.modelReported(call.id, .failed(failure)))
    }

    // MARK: - Peers

    /// A connection that has sent nothing.
    func connect(_ role: Role, _ name: String, key: HandshakeKey? = nil) -> TestPeer {
        connectionCount += 1
        let id = ConnectionID(connectionCount)
        let peer = TestPeer(
            id: id,
            role: role,
            name: name,
            key: key,
            wire: PacedWire(limits: limits),
            harness: self
        )
        peers[id] = peer
        handle(.connected(id, nonce: [UInt8](repeating: UInt8(connectionCount % 256), count: 32)))
        return peer
    }

    /// A client after the handshake.
    func client(_ name: String = "c", role: Role = .client) -> TestPeer {
        let peer = connect(role, name)
        peer.shakeHands()
        return peer
    }

    /// A registered worker.
    @discardableResult
    func worker(
        _ name: String = "w",
        slots: Int = 1,
        tools: [ToolDescription] = [ToolDescription(name: "t", description: "")]
    ) -> TestPeer {
        let peer = connect(.worker, name)
        peer.shakeHands()
        peer.send(.register(Register(slots: slots, tools: tools)))
        do {
            _ = try peer.next {
                if case .registered(let registered) = $0 { registered } else { nil }
            }
        } catch {
            Issue.record("\(name) was not registered")
        }
        return peer
    }

    func isClosed(_ peer: TestPeer) -> Bool { closed.contains(peer.id) }

    /// Checks that no peer has messages that the test has not read.
    func expectNothingElse(sourceLocation: SourceLocation = #_sourceLocation) {
        for id in peers.keys.sorted() {
            guard let peer = peers[id] else { continue }
            #expect(peer.take() == [], "\(peer.name)", sourceLocation: sourceLocation)
        }
    }
}

/// A call of a model.
struct TestCall {
    let id: ModelCallID
    let request: ModelRequest
    let purpose: PlannerMachine.Purpose

    /// All messages to the model.
    var text: String { request.messages.map(\.text).joined(separator: "\n") }
}
