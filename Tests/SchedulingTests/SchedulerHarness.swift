// A real scheduler with a recorder: names instead of indexes, one line of text for each action, and
// every cross-reference checked after each step.

import Core
import Plans
import Scheduling
import Testing

/// One node of a plan under test.
struct TestNode {
    var name: String
    var tool = "t"
    var after: [String] = []
    var requires: [String: String] = [:]
    var maxAttempts: Int?
    var timeout: Duration?
    var needsArguments = false
}

/// Shorthand for a node.
func node(
    _ name: String,
    after: String...,
    tool: String = "t",
    requires: [String: String] = [:],
    maxAttempts: Int? = nil,
    timeout: Duration? = nil
) -> TestNode {
    TestNode(
        name: name,
        tool: tool,
        after: after,
        requires: requires,
        maxAttempts: maxAttempts,
        timeout: timeout
    )
}

/// Drives one scheduler and keeps every action until a test expects it.
final class SchedulerHarness {
    private(set) var scheduler: Scheduler
    var now = Instant.zero
    /// Actions as lines, in order, since the last `expect`.
    private(set) var lines: [String] = []
    private(set) var actions: [Scheduler.Action] = []
    /// The messages of all failures that nodes ended with.
    private(set) var messages: [String] = []
    /// Off for plans that are too large to check after each step.
    var validates = true
    /// Transitions that were seen, as "from>to".
    private(set) var moves: Set<String> = []
    private var names: [RunID: [String]] = [:]
    private var kinds: [RunID: [NodeStateKind]] = [:]
    private var workerNames: [WorkerID: String] = [:]
    private var workers: [String: WorkerID] = [:]
    private var workerCount = 0

    init(limits: SchedulerLimits = SchedulerLimits(), seed: UInt64 = 1) {
        scheduler = Scheduler(limits: limits, seed: seed)
    }

    // MARK: - Steps

    /// Handles one event without placing.
    func handle(_ event: Scheduler.Event, sourceLocation: SourceLocation = #_sourceLocation) {
        scheduler.handle(event, at: now, into: &actions)
        record(sourceLocation)
    }

    /// One placement pass.
    func place(sourceLocation: SourceLocation = #_sourceLocation) {
        scheduler.continueSweeps(into: &actions)
        scheduler.place(at: now, into: &actions)
        record(sourceLocation)
    }

    /// One event and the placement pass that ends its turn.
    func turn(_ event: Scheduler.Event, sourceLocation: SourceLocation = #_sourceLocation) {
        handle(event, sourceLocation: sourceLocation)
        place(sourceLocation: sourceLocation)
    }

    /// Advances time through every deadline.
    func advance(_ duration: Duration, sourceLocation: SourceLocation = #_sourceLocation) {
        let end = now + duration
        while let next = scheduler.nextDeadline(), next <= end {
            now = max(now, next)
            turn(.deadlineReached, sourceLocation: sourceLocation)
        }
        now = end
    }

    private func record(_ sourceLocation: SourceLocation) {
        for action in actions {
            // Tests check the consequences of the end of a pause, not the end itself.
            if case .publishPauseEnded = action { continue }
            lines.append(line(action))
            if case .settle(_, .failed(let failure)) = action { messages.append(failure.message) }
        }
        actions.removeAll()
        guard validates else { return }
        do {
            try scheduler.validate()
        } catch {
            Issue.record("\(error)", sourceLocation: sourceLocation)
        }
        for (run, names) in names {
            for index in names.indices {
                guard let state = scheduler.state(of: NodeReference(run: run, node: index)) else {
                    continue
                }
                let old = kinds[run]?[index] ?? .waiting
                if old != state.kind { moves.insert("\(old)>\(state.kind)") }
                kinds[run]?[index] = state.kind
            }
        }
    }

    // MARK: - Workers

    @discardableResult
    func join(
        _ name: String,
        slots: Int = 1,
        tools: [String: ToolOffer] = ["t": ToolOffer()],
        labels: [String: String] = [:],
        queueLimit: Int? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> WorkerID {
        workerCount += 1
        let id = WorkerID(workerCount)
        workerNames[id] = name
        workers[name] = id
        let profile = WorkerProfile(
            name: name,
            slots: slots,
            tools: tools,
            labels: labels,
            queueLimit: queueLimit
        )
        turn(.workerJoined(id, profile), sourceLocation: sourceLocation)
        return id
    }

    func worker(_ name: String) -> WorkerID { workers[name] ?? WorkerID(0) }

    func suspect(_ name: String) { turn(.workerSuspected(worker(name))) }
    func recover(_ name: String) { turn(.workerRecovered(worker(name))) }
    func drain(_ name: String) { turn(.workerDrained(worker(name))) }
    func lose(_ name: String) { turn(.workerLost(worker(name))) }

    // MARK: - Runs

    /// Adds a complete run.
    func submit(
        _ run: String,
        _ nodes: [TestNode],
        missing: MissingToolPolicy = .wait,
        maxRunning: Int? = nil,
        owner: RunOwner? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let id = runID(run)
        handle(
            .runAdded(id, missing, maxRunning: maxRunning, owner: owner),
            sourceLocation: sourceLocation
        )
        add(run, nodes, sourceLocation: sourceLocation)
        handle(.runClosed(id), sourceLocation: sourceLocation)
        place(sourceLocation: sourceLocation)
    }

    /// Adds a complete run named "r".
    func submit(
        _ nodes: [TestNode],
        missing: MissingToolPolicy = .wait,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        submit("r", nodes, missing: missing, sourceLocation: sourceLocation)
    }

    /// Opens a run that grows.
    func open(_ run: String = "r", missing: MissingToolPolicy = .wait) {
        handle(.runAdded(runID(run), missing))
    }

    /// Adds nodes; unknown names hold their node.
    func add(
        _ run: String,
        _ nodes: [TestNode],
        held: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let id = runID(run)
        let first = names[id]?.count ?? 0
        names[id, default: []] += nodes.map(\.name)
        kinds[id, default: []] += nodes.map { _ in .waiting }
        var edges: [Plan.Edge] = []
        for (offset, node) in nodes.enumerated() {
            for dependency in node.after {
                edges.append(
                    Plan.Edge(dependency: index(dependency, run), dependent: first + offset)
                )
            }
        }
        let specs = nodes.map {
            NodeSpec(
                tool: $0.tool,
                requires: $0.requires,
                maxAttempts: $0.maxAttempts,
                timeout: $0.timeout,
                needsArguments: $0.needsArguments
            )
        }
        let holds = held.map { index($0, run) }
        handle(.nodesAdded(id, specs, edges: edges, held: holds), sourceLocation: sourceLocation)
    }

    /// Appends nodes to the run named "r".
    func add(
        _ nodes: [TestNode],
        held: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        add("r", nodes, held: held, sourceLocation: sourceLocation)
    }

    func close(_ run: String = "r") { turn(.runClosed(runID(run))) }
    func release(_ nodes: [String], _ run: String = "r") {
        turn(.nodesReleased(runID(run), nodes.map { index($0, run) }))
    }
    func cancel(_ run: String = "r") { turn(.cancelRequested(runID(run))) }

    // MARK: - Attempts

    func start(_ name: String, _ run: String = "r") {
        turn(.attemptStarted(attempt(name, run), holder(name, run)))
    }

    func finish(_ name: String, _ run: String = "r", microseconds: Int? = nil) {
        turn(
            .attemptSucceeded(attempt(name, run), holder(name, run), microseconds: microseconds)
        )
    }

    func fail(
        _ name: String,
        _ run: String = "r",
        code: FailureCode = .toolError,
        retryable: Bool = false
    ) {
        let failure = Failure(code: code, message: "it broke", isRetryable: retryable)
        turn(.attemptFailed(attempt(name, run), holder(name, run), failure))
    }

    func reject(_ name: String, _ rejection: Rejection, _ run: String = "r") {
        turn(.attemptRejected(attempt(name, run), holder(name, run), rejection))
    }

    func forget(_ name: String, _ run: String = "r") {
        turn(.attemptForgotten(attempt(name, run), holder(name, run)))
    }

    // MARK: - Looking

    func runID(_ run: String) -> RunID {
        guard let id = RunID(run) else { preconditionFailure("\(run) is no run id") }
        return id
    }

    func index(_ name: String, _ run: String = "r") -> Int {
        names[runID(run)]?.lastIndex(of: name) ?? -1
    }

    func reference(_ name: String, _ run: String = "r") -> NodeReference {
        NodeReference(run: runID(run), node: index(name, run))
    }

    func attempt(_ name: String, _ run: String = "r", number: Int? = nil) -> AttemptID {
        let reference = reference(name, run)
        return AttemptID(
            run: reference.run,
            node: reference.node,
            number: number ?? scheduler.attempts(of: reference)
        )
    }

    func state(_ name: String, _ run: String = "r") -> NodeState? {
        scheduler.state(of: reference(name, run))
    }

    /// The worker that holds the node now.
    func holder(_ name: String, _ run: String = "r") -> WorkerID {
        state(name, run)?.worker ?? WorkerID(0)
    }

    /// Returns and removes the actions since the last call, without the events of readiness.
    func take() -> [String] {
        defer { lines.removeAll() }
        return lines.filter { !$0.hasPrefix("ready ") }
    }

    /// Checks that the actions since the last call are exactly these; readiness counts when it is
    /// named.
    func expect(_ expected: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        let named = expected.contains { $0.hasPrefix("ready ") }
        let seen = lines.filter { named || !$0.hasPrefix("ready ") }
        lines.removeAll()
        #expect(seen == expected, sourceLocation: sourceLocation)
    }

    // MARK: - Words

    private func line(_ action: Scheduler.Action) -> String {
        switch action {
        case .dispatch(let attempt, let worker, _, _):
            "dispatch \(name(attempt)) to \(name(worker))"
        case .cancel(let attempt, let worker, let reason):
            "cancel \(name(attempt)) on \(name(worker)): \(reason.rawValue)"
        case .makeArguments(let node): "make arguments of \(name(node))"
        case .publishReady(let node): "ready \(name(node))"
        case .publishReturned(let attempt, _): "returned \(name(attempt))"
        case .publishRetry(let attempt, let failure, _, _):
            "retry \(name(attempt)): \(failure.code)"
        case .publishPauseEnded(let node): "pause of \(name(node)) ended"
        case .publishUnplaceable(let node): "unplaceable \(name(node))"
        case .settle(let node, let settlement): "\(name(node)) \(words(settlement, node.run))"
        case .finish(let run): "finish \(run)"
        }
    }

    private func words(_ settlement: Scheduler.Settlement, _ run: RunID) -> String {
        switch settlement {
        case .succeeded: "succeeded"
        case .failed(let failure): "failed: \(failure.code)"
        case .skipped(let cause): "skipped by \(name(NodeReference(run: run, node: cause)))"
        case .cancelled: "cancelled"
        }
    }

    private func name(_ node: NodeReference) -> String {
        let name = names[node.run]?[node.node] ?? "?"
        return node.run.text == "r" ? name : "\(node.run).\(name)"
    }

    private func name(_ attempt: AttemptID) -> String {
        name(NodeReference(run: attempt.run, node: attempt.node)) + "/\(attempt.number)"
    }

    private func name(_ worker: WorkerID) -> String { workerNames[worker] ?? "\(worker)" }
}
