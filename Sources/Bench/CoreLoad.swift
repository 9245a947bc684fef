// A coordinator's core with simulated peers: workers that answer every dispatch and a client that
// submits. Time is virtual; only the core's own CPU is counted.

internal import Console
internal import CoordinatorCore
internal import Core
internal import Glibc
internal import JSON
internal import Wire

struct CoreLoad {
    struct Settings {
        var workers: Int
        var tools: Int
        /// How many tools each worker offers: the first worker has the first ones, the second the
        /// next ones, starting again at the end.
        var toolsEach: Int
        var slots: Int
        var nodes: Int
        var runs: Int
        /// Whether half of the workers leave and join again while the nodes run.
        var churns: Bool
    }

    struct Figures {
        var microsecondsPerNode: Double
        var microsecondsPerJoin: Double
    }

    private let settings: Settings
    private let toolSets: [[ToolDescription]]
    private var machine: CoordinatorMachine
    private var now = Instant(milliseconds: 1)
    private var actions: [CoordinatorMachine.Action] = []
    private var initiators: [ConnectionID: HandshakeInitiator] = [:]
    private var connections = 0
    /// The workers' connections; those that leave are replaced by those that join.
    private var workers: [ConnectionID] = []
    /// Dispatches that are not answered yet, the oldest first.
    private var dispatched: [(connection: ConnectionID, attempt: AttemptID)] = []
    private var answered = 0
    private var endedRuns = 0
    private var failure: String?
    private var nanoseconds: Int64 = 0

    /// Dispatches answered in one turn.
    private static let batch = 256
    private static let turn: Duration = .microseconds(100)
    private static let key = HandshakeKey([UInt8](repeating: 7, count: Limits.nonceBytes))

    static func measure(_ settings: Settings) throws -> Figures {
        var load = CoreLoad(settings)
        for number in 0..<settings.workers { load.connectWorker(number) }
        let joining = load.nanoseconds
        load.nanoseconds = 0
        load.submit()
        while load.endedRuns < settings.runs, load.failure == nil { try load.answer() }
        if let failure = load.failure { throw CommandFailure(.failed, failure) }
        return Figures(
            microsecondsPerNode: Double(load.nanoseconds) / 1_000 / Double(settings.nodes),
            microsecondsPerJoin: Double(joining) / 1_000 / Double(settings.workers)
        )
    }

    private init(_ settings: Settings) {
        self.settings = settings
        let all = (0..<settings.tools).map { number in
            ToolDescription(name: "tool\(number)", description: "Does nothing.", isIdempotent: true)
        }
        // Few different sets, shared by the workers with equal sets.
        let sets = settings.toolsEach == settings.tools ? 1 : settings.tools
        toolSets = (0..<min(sets, settings.workers)).map { first in
            (0..<settings.toolsEach).map { all[(first * settings.toolsEach + $0) % all.count] }
        }
        var limits = Limits()
        limits.connections = 2 * settings.workers + 8
        var keys: [Role: HandshakeKey] = [:]
        for role in [Role.worker, .client] { keys[role] = Self.key }
        machine = CoordinatorMachine(
            configuration: CoordinatorMachine.Configuration(limits: limits, keyring: Keyring(keys)),
            seed: 1,
            at: .zero
        )
    }

    // MARK: - Peers

    private mutating func connect(_ role: Role, _ name: String) -> ConnectionID {
        connections += 1
        let id = ConnectionID(connections)
        guard let key = Self.key else { return id }
        let initiator = HandshakeInitiator(
            role: role,
            name: name,
            key: key,
            nonce: [UInt8](repeating: 3, count: Limits.nonceBytes)
        )
        initiators[id] = initiator
        let nonce = [UInt8](repeating: 5, count: Limits.nonceBytes)
        turn([.connected(id, nonce: nonce), .received(id, .hello(initiator.hello()))])
        return id
    }

    private mutating func connectWorker(_ number: Int) {
        let id = connect(.worker, "worker-\(number)")
        let tools = toolSets[number % toolSets.count]
        turn([.received(id, .register(Register(slots: settings.slots, queue: 1_024, tools: tools)))]
        )
        if number < workers.count { workers[number] = id } else { workers.append(id) }
    }

    private mutating func submit() {
        let client = connect(.client, "client")
        let each = settings.nodes / settings.runs
        var first = 0
        for run in 0..<settings.runs {
            let count = run == settings.runs - 1 ? settings.nodes - first : each
            let plan = RawJSON(trusted: plan(of: first..<(first + count))[...])
            first += count
            turn([.received(client, .submit(Submit(key: "run-\(run)", plan: plan, watch: .end)))])
        }
    }

    private func plan(of nodes: Range<Int>) -> [UInt8] {
        var writer = JSONWriter(reserving: nodes.count * 48 + 64)
        writer.beginObject()
        writer.key("tasks")
        writer.beginArray()
        for node in nodes {
            writer.beginObject()
            writer.field("id", "n\(node)")
            writer.field("tool_name", "tool\(node % settings.tools)")
            writer.key("args")
            writer.beginObject()
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// Answers the oldest dispatches; with churn, a worker leaves and comes back at intervals.
    private mutating func answer() throws {
        let count = min(Self.batch, dispatched.count - answered)
        guard count > 0 else {
            throw CommandFailure(.failed, "The nodes wait, and nothing is dispatched.")
        }
        var events: [CoordinatorMachine.Event] = []
        for (connection, attempt) in dispatched[answered..<(answered + count)] {
            let result = ResultMessage(
                attempt: attempt,
                outcome: .success(.inline(.emptyObject)),
                durationMicroseconds: 1
            )
            events.append(.received(connection, .result(result)))
        }
        answered += count
        if answered > 1 << 16 {
            dispatched.removeFirst(answered)
            answered = 0
        }
        turn(events)
        guard settings.churns else { return }
        let step = max(settings.nodes / Self.batch / max(settings.workers / 2, 1), 1)
        let perTurn = max(settings.workers / 2 * Self.batch / settings.nodes, 1)
        turns += 1
        guard turns % step == 0 else { return }
        for _ in 0..<perTurn {
            let number = replaced % workers.count
            replaced += 1
            // Its unanswered dispatches go to other workers.
            turn([.received(workers[number], .bye(Bye(reason: "drained")))])
            connectWorker(number)
        }
    }

    private var turns = 0
    private var replaced = 0

    // MARK: - Turns

    /// One turn of the loop: measures the core's CPU, and handles its messages.
    private mutating func turn(_ events: [CoordinatorMachine.Event]) {
        now = now.advanced(by: Self.turn)
        let startedAt = Self.cpuNanoseconds
        if let due = machine.nextDeadline(), due <= now {
            machine.handle(.deadlineReached, at: now, into: &actions)
        }
        for event in events { machine.handle(event, at: now, into: &actions) }
        machine.endTurn(at: now, into: &actions)
        nanoseconds += Self.cpuNanoseconds - startedAt
        let sent = actions
        actions.removeAll(keepingCapacity: true)
        var replies: [CoordinatorMachine.Event] = []
        for case .send(let id, let message) in sent { handleMessage(message, id, &replies) }
        if !replies.isEmpty { turn(replies) }
    }

    private mutating func handleMessage(
        _ message: Message,
        _ id: ConnectionID,
        _ replies: inout [CoordinatorMachine.Event]
    ) {
        switch message {
        case .dispatch(let dispatch): dispatched.append((id, dispatch.attempt))
        case .challenge(let challenge):
            if let auth = try? initiators[id]?.answer(to: challenge) {
                replies.append(.received(id, .auth(auth)))
            }
            initiators[id] = nil
        case .ping(let ping): replies.append(.received(id, .pong(Pong(n: ping.n))))
        case .event(let event) where event.isTerminal:
            endedRuns += 1
            if event.kind != .runSucceeded {
                failure = "A run ended as \(event.kind.rawValue): \(event.data?.text ?? "")"
            }
        case .error(let error): failure = "The core refused: \(error.message)"
        default: break
        }
    }

    private static var cpuNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
