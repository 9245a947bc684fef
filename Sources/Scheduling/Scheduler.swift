// The scheduler: which node runs where and when, and what becomes of it. A pure value: events in,
// actions out, `now` a parameter. `handle` never places; `place` does, once a loop turn, so that
// everything that arrived in the turn is considered together.
// Topic by topic in the extensions: Runs, Workers, Attempts, Placement, Deadlines.

internal import DequeModule
internal import HeapModule
public import Plans

/// Dependencies, slots, leases, retries and cancellation of all runs of a coordinator.
///
/// The caller owns the array of actions and carries them out in order. Every node ends in exactly
/// one `settle`, every closed run in exactly one `finish`.
public struct Scheduler: Sendable {
    let limits: SchedulerLimits
    var generator: SplitMix64
    /// Runs by slot; slots of released runs are used again.
    var runs: [RunRecord] = []
    var runSlots: [RunID: Int] = [:]
    var freeRunSlots: [Int] = []
    var nextGeneration: UInt32 = 0
    /// Workers by slot; slots of lost workers are used again.
    var workers: [WorkerRecord] = []
    /// The slot of each worker number, or -1.
    var workerSlots: [Int32] = []
    var freeWorkerSlots: [Int] = []
    /// The connected workers' slots in the order in which they joined.
    var workerOrder: [Int] = []
    var classes: [PlacementClass] = []
    var classIndexes: [PlacementClass.Key: Int] = [:]
    /// Classes with ready nodes that the next pass looks at, and whether a class is among them.
    var openClasses: [Int] = []
    var isClassOpen: [Bool] = []
    var deadlines = Heap<Deadline>()
    /// Set while some worker holds more attempts than slots and a review is due.
    var reviewAt: Instant?

    /// Makes an empty scheduler.
    ///
    /// The seed decides the jitter of backoffs.
    public init(limits: SchedulerLimits = SchedulerLimits(), seed: UInt64) {
        self.limits = limits
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
        case .attemptForgotten(let attempt, let worker):
            forget(attempt, worker, now, &actions)
        case .nodeRefused(let node, let failure):
            refuse(node, failure, &actions)
        case .runAdded(let run, let policy, let maxRunning):
            addRun(run, policy, maxRunning)
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
        case .workerJoined(let worker, let profile):
            join(worker, profile)
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
        guard let first = deadlines.min?.at else { return reviewAt }
        guard let reviewAt else { return first }
        return min(first, reviewAt)
    }

    /// Whether the attempt is the current one of its node and this worker holds it: only then may
    /// its outcome change anything.
    ///
    /// Everything else is stale.
    public func isCurrent(_ attempt: AttemptID, on worker: WorkerID) -> Bool {
        locate(attempt, on: worker) != nil
    }

    /// The state of a node, or nil if the run or the node is unknown.
    public func state(of node: NodeReference) -> NodeState? {
        slot(of: node).map { runs[Int($0.run)].nodes[Int($0.node)].state }
    }

    /// How many attempts of a node were started so far.
    public func attempts(of node: NodeReference) -> Int {
        slot(of: node).map { Int(runs[Int($0.run)].nodes[Int($0.node)].attempt) } ?? 0
    }

    /// Why the attempt was called back, while the worker's answer is awaited.
    public func cancelReason(of attempt: AttemptID, on worker: WorkerID) -> CancelReason? {
        guard let node = locate(attempt, on: worker), case .cancelling = record(node).state
        else { return nil }
        return record(node).cancelReason
    }

    /// The attempts that a worker holds, in no particular but a repeatable order.
    public func attempts(on worker: WorkerID) -> [AttemptID] {
        slot(of: worker).map { workers[$0].attempts.map { currentAttempt(of: $0) } } ?? []
    }

    // MARK: - From names to slots

    func slot(of node: NodeReference) -> NodeSlot? {
        guard let run = runSlots[node.run], runs[run].nodes.indices.contains(node.node) else {
            return nil
        }
        return NodeSlot(run: run, node: node.node)
    }

    func slot(of worker: WorkerID) -> Int? {
        guard workerSlots.indices.contains(worker.number) else { return nil }
        let slot = workerSlots[worker.number]
        return slot >= 0 ? Int(slot) : nil
    }

    /// The node of an attempt that is current and held by this worker.
    func locate(_ attempt: AttemptID, on worker: WorkerID) -> NodeSlot? {
        guard let run = runSlots[attempt.run], runs[run].nodes.indices.contains(attempt.node),
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
    func record(_ node: NodeSlot) -> NodeRecord {
        runs[Int(node.run)].nodes[Int(node.node)]
    }

    /// The placement class of a node, as an index.
    func placement(of node: NodeSlot) -> Int {
        let queue = runs[Int(node.run)].nodes[Int(node.node)].placement
        return runs[Int(node.run)].queues[Int(queue)].placement
    }

    /// Changes a node's record in place.
    mutating func update(_ node: NodeSlot, _ body: (inout NodeRecord) -> Void) {
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
