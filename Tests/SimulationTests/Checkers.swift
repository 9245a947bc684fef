// One type for each guarantee. They watch the messages between the machines and keep their own
// books; the state of a machine is only compared with these.

import Core
import JSON
import Wire
import WorkerCore

/// Every accepted run ends once, and nothing of it is dispatched once it was cancelled or has ended.
struct RunEndChecker {
    private var accepted: [String: RunID] = [:]
    private(set) var order: [RunID] = []
    private(set) var ended: [RunID: String] = [:]
    private var cancelled: Set<RunID> = []
    private var brokenOff: Set<RunID> = []
    /// Runs that a client cancelled before anything else ended them, and whether their plans were
    /// still growing then.
    private var calledOff: [RunID: Bool] = [:]

    /// A run that ended and was `forgotten` may be replaced by another one with its key.
    mutating func accept(
        _ key: String,
        _ run: RunID,
        isExisting: Bool,
        forgotten: (RunID) -> Bool
    ) -> String? {
        if let known = accepted[key], known == run || ended[known] == nil || !forgotten(known) {
            return known == run && isExisting ? nil : "\(key) is run \(run), but was \(known)"
        }
        accepted[key] = run
        order.append(run)
        return isExisting ? "\(key) is said to exist, but is new" : nil
    }

    /// The run's plan broke off while it was still being written: the run fails in any case.
    mutating func breakOff(_ run: RunID) {
        brokenOff.insert(run)
        cancel(run)
    }

    func isBrokenOff(_ run: RunID) -> Bool { brokenOff.contains(run) }

    func run(of key: String) -> RunID? { accepted[key] }

    mutating func cancel(_ run: RunID) {
        if ended[run] == nil { cancelled.insert(run) }
    }

    /// A client's cancel has arrived for a run that nothing had ended before.
    mutating func callOff(_ run: RunID, isGrowing: Bool) {
        if ended[run] == nil, calledOff[run] == nil { calledOff[run] = isGrowing }
    }

    /// The end of a run follows from the requests and events, in any order: a failure of the run
    /// itself comes first, then a cancel that prevented something, then its nodes.
    func justify(_ run: RunID, _ status: String, _ course: RunCourse) -> String? {
        let wasGrowing = calledOff[run]
        let expected: String
        if let code = course.failure {
            if wasGrowing != nil { return "\(run) failed with \(code) after a client's cancel" }
            expected = "failed"
        } else if let wasGrowing, wasGrowing || course.cancelled > 0 {
            expected = "cancelled"
        } else if course.hasAnswer {
            expected = "succeeded"
        } else if course.cancelled > 0 {
            return "nodes of \(run) were cancelled, and nobody asked for it"
        } else {
            expected = course.failed + course.skipped > 0 ? "failed" : "succeeded"
        }
        return status == expected ? nil : "\(run) ended as \(status), not \(expected): \(course)"
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

    /// Whether a client asked to end a running run.
    func isCancelled(_ run: RunID) -> Bool { cancelled.contains(run) }

    var open: [RunID] { order.filter { ended[$0] == nil } }
}

/// What has become of a run by its end.
struct RunCourse {
    /// Why the run as a whole failed, whatever its nodes did.
    var failure: FailureCode?
    /// Whether its planner gave an answer: then single nodes do not matter any more.
    var hasAnswer = false
    var failed = 0
    var skipped = 0
    var cancelled = 0
}

/// Attempt numbers rise by one, and only the current attempt's result changes its node.
struct AttemptNumberChecker {
    private struct Node: Hashable {
        var run: RunID
        var node: Int
    }

    /// The highest number that was ever sent.
    private var highest: [Node: Int] = [:]
    /// The number of the attempt whose result counts.
    private var latest: [Node: Int] = [:]

    mutating func dispatch(_ attempt: AttemptID) -> String? {
        let node = Node(run: attempt.run, node: attempt.node)
        latest[node] = attempt.number
        let before = highest.updateValue(attempt.number, forKey: node) ?? 0
        return attempt.number > before ? nil : "\(attempt) follows attempt \(before)"
    }

    /// After a crash the latest attempt is that of the records; later ones are forgotten.
    mutating func goBack(to attempts: [(run: RunID, node: Int, number: Int)]) {
        latest = [:]
        for (run, node, number) in attempts { latest[Node(run: run, node: node)] = number }
    }

    func isLatest(_ attempt: AttemptID) -> Bool {
        latest[Node(run: attempt.run, node: attempt.node)] == attempt.number
    }
}

/// No attempt begins twice, and a tool that is not idempotent never begins again after an attempt
/// that may have taken effect.
struct ExecutionChecker {
    private struct Execution {
        var attempt: AttemptID
        let tool: String
        var mayBeRepeated = false
    }

    private var executions: [String: [Execution]] = [:]
    private(set) var count = 0

    private static func key(_ attempt: AttemptID) -> String { "\(attempt.run)/\(attempt.node)" }

    mutating func start(_ attempt: AttemptID, tool: String) -> String? {
        count += 1
        let earlier = executions[Self.key(attempt)] ?? []
        executions[Self.key(attempt), default: []].append(Execution(attempt: attempt, tool: tool))
        if earlier.contains(where: { $0.attempt == attempt }) { return "\(attempt) began twice" }
        guard !SimulatedTools.isIdempotent(tool) else { return nil }
        // A node that a crash undid is in no record: another one may have its place.
        guard let unsafe = earlier.first(where: { !$0.mayBeRepeated && $0.tool == tool }) else {
            return nil
        }
        return "\(attempt) of \(tool) began although \(unsafe.attempt) may have taken effect"
    }

    /// The tool itself has reported that the failure is retryable.
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

/// Acknowledgements: only of results that arrived, and every one of them in the end.
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

/// What a worker was told over its current connection: the coordinator's state must match what was
/// said there, not over an earlier one.
struct ConnectionChecker {
    private struct Said {
        var attempts: Set<AttemptID> = []
        var cancels: Set<AttemptID> = []
        var isDrainKnown = false
        /// Bytes that arrived in chunks of an attempt and were not granted again.
        var owed: [AttemptID: Int] = [:]
    }

    private var said: [ConnectionID: Said] = [:]

    /// Records the coordinator's messages; nothing is sent to a worker over a connection on which
    /// either side has spoken of a drain.
    mutating func send(_ message: Message, on connection: ConnectionID) -> String? {
        switch message {
        case .dispatch(let dispatch):
            said[connection, default: Said()].attempts.insert(dispatch.attempt)
            if said[connection]?.isDrainKnown == true {
                return "\(dispatch.attempt) was dispatched on \(connection), which drains"
            }
        case .registered(let registered):
            said[connection, default: Said()].attempts.formUnion(registered.adopt)
        case .cancel(let cancel): said[connection, default: Said()].cancels.insert(cancel.attempt)
        case .drain: said[connection, default: Said()].isDrainKnown = true
        default: break
        }
        return nil
    }

    mutating func receive(_ message: Message, on connection: ConnectionID) {
        switch message {
        case .drain: said[connection, default: Said()].isDrainKnown = true
        case .chunk(let chunk):
            guard case .attempt(let attempt) = chunk.about else { return }
            said[connection, default: Said()].owed[attempt, default: 0] += chunk.windowBytes
        default: break
        }
    }

    /// No more is granted than arrived over this connection.
    mutating func grant(_ window: Window, on connection: ConnectionID) -> String? {
        let owed = (said[connection]?.owed[window.attempt] ?? 0) - window.bytes
        said[connection, default: Said()].owed[window.attempt] = owed
        return owed < 0 ? "\(window.attempt) was granted \(-owed) bytes that never came" : nil
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

/// A name has at most one session, and a session takes back only attempts of its own process.
struct SessionChecker {
    private var links: [String: [SimulatedLink]] = [:]
    /// The process that got each attempt.
    private var processes: [AttemptID: String] = [:]

    mutating func dispatch(_ attempt: AttemptID, to link: SimulatedLink) {
        processes[attempt] = link.peer
    }

    /// The attempts that a process got.
    func attempts(of process: String) -> [AttemptID] {
        processes.filter { $0.value == process }.map(\.key)
    }

    /// The process that got an attempt.
    func process(of attempt: AttemptID) -> String? { processes[attempt] }

    mutating func register(
        _ name: String,
        adopting attempts: [AttemptID],
        on link: SimulatedLink
    ) -> String? {
        links[name, default: []].append(link)
        guard let alien = attempts.first(where: { processes[$0] != link.peer }) else { return nil }
        return "\(alien) is adopted from \(link.peer), which never got it"
    }

    /// Between turns the older connections of a name are closed.
    mutating func check(_ name: String) -> String? {
        links[name]?.removeAll { !$0.isOpenForCoordinator }
        let count = links[name]?.count ?? 0
        return count > 1 ? "\(name) has \(count) sessions" : nil
    }
}

/// A node that was lost with this many workers is not tried again.
struct LossChecker {
    /// The losses at which a node may have been present, and those where it was alone the last
    /// time.
    let limit: Int
    let loneLimit: Int
    /// The attempts of each worker at the end of the latest turn, with the events of this one.
    private var held: [String: Set<AttemptID>] = [:]
    private var losses: [NodeReference: Int] = [:]
    private var isOut: Set<NodeReference> = []

    init(limit: Int, loneLimit: Int) {
        self.limit = limit
        self.loneLimit = loneLimit
    }

    mutating func hold(_ attempts: [AttemptID], by name: String) { held[name] = Set(attempts) }

    mutating func dispatch(_ attempt: AttemptID, to name: String) -> String? {
        held[name, default: []].insert(attempt)
        let node = NodeReference(run: attempt.run, node: attempt.node)
        let count = losses[node] ?? 0
        return count >= limit || isOut.contains(node)
            ? "\(attempt) was dispatched after \(count) losses" : nil
    }

    mutating func answer(_ attempt: AttemptID, from name: String) {
        held[name]?.remove(attempt)
    }

    /// A session ended with this many attempts; counted when the books are complete.
    mutating func leave(_ name: String, with count: Int) {
        guard let lost = held.removeValue(forKey: name), lost.count == count else { return }
        for attempt in lost {
            let node = NodeReference(run: attempt.run, node: attempt.node)
            losses[node, default: 0] += 1
            if lost.count == 1, losses[node, default: 0] >= loneLimit { isOut.insert(node) }
        }
    }
}

/// A node does not go again to a session of a worker that could not start it.
struct RefusalChecker {
    private var refusals: Set<String> = []

    mutating func refuse(_ attempt: AttemptID, by session: String) {
        refusals.insert("\(attempt.run)/\(attempt.node) on \(session)")
    }

    func dispatch(_ attempt: AttemptID, to session: String) -> String? {
        let pair = "\(attempt.run)/\(attempt.node) on \(session)"
        return refusals.contains(pair) ? "\(attempt) goes where it was refused: \(pair)" : nil
    }
}
