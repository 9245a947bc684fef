// A client that submits one run, whole or in batches, watches it, may cancel it, and comes back with
// the same key when its connection breaks.

import JSON
import Plans
import TestKit
import Wire

final class SimulatedClient {
    let name: String
    let key: String
    let plan: ModelPlan
    let isStreamed: Bool
    let watch: WatchLevel
    private(set) var run: RunID?
    private(set) var end: EventKind?
    /// The client's own end of its connection.
    var link: SimulatedLink?
    private(set) var isWelcome = false
    private var initiator: HandshakeInitiator?
    private let handshakeKey: HandshakeKey
    /// How many nodes have been sent, of a streamed plan.
    private var sentNodes = 0
    private var mayStream = false
    /// Terminal events on this connection, and the number of the newest event.
    private var endsHere = 0
    private var newest = -1
    private var hasLost = false
    /// Set when something arrived that no client should see.
    private(set) var problem: String?

    init(
        name: String,
        plan: ModelPlan,
        isStreamed: Bool,
        watch: WatchLevel,
        handshakeKey: HandshakeKey
    ) {
        self.name = name
        key = "key-\(name)"
        self.plan = plan
        self.isStreamed = isStreamed
        self.watch = watch
        self.handshakeKey = handshakeKey
    }

    var isDone: Bool { end != nil }

    /// Whether nodes are still to be sent.
    var hasMore: Bool { isWelcome && mayStream && sentNodes <= plan.nodes.count && !isDone }

    // MARK: - The connection

    func connected(_ link: SimulatedLink, nonce: [UInt8]) -> [Message] {
        self.link = link
        endsHere = 0
        newest = -1
        let initiator = HandshakeInitiator(
            role: .client,
            name: name,
            key: handshakeKey,
            nonce: nonce
        )
        self.initiator = initiator
        return [.hello(initiator.hello())]
    }

    func disconnected() {
        link = nil
        isWelcome = false
        mayStream = false
        hasLost = true
    }

    func receive(_ message: Message) -> [Message] {
        switch message {
        case .challenge(let challenge):
            guard var initiator, let auth = try? initiator.answer(to: challenge) else {
                problem = "the coordinator did not prove itself"
                return []
            }
            self.initiator = initiator
            return [.auth(auth)]
        case .welcome:
            isWelcome = true
            return [submission]
        case .accepted(let accepted):
            if let run, run != accepted.run, !isStreamed {
                problem = "the run of \(key) was \(run) and is \(accepted.run)"
            }
            run = accepted.run
            mayStream = isStreamed && !accepted.isExisting
            return []
        case .event(let event):
            take(event)
            return []
        case .ping(let ping): return [.pong(Pong(n: ping.n))]
        case .error(let error):
            if !hasLost, error.code == .badPlan || error.code == .conflict {
                problem = "\(error.code): \(error.message) \(error.problems)"
            }
            return []
        default: return []
        }
    }

    private var submission: Message {
        .submit(
            Submit(
                key: key,
                plan: isStreamed ? nil : PlanText.plan(plan.nodes.map(\.text)),
                isStreamed: isStreamed,
                join: .json,
                watch: watch
            )
        )
    }

    private func take(_ event: EventMessage) {
        if endsHere > 0 { problem = "\(event.kind) came after the last event of \(event.run)" }
        switch event.kind {
        case .progress where event.node == nil, .snapshot: break
        default:
            if event.sequence <= newest {
                problem = "event \(event.sequence) of \(event.run) follows event \(newest)"
            }
            newest = event.sequence
        }
        guard event.isTerminal else { return }
        endsHere += 1
        if let end, end != event.kind { problem = "\(event.run) ended as \(end) and \(event.kind)" }
        end = event.kind
    }

    /// The next batch of a streamed plan; the last one is empty now and then.
    func nextBatch(of count: Int) -> Message? {
        guard hasMore else { return nil }
        let batch = plan.nodes[sentNodes...].prefix(count)
        sentNodes += batch.count
        let isLast = sentNodes == plan.nodes.count
        if isLast { sentNodes += 1 }
        return .nodes(Nodes(key: key, tasks: batch.map(\.text.raw), isLast: isLast))
    }
}
