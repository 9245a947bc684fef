// Random lives of a worker: a coordinator and tools that do anything they may, a network that fails
// at any time. The machine must be consistent after every step, start no attempt twice, answer
// every attempt, and come to rest.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("Random lives of a worker")
struct FuzzTests {
    @Test("A worker stays consistent in every random life", arguments: 0..<40)
    func consistent(seed: UInt64) throws {
        var life = Life(seed: seed)
        try life.start()
        for _ in 0..<1000 { try life.step() }
        try life.settle()
    }

    @Test("The same seed gives the same life")
    func deterministic() throws {
        func trace(_ seed: UInt64) throws -> [String] {
            var life = Life(seed: seed)
            try life.start()
            for _ in 0..<400 { try life.step() }
            return life.trace
        }
        #expect(try trace(5) == trace(5))
        #expect(try trace(5) != trace(6))
    }
}

/// A worker's machine and everything around it, driven by one generator.
private struct Life {
    private enum Network { case waiting, connecting, shaking, up }

    private var random: SplitMix64
    private var machine: WorkerMachine
    private var now = Instant.zero
    private var network = Network.waiting
    private var responder: HandshakeResponder?
    private var sessions = 0
    private var isAwaited = false
    /// Running tools, and those told to stop.
    private var tools: [AttemptID] = []
    private var stopping: Set<AttemptID> = []
    /// Attempts as the coordinator knows them.
    private var sent: [AttemptID] = []
    private var answered: Set<AttemptID> = []
    private var started: Set<AttemptID> = []
    /// What the last pong listed.
    private var held: [AttemptID] = []
    private var nextNode = 0
    private(set) var trace: [String] = []
    private let limits: Limits

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        var limits = Limits()
        limits.chunkBytes = 64
        limits.maxLine = 4096
        limits.window = 300
        limits.maxValue = 8000
        self.limits = limits
        var configuration = WorkerConfiguration(
            name: "w",
            slots: 3,
            tools: [
                ToolDescription(name: "any", description: ""),
                ToolDescription(name: "one", description: "", concurrency: 1),
                ToolDescription(name: "two", description: "", concurrency: 2),
            ],
            limits: limits
        )
        configuration.queueLimit = 9
        configuration.hasChangingTools = true
        machine = WorkerMachine(
            configuration: configuration,
            key: WorkerHarness.key,
            seed: seed
        )
    }

    mutating func start() throws {
        try feed(.startRequested)
    }

    mutating func step() throws {
        now = now + .microseconds(Int.random(in: 0...20_000, using: &random))
        if let deadline = machine.nextDeadline(), deadline <= now || chance(0.02) {
            now = max(now, deadline)
            try feed(.deadlineReached)
        }
        switch network {
        case .waiting:
            // Only waiting helps.
            if let deadline = machine.nextDeadline(), chance(0.3) { now = max(now, deadline) }
        case .connecting:
            if chance(0.3) { try connect() }
        case .shaking, .up:
            if chance(0.01) { try breakDown() } else if network == .up { try talk() }
        }
        try runTools()
        if chance(0.4) { try endTurn() }
    }

    /// Lets everything end without faults: nothing may be left at the worker.
    mutating func settle() throws {
        for _ in 0..<2000 where machine.counts != (0, 0, 0) || network != .up {
            if let deadline = machine.nextDeadline() {
                now = min(max(now, deadline), now + .seconds(1))
            }
            try feed(.deadlineReached)
            if network == .connecting { try connect() }
            if let tool = tools.first { try finish(tool) }
            if isAwaited { try written() }
            if network == .up {
                try feed(.received(.ping(Ping(n: 1))))
                for id in held { try feed(.received(.window(Window(attempt: id, bytes: 1000)))) }
                try feed(.received(.ack(Ack(attempts: Array(answered)))))
            }
            try endTurn()
        }
        let counts = machine.counts
        #expect(counts == (0, 0, 0))
        #expect(tools.isEmpty)
        try feed(.drainRequested(deadline: nil))
        try endTurn()
        let hasEnded = machine.hasEnded
        #expect(hasEnded)
    }

    private mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &random) < probability
    }

    // MARK: - The shell

    private mutating func feed(_ event: WorkerMachine.Event) throws {
        var actions: [WorkerMachine.Action] = []
        machine.handle(event, at: now, into: &actions)
        try machine.validate()
        for action in actions { try perform(action) }
    }

    private mutating func endTurn() throws {
        var actions: [WorkerMachine.Action] = []
        machine.endTurn(at: now, into: &actions)
        try machine.validate()
        for action in actions { try perform(action) }
    }

    private mutating func perform(_ action: WorkerMachine.Action) throws {
        trace.append("\(now.nanoseconds) \(action)")
        switch action {
        case .connect:
            #expect(network == .waiting)
            network = .connecting
        case .disconnect:
            #expect(network == .shaking || network == .up)
            network = .waiting
            isAwaited = false
        case .send(let message):
            #expect(network == .shaking || network == .up)
            try hear(message)
        case .awaitWritten:
            #expect(!isAwaited)
            isAwaited = true
        case .checkTools:
            try feed(.toolsChecked(chance(0.5) ? [WithheldTool(name: "echo", reason: "gone")] : []))
        case .startAttempt(let start):
            #expect(network == .up)
            #expect(!tools.contains(start.attempt))
            if chance(0.1) {
                return try feed(
                    .attemptNotStarted(
                        start.attempt,
                        WorkerMachine.StartProblem(
                            failure: Failure(
                                code: .spawnFailed,
                                message: "no",
                                isRetryable: true
                            ),
                            isShortage: chance(0.7),
                            arguments: start.arguments
                        )
                    )
                )
            }
            #expect(started.insert(start.attempt).inserted, "\(start.attempt) starts twice")
            tools.append(start.attempt)
            #expect(tools.count <= 3)
        case .cancelAttempt(let id, _):
            #expect(tools.contains(id))
            stopping.insert(id)
        case .report, .exit:
            break
        }
    }

    // MARK: - The network and the coordinator

    private mutating func connect() throws {
        if chance(0.2) {
            network = .waiting
            return try feed(.connectFailed(reason: "refused"))
        }
        network = .shaking
        sessions += 1
        responder = HandshakeResponder(
            nonce: [UInt8](repeating: 3, count: 32),
            session: "s\(sessions)"
        )
        try feed(.connected(nonce: [UInt8](repeating: UInt8(sessions % 256), count: 32)))
    }

    private mutating func breakDown() throws {
        network = .waiting
        isAwaited = false
        try feed(.disconnected(reason: chance(0.5) ? "reset" : nil))
    }

    /// Answers the worker's messages.
    private mutating func hear(_ message: Message) throws {
        var writer = JSONWriter()
        message.encode(into: &writer)
        #expect(writer.bytes.count <= limits.maxLine + 1)
        switch message {
        case .hello(let hello):
            guard
                let challenge = try responder?.receive(
                    hello,
                    keyring: Keyring([.worker: WorkerHarness.key]),
                    at: 0
                )
            else { return }
            try feed(.received(.challenge(challenge)))
        case .auth(let auth):
            guard let peer = try responder?.receive(auth) else { return }
            let isResumed = chance(0.7) && peer.resume != nil
            let session = isResumed ? peer.resume?.session ?? "" : "s\(sessions)"
            try feed(
                .received(
                    .welcome(
                        Welcome(
                            session: session,
                            epoch: 1,
                            software: "test",
                            limits: limits.announced,
                            heartbeatMilliseconds: 2000,
                            leaseMilliseconds: 6000
                        )
                    )
                )
            )
        case .register(let register):
            let adopt = register.inFlight.map(\.attempt).filter { _ in chance(0.8) }
            let abandon = register.inFlight.map(\.attempt).filter { !adopt.contains($0) }
            for id in abandon { answered.remove(id) }
            network = .up
            try feed(.received(.registered(Registered(adopt: adopt, abandon: abandon))))
        case .pong(let pong):
            held = pong.inFlight ?? []
        case .result(let result):
            answered.insert(result.attempt)
        case .reject(let reject):
            #expect(!started.contains(reject.attempt), "\(reject.attempt) began")
        default:
            break
        }
    }

    private mutating func talk() throws {
        switch Int.random(in: 0..<14, using: &random) {
        case 0...4:
            try dispatch()
        case 5...6:
            let some = Array(sent.filter { answered.contains($0) }.prefix(3))
            for id in some { answered.remove(id) }
            try feed(
                .received(
                    chance(0.2) ? .ack(Ack(attempts: [], stale: some)) : .ack(Ack(attempts: some))
                )
            )
        case 7:
            guard let id = sent.randomElement(using: &random) else { return }
            let reason = chance(0.5) ? Cancel.recalled : Cancel.cancelled
            try feed(
                .received(
                    .cancel(Cancel(attempt: id, reason: reason, graceMilliseconds: 10))
                )
            )
        case 8:
            guard let id = sent.randomElement(using: &random) else { return }
            try feed(.received(.window(Window(attempt: id, bytes: 200))))
        case 9:
            try feed(.received(.ping(Ping(n: 1))))
        case 10 where chance(0.03):
            try feed(
                .received(
                    .error(ErrorMessage(code: .badMessage, message: "", isFatal: true))
                )
            )
        case 11 where chance(0.03):
            try feed(.received(.bye(Bye(reason: "update"))))
        case 12 where chance(0.03):
            try feed(.violated(WireError(code: .badJSON, message: "no")))
        default:
            if isAwaited { try written() }
        }
    }

    private mutating func written() throws {
        isAwaited = false
        try feed(.written)
    }

    private mutating func dispatch() throws {
        let id = WorkerHarness.id(nextNode)
        nextNode += 1
        sent = sent.suffix(40) + [id]
        var arguments = Payload.inline(.emptyObject)
        if chance(0.2) {
            let chunks = Chunk.slice(
                value: RawJSON(String(repeating: "x", count: 300)),
                about: .attempt(id),
                stream: .arguments,
                bytesPerChunk: 64
            )
            for chunk in chunks where !chance(0.02) { try feed(.received(.chunk(chunk))) }
            arguments = Payload(announcing: chunks)
        }
        guard network == .up else { return }
        let tool = ["any", "one", "two", "none"][Int.random(in: 0..<40, using: &random) % 4]
        try feed(
            .received(
                .dispatch(
                    Dispatch(
                        attempt: id,
                        run: id.run,
                        node: known(NodeID("n")),
                        tool: tool,
                        arguments: arguments,
                        timeoutMilliseconds: chance(0.3)
                            ? Int.random(in: 1...2000, using: &random) : nil,
                        leaseMilliseconds: 6000,
                        maxOutput: 100,
                        number: 1
                    )
                )
            )
        )
    }

    // MARK: - The tools

    private mutating func runTools() throws {
        guard let id = tools.randomElement(using: &random), chance(0.3) else { return }
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            try feed(.attemptProgressed(id, fraction: 0.5, note: "half"))
        case 1:
            try feed(
                .attemptOutput(
                    id,
                    .standardError,
                    [UInt8](repeating: 65, count: 100)
                )
            )
        default:
            try finish(id)
        }
    }

    private mutating func finish(_ id: AttemptID) throws {
        tools.removeAll { $0 == id }
        let outcome: Result<RawJSON, Failure>
        if stopping.remove(id) != nil, chance(0.7) {
            outcome = .failure(Failure(code: .cancelled, message: "stopped"))
        } else if chance(0.2) {
            outcome = .failure(Failure(code: .toolError, message: "no"))
        } else {
            let bytes = chance(0.3) ? Int.random(in: 2000...9000, using: &random) : 10
            outcome = .success(RawJSON(String(repeating: "y", count: bytes)))
        }
        try feed(.attemptFinished(id, outcome, isTruncated: false, microseconds: 7))
    }
}
