// One type for each promise. They watch what passes between the machines and keep books of their
// own; what a machine believes is only compared with.

import CoordinatorCore
import JSON
import Plans
import Wire
import WorkerCore

/// Every accepted run ends once, and nothing of it is dispatched once it was cancelled or has ended.
struct RunEndChecker {
    private var accepted: [String: RunID] = [:]
    private(set) var order: [RunID] = []
    private(set) var ended: [RunID: String] = [:]
    private var cancelled: Set<RunID> = []

    mutating func accept(_ key: String, _ run: RunID, isExisting: Bool) -> String? {
        if let known = accepted[key] {
            return known == run && isExisting ? nil : "\(key) is run \(run), but was \(known)"
        }
        accepted[key] = run
        order.append(run)
        return isExisting ? "\(key) is said to exist, but is new" : nil
    }

    func run(of key: String) -> RunID? { accepted[key] }

    mutating func cancel(_ run: RunID) {
        if ended[run] == nil { cancelled.insert(run) }
    }

    mutating func end(_ run: RunID, _ status: String) -> String? {
        if let earlier = ended.updateValue(status, forKey: run) {
            return "run \(run) ended as \(earlier) and as \(status)"
        }
        return nil
    }

    func dispatch(_ attempt: AttemptID) -> String? {
        if cancelled.contains(attempt.run) { return "\(attempt) was dispatched after the cancel" }
        if ended[attempt.run] != nil { return "\(attempt) was dispatched after the end" }
        return nil
    }

    var open: [RunID] { order.filter { ended[$0] == nil } }
}

/// Attempt numbers rise by one, and only the current attempt's result changes its node.
struct AttemptNumberChecker {
    private var latest: [String: Int] = [:]

    private static func key(_ attempt: AttemptID) -> String { "\(attempt.run)/\(attempt.node)" }

    mutating func dispatch(_ attempt: AttemptID) -> String? {
        let before = latest.updateValue(attempt.number, forKey: Self.key(attempt)) ?? 0
        return attempt.number > before ? nil : "\(attempt) follows attempt \(before)"
    }

    func isLatest(_ attempt: AttemptID) -> Bool {
        latest[Self.key(attempt)] == attempt.number
    }
}

/// A node is dispatched when all that it depends on has succeeded, with exactly those outputs.
struct DependencyChecker {
    private var plans: [RunID: ModelPlan] = [:]
    private var outputs: [RunID: [Int: RawJSON]] = [:]
    private var expected: [AttemptID: String] = [:]

    mutating func accept(_ run: RunID, _ plan: ModelPlan) { plans[run] = plan }

    mutating func dispatch(_ attempt: AttemptID, node: NodeID, tool: String) -> String? {
        guard let plan = plans[attempt.run], plan.nodes.indices.contains(attempt.node) else {
            return "\(attempt) is of no plan"
        }
        let model = plan.nodes[attempt.node]
        let known = outputs[attempt.run] ?? [:]
        if model.id != node.text || model.tool != tool { return "\(attempt) is another node" }
        if known[attempt.node] != nil { return "\(attempt) runs a node that has succeeded" }
        for dependency in model.dependencies where known[dependency] == nil {
            return "\(attempt) was dispatched before n\(dependency)"
        }
        guard let arguments = model.arguments(ids: plan.ids, outputs: known) else {
            return "\(attempt) was dispatched with a reference into nothing"
        }
        expected[attempt] = arguments
        return nil
    }

    func start(_ attempt: AttemptID, _ arguments: RawJSON) -> String? {
        guard let expected = expected[attempt] else { return "\(attempt) began undispatched" }
        return arguments.text == expected
            ? nil : "\(attempt) has the arguments \(arguments.text) instead of \(expected)"
    }

    mutating func record(_ attempt: AttemptID, _ output: RawJSON) -> String? {
        if outputs[attempt.run]?[attempt.node] != nil { return "\(attempt) succeeded again" }
        outputs[attempt.run, default: [:]][attempt.node] = output
        return nil
    }

    func output(_ run: RunID, _ node: Int) -> RawJSON? { outputs[run]?[node] }
}

/// No attempt begins twice, and a tool that is not idempotent never begins again after an attempt
/// that may have taken effect.
struct ExecutionChecker {
    private struct Execution {
        var attempt: AttemptID
        var mayBeRepeated = false
    }

    private var executions: [String: [Execution]] = [:]
    private(set) var count = 0

    private static func key(_ attempt: AttemptID) -> String { "\(attempt.run)/\(attempt.node)" }

    mutating func start(_ attempt: AttemptID, tool: String) -> String? {
        count += 1
        let earlier = executions[Self.key(attempt)] ?? []
        executions[Self.key(attempt), default: []].append(Execution(attempt: attempt))
        if earlier.contains(where: { $0.attempt == attempt }) { return "\(attempt) began twice" }
        guard !SimulatedTools.isIdempotent(tool) else { return nil }
        guard let unsafe = earlier.first(where: { !$0.mayBeRepeated }) else { return nil }
        return "\(attempt) of \(tool) began although \(unsafe.attempt) may have taken effect"
    }

    /// The coordinator got the tool's own word that trying again may help.
    mutating func reported(_ attempt: AttemptID, _ failure: Failure) {
        guard failure.isRetryable else { return }
        let key = Self.key(attempt)
        for index in (executions[key] ?? []).indices
        where executions[key]?[index].attempt == attempt {
            executions[key]?[index].mayBeRepeated = true
        }
    }
}

/// A worker's process never runs more than its slots, and one tool never more than its limit.
struct SlotChecker {
    func check(_ worker: SimulatedWorker) -> String? {
        if worker.running.count > worker.slots {
            return "\(worker.label) runs \(worker.running.count) in \(worker.slots) slots"
        }
        let single = worker.running.values.count { $0.start.tool == "single" }
        return single > 1 ? "\(worker.label) runs \(single) of a tool with a limit of 1" : nil
    }
}

/// Who acknowledges what: only results that came, and every one of them in the end.
struct AcknowledgementChecker {
    private var delivered: [ConnectionID: Set<AttemptID>] = [:]
    private var current: Set<AttemptID> = []

    mutating func result(_ attempt: AttemptID, on connection: ConnectionID, isCurrent: Bool) {
        delivered[connection, default: []].insert(attempt)
        if isCurrent { current.insert(attempt) }
    }

    mutating func acknowledge(_ ack: Ack, on connection: ConnectionID) -> String? {
        if ack.attempts.isEmpty, ack.stale.isEmpty { return "an acknowledgement of nothing" }
        for attempt in ack.attempts + ack.stale
        where delivered[connection]?.contains(attempt) != true {
            return "\(attempt) was acknowledged on \(connection), where no result of it came"
        }
        for attempt in ack.attempts where !current.contains(attempt) {
            return "\(attempt) was taken, but was stale"
        }
        return nil
    }
}

/// What a worker was told over its present connection: what the coordinator believes of it must
/// have been said there, whatever was said over an earlier one.
struct ConnectionChecker {
    private struct Said {
        var attempts: Set<AttemptID> = []
        var cancels: Set<AttemptID> = []
        var isDrainKnown = false
    }

    private var said: [ConnectionID: Said] = [:]

    mutating func send(_ message: Message, on connection: ConnectionID) {
        switch message {
        case .dispatch(let dispatch):
            said[connection, default: Said()].attempts.insert(dispatch.attempt)
        case .registered(let registered):
            said[connection, default: Said()].attempts.formUnion(registered.adopt)
        case .cancel(let cancel): said[connection, default: Said()].cancels.insert(cancel.attempt)
        case .drain: said[connection, default: Said()].isDrainKnown = true
        default: break
        }
    }

    mutating func receive(_ message: Message, on connection: ConnectionID) {
        if case .drain = message { said[connection, default: Said()].isDrainKnown = true }
    }

    func holds(_ attempt: AttemptID, isCancelling: Bool, on connection: ConnectionID) -> String? {
        if said[connection]?.attempts.contains(attempt) != true {
            return "\(attempt) is believed on \(connection), where nobody spoke of it"
        }
        if isCancelling, said[connection]?.cancels.contains(attempt) != true {
            return "\(attempt) is being cancelled, which was never said on \(connection)"
        }
        return nil
    }

    func drains(on connection: ConnectionID) -> String? {
        said[connection]?.isDrainKnown == true
            ? nil : "a drain is believed on \(connection), where nobody spoke of it"
    }
}
