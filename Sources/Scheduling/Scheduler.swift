// The scheduler: which node runs where and when, and what becomes of it. A pure value: events in,
// actions out, `now` a parameter. `handle` never places; `place` does, once a loop turn, so that
// everything that arrived in the turn is considered together.
// Topic by topic in the extensions: Runs, Sweeps, Classes, Workers, Attempts, Placement, Prefetching,
// Deadlines.

public import Core
internal import DequeModule
internal import HeapModule

/// Dependencies, slots, leases, retries and cancellation of all runs of a coordinator.
///
/// The caller owns the array of actions and carries them out in order. Every node ends in exactly
/// one `settle`, every closed run in exactly one `finish`.
public struct Scheduler: Sendable {
    let limits: SchedulerLimits
    var generator: SplitMix64
    /// Runs by slot; slots of released runs are used again.
    var runs: [ScheduledRun] = []
    var runSlots: [RunID: Int] = [:]
    var freeRunSlots: [Int] = []
    var nextGeneration: UInt32 = 0
    /// Workers by slot; slots of lost workers are used again.
    var workers: [ScheduledWorker] = []
    /// The slot of each worker number, or -1.
    var workerSlots: [Int32] = []
    var freeWorkerSlots: [Int] = []
    /// The numbers of the connected workers in the order in which they joined.
    var workerOrder = Roster<Int32>()
    /// The numbers of the workers that carry a label.
    var workersByLabel: [Label: Roster<Int32>] = [:]
    /// Workers with the same tools, found by these, and the groups that have a tool.
    var groups = Table<WorkerGroup>()
    var groupIndexes: [[String: ToolOffer]: Int] = [:]
    var groupsByTool: [String: Roster<Ticket>] = [:]
    var pools = Table<WorkerPool>()
    /// Sets of required labels; the first one is empty.
    ///
    /// Others are found by their first label when a worker joins.
    var demands = Table<Demand>()
    var demandIndexes: [[String: String]: Int] = [:]
    var demandsByLabel: [Label: [Int]] = [:]
    /// What nodes of unfinished runs ask for, and what those of a few runs before them asked for.
    var classes = Table<PlacementClass>()
    var classIndexes: [PlacementClass.Key: Int] = [:]
    /// Classes without a run, each with the time that it had none since; the oldest first.
    var idleClasses: Deque<IdleClass> = []
    var idleClassCount = 0
    var idleClock: UInt64 = 0
    /// Classes with ready nodes that the next pass looks at.
    var openClasses: [Ticket] = []
    /// Runs that may have more attempts again, for the next pass.
    var listedRuns: [(run: Int, generation: UInt32)] = []
    /// Workers that may have room again, for the next pass.
    var listedWorkers: [WorkerID] = []
    var deadlines = Heap<Deadline>()
    /// Nodes to settle that were too many for one turn, the first ones first.
    var sweeps: Deque<Sweep> = []
    /// How many more nodes this turn may skip or cancel.
    var settlementsLeft: Int
    /// What has happened to nodes that keep away from some workers.
    var troubles: [NodeSlot: Trouble] = [:]
    /// Ready nodes that keep away from some workers, by what they keep away from.
    var careful: [CarefulQueue] = []
    /// Whether the next pass looks at them.
    var isCarefulOpen = false
    /// The next number of a group of suspects; 0 means none.
    var nextSuspects = 1
    /// When tools that could not be started are tried again, the earliest first.
    var coolingEnds: [CoolingEnd] = []
    /// Workers with tools that could not be started lately, in the order in which they joined.
    var coolingWorkers: [WorkerID] = []
    /// Ends of the pauses of workers that refused an attempt as one too many.
    var pauses = Heap<WorkerPause>()
    /// Workers that held more attempts than slots when last looked at, and when that is again.
    var reviewedWorkers: [WorkerID] = []
    var reviewAt: Instant?

    /// Makes an empty scheduler.
    ///
    /// The seed decides the jitter of backoffs.
    public init(limits: SchedulerLimits = SchedulerLimits(), seed: UInt64) {
        self.limits = limits
        settlementsLeft = limits.settlementsPerTurn
        generator = SplitMix64(seed: seed)
        demandIndexes[[:]] = demands.insert(Demand(labels: [:]))
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
        case .attemptForgotten(let attempt, let worker):
            forget(attempt, worker, now, &actions)
        case .argumentsMade(let node):
            noteArguments(of: node, &actions)
        case .argumentsFailed(let node, let failure):
            failForArguments(node, failure, &actions)
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
        guard let end = coolingEnds.first?.at else { return nextOrdinaryDeadline() }
        return nextOrdinaryDeadline().map { min($0, end) } ?? end
    }

    private func nextOrdinaryDeadline() -> Instant? {
        var next = deadlines.min?.at
        for other in [reviewAt, pauses.min?.at] {
            guard let other else { continue }
            next = next.map { min($0, other) } ?? other
        }
        return next
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
        runSlots[run].map { runs[$0].nodes.map(\.state) } ?? []
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
