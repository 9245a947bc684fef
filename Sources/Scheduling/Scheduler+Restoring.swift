// A run that another scheduler had before: its nodes as they stood, made again from the run itself.
// What follows from that, such as nodes that had become ready and were not, is made up for here.

public import Core
public import Plans

/// A node as it stood.
public struct RestoredNode: Sendable {
    /// Where it stood; a worker that holds it has joined before.
    public var state: NodeState
    /// The number of its latest attempt; 0 before the first.
    public var attempt: Int32
    /// Attempts that surely never ran.
    public var neverRan: Int32
    /// Attempts whose tool failed.
    public var failures: Int16
    /// Workers that were lost with it.
    public var workersLost: UInt8
    /// Why its latest attempt was called back, if it was.
    public var cancelReason: CancelReason?

    /// Describes a node.
    public init(
        state: NodeState,
        attempt: Int32 = 0,
        neverRan: Int32 = 0,
        failures: Int16 = 0,
        workersLost: UInt8 = 0,
        cancelReason: CancelReason? = nil
    ) {
        self.state = state
        self.attempt = attempt
        self.neverRan = neverRan
        self.failures = failures
        self.workersLost = workersLost
        self.cancelReason = cancelReason
    }
}

/// A run as it stood.
public struct RestoredRun: Sendable {
    /// Its name, which no run of the scheduler has.
    public var id: RunID
    /// What happens to nodes that no worker can run.
    public var onMissingTool: MissingToolPolicy
    /// How many attempts workers may hold of it at a time; nil for no bound.
    public var maxRunning: Int?
    /// Whose runs share a bound with it, if any do.
    public var owner: RunOwner?
    /// All its nodes, by index.
    public var specs: [NodeSpec]
    /// How each of them stood.
    public var nodes: [RestoredNode]
    /// All dependencies.
    public var edges: [Plan.Edge]
    /// Nodes that wait for something that is not in the plan yet, once for each such thing.
    public var held: [Int]
    /// Whether the plan is complete.
    public var isClosed: Bool
    /// Whether its end was asked for.
    public var isCancelled: Bool
    /// Whether no scheduler had it before: some of its nodes have succeeded, none was dispatched.
    public var isNew = false

    /// Describes a run without nodes.
    public init(
        id: RunID,
        onMissingTool: MissingToolPolicy = .wait,
        maxRunning: Int? = nil,
        owner: RunOwner? = nil,
        isClosed: Bool = false,
        isCancelled: Bool = false
    ) {
        self.id = id
        self.onMissingTool = onMissingTool
        self.maxRunning = maxRunning
        self.owner = owner
        self.isClosed = isClosed
        self.isCancelled = isCancelled
        specs = []
        nodes = []
        edges = []
        held = []
    }
}

extension Scheduler {
    /// Prepares for the runs of an earlier coordinator.
    ///
    /// Until the time nodes that no worker can run wait, whatever their runs want: workers need time
    /// to come back. The first attempt of a node of a restored run has a number higher by the gap, because
    /// workers may have attempts with the numbers in between, which are in no record. It is another
    /// one at each start.
    public mutating func prepareRestoring(awaitingWorkersUntil time: Instant, gap: Int32) {
        awaitsWorkersUntil = time
        attemptGap = gap
    }

    /// How long a worker has to answer a cancel.
    public var answerTime: Duration { limits.cancelGrace + limits.answerMargin }

    /// The time for workers to come back is over: what no worker can run is told now, or fails.
    mutating func endWaitForWorkers(_ now: Instant) {
        guard let time = awaitsWorkersUntil, time <= now else { return }
        awaitsWorkersUntil = nil
        classes.openAll()
        careful.open()
    }

    mutating func restore(_ restored: RestoredRun, _ now: Instant, _ actions: inout [Action]) {
        let run = addRun(
            restored.id,
            restored.onMissingTool,
            maxRunning: restored.maxRunning,
            restored.owner
        )
        runs[run].isRestored = !restored.isNew
        append(restored.specs, to: run)
        for (index, node) in restored.nodes.enumerated() {
            update(NodeSlot(run: run, node: index)) { $0.restore(node) }
        }
        for node in restored.held { runs[run].nodes[node].inDegree += 1 }
        for edge in restored.edges { runs[run].connect(edge) }
        runs[run].updateRanks(newEdges: restored.edges)
        for index in restored.nodes.indices {
            takeUp(NodeSlot(run: run, node: index), now)
        }
        runs[run].isClosed = restored.isClosed
        if restored.isCancelled { cancel(restored.id, now, &actions) }
        skipBehindFailures(run, restored.edges, &actions)
        if !restored.isCancelled {
            for index in restored.nodes.indices {
                readyIfFree(NodeSlot(run: run, node: index), &actions)
            }
        }
        finishIfSettled(run, &actions)
    }

    /// Puts a node where its state says that it is found.
    private mutating func takeUp(_ node: NodeSlot, _ now: Instant) {
        let attempt = currentAttempt(of: node)
        switch record(node).state {
        case .waiting: break
        case .ready: enqueue(node)
        case .backingOff(let until):
            times.add(Deadline(at: until, attempt: attempt, meaning: .backoff))
        case .leased(let id), .running(let id):
            hold(node, id)
            guard let timeout = timeout(of: node, on: id) else { return }
            let late = now + timeout + limits.answerMargin
            times.add(Deadline(at: late, attempt: attempt, meaning: .overdue))
        case .cancelling(let id, let until):
            hold(node, id)
            times.add(Deadline(at: until, attempt: attempt, meaning: .unanswered))
        case .succeeded, .failed, .cancelled, .skipped:
            runs[Int(node.run)].settledCount += 1
        }
    }

    private mutating func hold(_ node: NodeSlot, _ id: WorkerID) {
        guard let worker = slot(of: id) else {
            preconditionFailure("\(reference(node)) is held by \(id), which has not joined")
        }
        assign(node, to: worker)
        update(node) { $0.lastWorker = Int32(truncatingIfNeeded: id.number) }
    }
}

extension ScheduledNode {
    /// Gives the next attempt its number; that of a restored node is higher by the gap.
    mutating func countAttempt(gap: Int32) {
        attempt += 1
        guard isRestored else { return }
        isRestored = false
        let (sum, isTooMuch) = attempt.addingReportingOverflow(gap)
        if isTooMuch { return }
        attempt = sum
        neverRan += gap
    }

    fileprivate mutating func restore(_ node: RestoredNode) {
        state = node.state
        attempt = node.attempt
        neverRan = node.neverRan
        failures = node.failures
        workersLost = node.workersLost
        cancelReason = node.cancelReason
        // Those of a node that was ready are made again when it leaves.
        if state != .waiting { lacksArguments = false }
    }
}
