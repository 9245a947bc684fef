// A peer of the machine under test: keeps received messages until a test reads them, and sends the
// messages of workers and clients.

import CoordinatorCore
import Core
import JSON
import Plans
import TestKit
import Testing
import Wire

/// A peer of the machine.
final class TestPeer {
    let id: ConnectionID
    let role: Role
    let name: String
    let key: HandshakeKey
    unowned let harness: MachineHarness
    var answersPings = true
    private(set) var session = ""
    private(set) var epoch = 0
    /// Dispatches that the worker has not answered.
    private(set) var held: [AttemptID] = []
    private var inbox: [Message] = []
    /// Messages that the machine has sent to it.
    var wire: PacedWire
    /// Whether the machine reads nothing from it at present, and its waiting messages.
    var isPaused = false
    private var heldBack: [Message] = []

    init(
        id: ConnectionID,
        role: Role,
        name: String,
        key: HandshakeKey?,
        wire: PacedWire,
        harness: MachineHarness
    ) {
        self.id = id
        self.wire = wire
        self.role = role
        self.name = name
        guard let key = key ?? MachineHarness.keys[role] else { preconditionFailure("no key") }
        self.key = key
        self.harness = harness
    }

    func arrived(_ message: Message) {
        if case .dispatch(let dispatch) = message { held.append(dispatch.attempt) }
        inbox.append(message)
    }

    func send(_ message: Message, sourceLocation: SourceLocation = #_sourceLocation) {
        switch message {
        case .result(let result): held.removeAll { $0 == result.attempt }
        case .reject(let reject): held.removeAll { $0 == reject.attempt }
        default: break
        }
        if isPaused { return heldBack.append(message) }
        do {
            let arrived = try WireTrip.arrive(message)
            harness.handle(.received(id, arrived), sourceLocation: sourceLocation)
        } catch {
            Issue.record("\(error): \(message)", sourceLocation: sourceLocation)
        }
    }

    /// Sends a raw line, such as one from a worker in another language.
    func send(line: String) throws {
        harness.handle(.received(id, try Message(decoding: Array(line.utf8)[...])))
    }

    /// The machine reads from the peer again, starting with the waiting messages.
    func sendHeldBack() {
        isPaused = false
        while !isPaused, !heldBack.isEmpty { send(heldBack.removeFirst()) }
    }

    func disconnect() { harness.handle(.disconnected(id)) }

    func forgetHeld() { held = [] }

    /// The whole handshake.
    func shakeHands(resume: Hello.Resume? = nil) {
        var initiator = HandshakeInitiator(
            role: role,
            name: name,
            key: key,
            nonce: [UInt8](repeating: 9, count: 32),
            resume: resume
        )
        send(.hello(initiator.hello()))
        guard case .challenge(let challenge)? = take().last else {
            Issue.record("\(name) got no challenge")
            return
        }
        do {
            send(.auth(try initiator.answer(to: challenge)))
        } catch {
            Issue.record("\(error)")
        }
        guard case .welcome(let welcome)? = take().last else {
            Issue.record("\(name) was not welcomed")
            return
        }
        session = welcome.session
        epoch = welcome.epoch
    }

    // MARK: - Looking

    /// Removes and returns all messages.
    func take() -> [Message] {
        defer { inbox.removeAll() }
        return inbox
    }

    /// The next message of this kind; the others stay.
    ///
    /// Messages of one turn to one worker have no defined order.
    func next<Body>(
        _ body: (Message) -> Body?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Body {
        let index = try #require(
            inbox.firstIndex { body($0) != nil },
            "only \(inbox.map(\.kind.rawValue)) arrived",
            sourceLocation: sourceLocation
        )
        return try #require(body(inbox.remove(at: index)), sourceLocation: sourceLocation)
    }

    func nextDispatch(sourceLocation: SourceLocation = #_sourceLocation) throws -> Dispatch {
        try next(
            {
                if case .dispatch(let dispatch) = $0 { dispatch } else { nil }
            },
            sourceLocation: sourceLocation
        )
    }

    /// The next acknowledgement, which may come later.
    func nextAck(sourceLocation: SourceLocation = #_sourceLocation) throws -> Ack {
        if !inbox.contains(where: { $0.kind == .ack }) { harness.advance(Limits().ackDelay) }
        return try next(
            {
                if case .ack(let ack) = $0 { ack } else { nil }
            },
            sourceLocation: sourceLocation
        )
    }

    func nextEvent(sourceLocation: SourceLocation = #_sourceLocation) throws -> EventMessage {
        try next(
            {
                if case .event(let event) = $0 { event } else { nil }
            },
            sourceLocation: sourceLocation
        )
    }

    func nextError(sourceLocation: SourceLocation = #_sourceLocation) throws -> ErrorMessage {
        try next(
            {
                if case .error(let error) = $0 { error } else { nil }
            },
            sourceLocation: sourceLocation
        )
    }

    func nextAccepted(sourceLocation: SourceLocation = #_sourceLocation) throws -> Accepted {
        try next(
            {
                if case .accepted(let accepted) = $0 { accepted } else { nil }
            },
            sourceLocation: sourceLocation
        )
    }

    /// The kinds of all events that arrived, as "kind node".
    func takeEvents() -> [String] {
        take().map { message in
            guard case .event(let event) = message else { return "\(message.kind.rawValue)" }
            return event.node.map { "\(event.kind.rawValue) \($0)" } ?? event.kind.rawValue
        }
    }

    /// The kinds of all messages that arrived.
    func takeKinds() -> [MessageKind] { take().map(\.kind) }

    // MARK: - As a client

    /// Submits a whole plan and returns the run.
    @discardableResult
    func submit(
        _ nodes: [NodeText],
        key: String = "k",
        watch: WatchLevel? = nil,
        onMissingTool: MissingToolPolicy = .wait,
        join: JoinKind = .concat,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RunID {
        send(
            .submit(
                Submit(
                    key: key,
                    plan: PlanText.plan(nodes),
                    join: join,
                    onMissingTool: onMissingTool,
                    watch: watch
                )
            ),
            sourceLocation: sourceLocation
        )
        return try nextAccepted(sourceLocation: sourceLocation).run
    }

    /// Asks, and returns the data of the reply; chunks are joined.
    func get(
        _ what: GetKind,
        _ run: RunID? = nil,
        node: String? = nil,
        from: Int? = nil,
        limit: Int? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> JSONValue {
        #expect(inbox.isEmpty, sourceLocation: sourceLocation)
        send(
            .get(
                Get(
                    request: 7,
                    what: what,
                    id: run?.text,
                    node: node.flatMap { NodeID($0) },
                    from: from,
                    limit: limit
                )
            ),
            sourceLocation: sourceLocation
        )
        var assembler = ChunkAssembler(maximumBytes: Limits().maxValue)
        for message in take() {
            switch message {
            case .chunk(let chunk): try assembler.append(chunk)
            case .reply(let reply): return JSONValue(try assembler.finish(reply.data))
            default: Issue.record("\(message)", sourceLocation: sourceLocation)
            }
        }
        throw WireError(code: .internal, message: "no reply")
    }

    // MARK: - As a worker

    func start(_ attempt: AttemptID) { send(.started(Started(attempt: attempt))) }

    func succeed(_ attempt: AttemptID, _ output: String = "1", microseconds: Int? = 1_000) {
        let value = RawJSON(trusted: Array(output.utf8)[...])
        send(
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .success(.inline(value)),
                    durationMicroseconds: microseconds
                )
            )
        )
    }

    func fail(
        _ attempt: AttemptID,
        _ code: FailureCode = .toolError,
        retryable: Bool = false
    ) {
        let failure = Failure(code: code, message: "it broke", isRetryable: retryable)
        send(
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .failure(failure),
                    durationMicroseconds: 500
                )
            )
        )
    }

    /// Comes back over a new connection with its attempts.
    func resume(
        epoch: Int? = nil,
        session: String? = nil,
        inFlight: [InFlight],
        slots: Int = 1,
        tools: [ToolDescription] = [ToolDescription(name: "t", description: "")]
    ) -> TestPeer {
        let peer = harness.connect(.worker, name)
        peer.shakeHands(
            resume: Hello.Resume(session: session ?? self.session, epoch: epoch ?? self.epoch)
        )
        peer.held = inFlight.filter { $0.state == .running }.map(\.attempt)
        peer.send(.register(Register(slots: slots, tools: tools, inFlight: inFlight)))
        return peer
    }
}

/// A tool that may run twice.
func idempotent(_ name: String = "t", maxAttempts: Int? = nil) -> ToolDescription {
    ToolDescription(name: name, description: "", isIdempotent: true, maxAttempts: maxAttempts)
}

/// A tool with a schema.
func tool(_ name: String, schema: String) -> ToolDescription {
    ToolDescription(
        name: name,
        description: "",
        parameters: RawJSON(trusted: Array(schema.utf8)[...])
    )
}

extension TestPeer {
    /// Submits a goal, and returns its run.
    func submitGoal(
        join: JoinKind = .llm,
        planner: PlannerOptions = PlannerOptions(),
        tools: [String]? = nil,
        budget: Budget = Budget(),
        watch: WatchLevel = .progress
    ) throws -> RunID {
        send(
            .submit(
                Submit(
                    key: "g",
                    plan: nil,
                    goal: "Find the number.",
                    planner: planner,
                    join: join,
                    tools: tools,
                    budget: budget,
                    watch: watch
                )
            )
        )
        return try nextAccepted().run
    }
}
