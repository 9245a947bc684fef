// A worker's machine between a scripted coordinator and scripted tools. Every step is checked;
// unexpected actions fail the test.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

struct WorkerHarness {
    var machine: WorkerMachine
    let slots: Int
    var now = Instant.zero
    /// Actions that no test has checked yet, without reports.
    var actions: [WorkerMachine.Action] = []
    var notices: [WorkerMachine.Notice] = []
    var session = "s1"
    var epoch = 1
    var announced = Limits().announced

    /// Off where checking after each of thousands of steps takes too long.
    var validates = true
    static let run = known(RunID("r1"))
    static let key = known(HandshakeKey([UInt8](repeating: 7, count: Limits.nonceBytes)))

    init(
        slots: Int = 1,
        tools: [ToolDescription] = [ToolDescription(name: "echo", description: "Echoes.")],
        limits: Limits = Limits(),
        exitAfter: Duration? = nil,
        queueLimit: Int = 1_024,
        hasChangingTools: Bool = false,
        replaces: Bool = false,
        seed: UInt64 = 1,
        change: (inout WorkerConfiguration) -> Void = { _ in }
    ) {
        var configuration = WorkerConfiguration(
            name: "w-1",
            slots: slots,
            tools: tools,
            limits: limits,
            exitAfter: exitAfter
        )
        configuration.queueLimit = queueLimit
        configuration.hasChangingTools = hasChangingTools
        configuration.replaces = replaces
        change(&configuration)
        self.slots = slots
        machine = WorkerMachine(configuration: configuration, key: Self.key, seed: seed)
        announced = limits.announced
    }

    /// A harness whose worker is registered.
    static func ready(
        slots: Int = 1,
        tools: [ToolDescription] = [ToolDescription(name: "echo", description: "Echoes.")],
        limits: Limits = Limits(),
        exitAfter: Duration? = nil,
        queueLimit: Int = 1_024
    ) throws -> WorkerHarness {
        var worker = WorkerHarness(
            slots: slots,
            tools: tools,
            limits: limits,
            exitAfter: exitAfter,
            queueLimit: queueLimit
        )
        try worker.send(.startRequested)
        try worker.connect()
        return worker
    }

    // MARK: - Events

    mutating func send(_ event: WorkerMachine.Event) throws {
        try gather { $0.handle(event, at: $1, into: &$2) }
    }

    mutating func receive(_ message: Message) throws {
        try send(.received(message))
    }

    mutating func endTurn() throws {
        try gather { $0.endTurn(at: $1, into: &$2) }
    }

    mutating func wait(_ duration: Duration) throws {
        now = now + duration
        try send(.deadlineReached)
        try endTurn()
    }

    private mutating func gather(
        _ step: (inout WorkerMachine, Instant, inout [WorkerMachine.Action]) -> Void
    ) throws {
        var made: [WorkerMachine.Action] = []
        step(&machine, now, &made)
        if validates { try machine.validate() }
        for action in made {
            if case .report(let notice) = action {
                notices.append(notice)
            } else {
                actions.append(action)
            }
        }
    }

    // MARK: - The coordinator

    /// Answers `connect` and everything up to `registered`.
    mutating func connect(adopt: [AttemptID] = [], abandon: [AttemptID] = []) throws {
        expect(.connect)
        let register = try shakeHands()
        #expect(register.slots == slots)
        try receive(.registered(Registered(adopt: adopt, abandon: abandon)))
        try endTurn()
    }

    /// Answers `connect` and everything up to `register`, which it returns.
    mutating func shakeHands() throws -> Register {
        try challenge()
        try receive(welcome)
        guard case .send(.register(let register)) = nextAction() else {
            throw Unexpected("register was expected")
        }
        return register
    }

    /// Answers `connect` and everything up to `auth`; returns what hello asked to resume.
    @discardableResult
    mutating func challenge() throws -> Hello.Resume? {
        try send(.connected(nonce: [UInt8](repeating: 1, count: Limits.nonceBytes)))
        guard case .send(.hello(let hello)) = nextAction() else {
            throw Unexpected("hello was expected")
        }
        var responder = HandshakeResponder(
            nonce: [UInt8](repeating: 2, count: Limits.nonceBytes),
            session: session
        )
        try receive(
            .challenge(try responder.receive(hello, keyring: Keyring([.worker: Self.key]), at: 0))
        )
        guard case .send(.auth(let auth)) = nextAction() else {
            throw Unexpected("auth was expected")
        }
        return try responder.receive(auth).resume
    }

    var welcome: Message {
        .welcome(
            Welcome(
                session: session,
                epoch: epoch,
                software: "test",
                limits: announced,
                heartbeatMilliseconds: 2000,
                leaseMilliseconds: 6000
            )
        )
    }

    /// Loses the connection and waits until the machine connects again.
    mutating func reconnect() throws {
        try send(.disconnected(reason: "reset"))
        try waitForConnect()
    }

    mutating func waitForConnect() throws {
        let deadline = try #require(machine.nextDeadline())
        try wait(deadline - now)
        if actions.first != .connect { Issue.record("no connect, but \(actions)") }
    }

    static func name(_ node: Int) -> NamedAttempt {
        NamedAttempt(id(node), known(NodeID("n\(node)")))
    }

    static func id(_ node: Int, number: Int = 1) -> AttemptID {
        AttemptID(run: run, node: node, number: number)
    }

    static func dispatch(
        _ node: Int,
        tool: String = "echo",
        arguments: Payload = .inline(.emptyObject),
        timeout: Int? = nil
    ) -> Message {
        .dispatch(
            Dispatch(
                attempt: id(node),
                run: run,
                node: known(NodeID("n\(node)")),
                tool: tool,
                arguments: arguments,
                timeoutMilliseconds: timeout,
                leaseMilliseconds: 6000,
                maxOutput: 1 << 20,
                number: 1
            )
        )
    }

    mutating func dispatch(
        _ nodes: Int...,
        tool: String = "echo",
        timeout: Int? = nil
    ) throws {
        for node in nodes {
            try receive(Self.dispatch(node, tool: tool, timeout: timeout))
        }
    }

    // MARK: - The tools

    mutating func finish(
        _ node: Int,
        _ output: RawJSON = .null,
        isTruncated: Bool = false
    ) throws {
        try send(
            .attemptFinished(
                Self.id(node),
                .success(output),
                isTruncated: isTruncated,
                microseconds: 5
            )
        )
    }

    mutating func fail(_ node: Int, _ code: FailureCode, _ message: String = "no") throws {
        let failure = Failure(code: code, message: message)
        try send(
            .attemptFinished(
                Self.id(node),
                .failure(failure),
                isTruncated: false,
                microseconds: 5
            )
        )
    }

    // MARK: - Expectations

    mutating func nextAction() -> WorkerMachine.Action? {
        actions.isEmpty ? nil : actions.removeFirst()
    }

    mutating func expect(
        _ action: WorkerMachine.Action,
        at location: SourceLocation = #_sourceLocation
    ) {
        let next = nextAction()
        #expect(next == action, sourceLocation: location)
    }

    mutating func expect(
        sent message: Message,
        at location: SourceLocation = #_sourceLocation
    ) {
        expect(.send(message), at: location)
    }

    mutating func expectStart(_ nodes: Int..., at location: SourceLocation = #_sourceLocation) {
        for node in nodes {
            guard case .startAttempt(let start) = nextAction() else {
                Issue.record("the start of \(node) was expected", sourceLocation: location)
                return
            }
            #expect(start.attempt == Self.id(node), sourceLocation: location)
        }
    }

    mutating func expectStarted(_ nodes: Int..., at location: SourceLocation = #_sourceLocation) {
        for node in nodes {
            expect(sent: .started(Started(attempt: Self.id(node))), at: location)
        }
    }

    mutating func expectResult(
        _ node: Int,
        _ output: RawJSON = .null,
        at location: SourceLocation = #_sourceLocation
    ) {
        expect(
            sent: .result(
                ResultMessage(
                    attempt: Self.id(node),
                    outcome: .success(.inline(output)),
                    durationMicroseconds: 5
                )
            ),
            at: location
        )
    }

    /// The failure that is sent next, for a node.
    mutating func nextFailure(
        _ node: Int,
        at location: SourceLocation = #_sourceLocation
    ) throws -> Failure {
        guard case .send(.result(let result)) = nextAction(),
            case .failure(let failure) = result.outcome
        else { throw Unexpected("a failure of \(node) was expected") }
        #expect(result.attempt == Self.id(node), sourceLocation: location)
        return failure
    }

    mutating func expectReject(
        _ node: Int,
        _ code: RejectCode,
        at location: SourceLocation = #_sourceLocation
    ) {
        guard case .send(.reject(let reject)) = nextAction() else {
            Issue.record("a reject of \(node) was expected", sourceLocation: location)
            return
        }
        #expect(reject.attempt == Self.id(node), sourceLocation: location)
        #expect(reject.code == code, sourceLocation: location)
    }

    func expectNothingElse(at location: SourceLocation = #_sourceLocation) {
        #expect(actions.isEmpty, sourceLocation: location)
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A value that must be valid.
func known<Value>(_ value: Value?) -> Value {
    guard let value else { fatalError("the test has an invalid id or key") }
    return value
}
