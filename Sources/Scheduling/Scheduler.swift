// The scheduler: which node runs where and when, and what happens to it. A pure value: events in,
// actions out, `now` a parameter. `handle` never places; `place` does, once a loop turn, so that
// everything that arrived in the turn is considered together.
// Its state is in the tables of the folder Tables; what happens is in the extensions, topic by topic.

public import Core

/// Dependencies, slots, leases, retries and cancellation of all runs of a coordinator.
///
/// The caller owns the array of actions and carries them out in order. Every node ends in exactly
/// one `settle`, every closed run in exactly one `finish`.
public struct Scheduler: Sendable {
    let limits: SchedulerLimits
    var generator: SplitMix64
    var runs = ScheduledRuns()
    var owners = RunOwners()
    var workers = ScheduledWorkers()
    var groups = WorkerGroups()
    var pools = Table<WorkerPool>()
    var demands = Demands()
    var classes = PlacementClasses()
    var careful = CarefulNodes()
    var sweeps: Sweeps
    var times = SchedulerTimes()
    /// Until when nodes that no worker can run wait, because workers may come back; nil after that.
    var awaitsWorkersUntil: Instant?
    /// Whether nodes are given to workers.
    var isPlacing = true
    /// How many numbers the first attempt of a restored node leaves out.
    var attemptGap: Int32 = 0

    /// Makes an empty scheduler.
    ///
    /// The seed decides the jitter of backoffs.
    public init(limits: SchedulerLimits = SchedulerLimits(), seed: UInt64) {
        self.limits = limits
        sweeps = Sweeps(perTurn: limits.settlementsPerTurn)
        generator = SplitMix64(seed: seed)
    }

    /// Takes in one event and appends what follows from it.
    ///
    /// Never places nodes.
    public mutating func handle(_ event: Event, at now: Instant, into actions: inout [Action]) {
        switch event {
        case .attemptSucceeded(let attempt, let worker, let microseconds):
            succeed(attempt, worker, microseconds, &actions)
        case .attemptStarted(let attempt, let worker):
            start(attempt, worker, now)
        case .attemptFailed(let attempt, let worker, let failure):
            fail(attempt, worker, failure, now, &actions)
        case .attemptRejected(let attempt, let worker, let rejection):
            reject(attempt, worker, rejection, now, &actions)
        case .attemptLackedResources(let attempt, let worker, let reason):
            returnForShortage(attempt, worker, reason, now, &actions)
        case .attemptWithheld(let attempt, let worker):
            withhold(attempt, worker, now, &actions)
        case .attemptForgotten(let attempt, let worker):
            forget(attempt, worker, now, &actions)
        case .argumentsMade(let node):
            noteArguments(of: node, &actions)
        case .argumentsFailed(let node, let failure):
            failForArguments(node, failure, &actions)
        case .runAdded(let run, let policy, let maxRunning, let owner):
            addRun(run, policy, maxRunning: maxRunning, owner)
        case .runRestored(let run):
            restore(run, now, &actions)
        case .nodesAdded(let run, let specs, let edges, let held):
            addNodes(run, specs, edges, held, &actions)
        case .nodesReleased(let run, let nodes):
            release(run, nodes, &actions)
        case .runClosed(let run):
            close(run, &actions)
        case .cancelRequested(let run):
            cancel(run, now, &actions)
        case .runReleased(let run):
            releaseRun(run)
        case .placementEnded:
            endPlacement(now, &actions)
        case .workerJoined(let worker, let profile):
            join(worker, profile)
        case .workerChanged(let worker, let profile):
            changeOffers(of: worker, to: profile)
        case .workerSuspected(let worker):
            suspect(worker)
        case .workerRecovered(let worker):
            recover(worker)
        case .workerDrained(let worker):
            drain(worker)
        case .workerLost(let worker):
            lose(worker, now, &actions)
        case .deadlineReached:
            passDeadlines(now, &actions)
        }
    }

    /// The earliest instant at which `deadlineReached` is due, or nil.
    ///
    /// The caller arms one timer.
    public func nextDeadline() -> Instant? {
        guard let end = awaitsWorkersUntil else { return times.next }
        return times.next.map { min($0, end) } ?? end
    }

    /// Whether the attempt is the current one of its node and this worker holds it: only then may
    /// its outcome change anything.
    ///
    /// Everything else is stale.
    public func isCurrent(_ attempt: AttemptID, on worker: WorkerID) -> Bool {
        locate(attempt, on: worker) != nil
    }

    /// Whether the worker has begun the attempt, which is current.
    public func isRunning(_ attempt: AttemptID, on worker: WorkerID) -> Bool {
        locate(attempt, on: worker).map { record($0).state == .running(worker) } ?? false
    }

    /// The state of a node, or nil if the run or the node is unknown.
    public func state(of node: NodeReference) -> NodeState? {
        slot(of: node).map { runs[Int($0.run)].nodes[Int($0.node)].state }
    }

    /// The states of all nodes of a run, for checks.
    public func states(of run: RunID) -> [NodeState] {
        runs.slot(of: run).map { runs[$0].nodes.map(\.state) } ?? []
    }

    /// How many attempts of a node were started so far.
    public func attempts(of node: NodeReference) -> Int {
        slot(of: node).map { Int(runs[Int($0.run)].nodes[Int($0.node)].attempt) } ?? 0
    }

    /// How many attempts of a node there were, without those that could not be started.
    public func tries(of node: NodeReference) -> Int {
        guard let slot = slot(of: node) else { return 0 }
        return Int(record(slot).attempt - record(slot).neverRan)
    }

    /// Why the attempt was called back, while the worker's answer is awaited.
    public func cancelReason(of attempt: AttemptID, on worker: WorkerID) -> CancelReason? {
        guard let node = locate(attempt, on: worker), case .cancelling = record(node).state
        else { return nil }
        return record(node).cancelReason
    }

    /// The attempts that a worker holds, in no particular but a repeatable order.
    public func attempts(on worker: WorkerID) -> [AttemptID] {
        slot(of: worker).map { workers[$0].attempts.map { currentAttempt(of: $0.node) } } ?? []
    }

    /// How many attempts a worker holds.
    public func attemptCount(on worker: WorkerID) -> Int {
        slot(of: worker).map { workers[$0].attempts.count } ?? 0
    }

    // MARK: - From names to slots

    func slot(of node: NodeReference) -> NodeSlot? {
        guard let run = runs.slot(of: node.run), runs[run].nodes.indices.contains(node.node)
        else {
            return nil
        }
        return NodeSlot(run: run, node: node.node)
    }

    func slot(of worker: WorkerID) -> Int? {
        workers.slot(of: worker)
    }

    /// The node of an attempt that is current and held by this worker.
    func locate(_ attempt: AttemptID, on worker: WorkerID) -> NodeSlot? {
        guard let run = runs.slot(of: attempt.run), runs[run].nodes.indices.contains(attempt.node),
            Int(runs[run].nodes[attempt.node].attempt) == attempt.number,
            runs[run].nodes[attempt.node].state.worker == worker
        else { return nil }
        return NodeSlot(run: run, node: attempt.node)
    }

    func reference(_ node: NodeSlot) -> NodeReference {
        NodeReference(run: runs[Int(node.run)].id, node: Int(node.node))
    }

    func currentAttempt(of node: NodeSlot) -> AttemptID {
        let number = runs[Int(node.run)].nodes[Int(node.node)].attempt
        return AttemptID(run: runs[Int(node.run)].id, node: Int(node.node), number: Int(number))
    }

    /// The record of a node, for reading.
    func record(_ node: NodeSlot) -> ScheduledNode {
        runs[Int(node.run)].nodes[Int(node.node)]
    }

    /// The placement class of a node, as an index.
    func placement(of node: NodeSlot) -> Int {
        let queue = runs[Int(node.run)].nodes[Int(node.node)].placement
        return runs[Int(node.run)].queues[Int(queue)].placement
    }

    /// Changes a node's record in place.
    mutating func update(_ node: NodeSlot, _ body: (inout ScheduledNode) -> Void) {
        body(&runs[Int(node.run)].nodes[Int(node.node)])
    }

    /// Moves a node to another state; an illegal move is our own bug and traps in debug builds.
    mutating func move(_ node: NodeSlot, to state: NodeState) {
        assert(
            record(node).state.kind.successors.contains(state.kind),
            "node \(reference(node)) cannot go from \(record(node).state) to \(state)"
        )
        runs[Int(node.run)].nodes[Int(node.node)].state = state
    }
}
