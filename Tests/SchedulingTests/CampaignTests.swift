// Random events, valid and stale, against a model that knows only the guarantees: dependencies
// before dependents, one settlement a node, one end a run, rising attempt numbers, nothing after a
// cancel, no second attempt where the first may have taken effect. Then all faults stop and every
// run must end.

import Core
import Plans
import Scheduling
import Testing

@Suite("Random campaign")
struct CampaignTests {
    @Test("Random histories keep every guarantee and use every transition of the table")
    func campaign() {
        var moves: Set<String> = []
        for seed in 1...300 as ClosedRange<UInt64> {
            let campaign = Campaign(seed: seed)
            campaign.run()
            moves.formUnion(campaign.moves)
            if !campaign.problems.isEmpty {
                Issue.record("seed \(seed): \(campaign.problems.joined(separator: "\n"))")
                return
            }
        }
        var table: Set<String> = []
        for kind in NodeStateKind.allCases {
            for successor in kind.successors { table.insert("\(kind)>\(successor)") }
        }
        #expect(moves.subtracting(table).sorted() == [])
        #expect(table.subtracting(moves).sorted() == [])
    }

    @Test("Final states have no successors, and every state but the first is one")
    func tableIsWhole() {
        for kind in NodeStateKind.allCases {
            #expect(kind.isTerminal == kind.successors.isEmpty)
            let isReached = NodeStateKind.allCases.contains { $0.successors.contains(kind) }
            #expect(isReached || kind == .waiting)
        }
    }
}

/// One seeded history of one scheduler.
private final class Campaign {
    private(set) var moves: Set<String> = []
    private(set) var problems: [String] = []
    private var scheduler: Scheduler
    private var generator: SplitMix64
    /// Owners with tight bounds make some moves rare, so only some histories have any.
    private let hasOwners: Bool
    private var now = Instant.zero
    private var actions: [Scheduler.Action] = []
    private var workers: [WorkerID] = []
    private var suspects: Set<WorkerID> = []
    private var workerCount = 0
    private var runs: [RunID: RunModel] = [:]
    private var runOrder: [RunID] = []
    private var attempts: [(attempt: AttemptID, worker: WorkerID)] = []
    private var recalled: [(attempt: AttemptID, worker: WorkerID)] = []
    private var unmade: [NodeReference] = []
    private var history: [String] = []

    private struct RunModel {
        var nodes: [NodeModel] = []
        var isClosed = false
        var isCancelled = false
        var isFinished = false
        var isReleased = false
    }

    private struct NodeModel {
        var tool: String
        var dependencies: [Int]
        var kind = NodeStateKind.waiting
        var attempt = 0
        var isSettled = false
        var hasSucceeded = false
        /// Whether a further attempt is allowed although the tool is not idempotent.
        var mayGoAgain = true
    }

    /// The tools by name; only the first two may run twice.
    private static let offers: [String: ToolOffer] = [
        "quick": ToolOffer(isIdempotent: true, maxAttempts: 3),
        "slow": ToolOffer(isIdempotent: true, maxAttempts: 2, timeout: .seconds(1)),
        "once": ToolOffer(maxAttempts: 2),
        "single": ToolOffer(maxAttempts: 1, concurrency: 1),
        "double": ToolOffer(isIdempotent: true, maxAttempts: 1, concurrency: 2),
    ]
    private static let tools = ["quick", "slow", "once", "single", "double"]
    private static let labels: [[String: String]] = [
        [:], [:], ["zone": "a"], ["zone": "b"], ["zone": "a", "disk": "big"],
    ]

    init(seed: UInt64) {
        hasOwners = seed % 3 == 0
        var limits = SchedulerLimits()
        // Classes, pools and demands come and go all the time.
        limits.idleClasses = 1
        if seed % 2 == 0 { limits.settlementsPerTurn = 2 }
        scheduler = Scheduler(limits: limits, seed: seed)
        generator = SplitMix64(seed: seed &* 7_919)
    }

    func run() {
        for _ in 0..<draw(20...120) where problems.isEmpty { step() }
        heal()
    }

    // MARK: - Drawing

    private func draw(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &generator)
    }

    private func chance(_ percent: Int) -> Bool { draw(1...100) <= percent }

    private func step() {
        switch draw(1...100) {
        case 1...8: addRun()
        case 9...14: grow()
        case 15...20: join()
        case 21...23: withWorker { .workerLost($0) }
        case 24...25: withWorker { .workerDrained($0) }
        case 26...28: withWorker { .workerSuspected($0) }
        case 29...32: withWorker { .workerRecovered($0) }
        case 33...34: withRun { .cancelRequested($0) }
        case 35...38: pass(.milliseconds(draw(1...50)))
        case 39...41: pass(.milliseconds(draw(1...8_000)))
        default: answer()
        }
        if chance(70) { place() }
    }

    private func addRun() {
        guard let id = RunID("r\(runOrder.count)"), runOrder.count < 6 else { return }
        runOrder.append(id)
        runs[id] = RunModel()
        let bound = chance(30) ? draw(1...3) : nil
        let owner =
            hasOwners && chance(70)
            ? RunOwner(name: "o\(draw(0...1))", maxRunning: draw(1...4)) : nil
        handle(.runAdded(id, chance(70) ? .wait : .fail, maxRunning: bound, owner: owner))
        add(to: id, count: draw(0...8))
        if chance(70) { close(id) }
    }

    private func grow() {
        guard let id = runOrder.randomElement(using: &generator), runs[id]?.isClosed == false else {
            return
        }
        add(to: id, count: draw(1...4))
        if chance(40) { close(id) }
    }

    private func close(_ id: RunID) {
        runs[id]?.isClosed = true
        handle(.runClosed(id))
    }

    private func add(to id: RunID, count: Int) {
        guard let first = runs[id]?.nodes.count else { return }
        var specs: [NodeSpec] = []
        var edges: [Plan.Edge] = []
        for index in first..<(first + count) {
            let tool = Self.tools[draw(0...4)]
            var dependencies: Set<Int> = []
            if index > 0 {
                for _ in 0..<draw(0...2) { dependencies.insert(draw(0...(index - 1))) }
            }
            let sorted = dependencies.sorted()
            edges += sorted.map { Plan.Edge(dependency: $0, dependent: index) }
            specs.append(
                NodeSpec(
                    tool: tool,
                    requires: chance(70) ? [:] : Self.labels[draw(0...4)],
                    maxAttempts: chance(20) ? draw(1...3) : nil,
                    needsArguments: chance(15)
                )
            )
            runs[id]?.nodes.append(NodeModel(tool: tool, dependencies: sorted))
        }
        handle(.nodesAdded(id, specs, edges: edges, held: []))
    }

    private func join() {
        guard workers.count < 5 else { return }
        let tools = Self.tools.filter { $0 == "quick" || chance(80) }
        join(
            tools: Self.offers.filter { tools.contains($0.key) },
            slots: draw(1...3),
            labels: Self.labels[draw(0...4)],
            queueLimit: chance(50) ? draw(0...9) : nil
        )
    }

    private func join(
        tools: [String: ToolOffer],
        slots: Int,
        labels: [String: String],
        queueLimit: Int? = nil
    ) {
        workerCount += 1
        let id = WorkerID(workerCount)
        workers.append(id)
        let profile = WorkerProfile(
            name: "w\(workerCount)",
            slots: slots,
            tools: tools,
            labels: labels,
            queueLimit: queueLimit
        )
        handle(.workerJoined(id, profile))
    }

    private func withWorker(_ event: (WorkerID) -> Scheduler.Event) {
        guard let worker = workers.randomElement(using: &generator) else { return }
        let event = event(worker)
        if case .workerLost = event { workers.removeAll { $0 == worker } }
        if case .workerSuspected = event { suspects.insert(worker) }
        if case .workerRecovered = event { suspects.remove(worker) }
        handle(event)
    }

    private func withRun(_ event: (RunID) -> Scheduler.Event) {
        guard let run = runOrder.randomElement(using: &generator) else { return }
        if runs[run]?.isFinished == false { runs[run]?.isCancelled = true }
        handle(event(run))
    }

    private func pass(_ duration: Duration) {
        let end = now + duration
        while let next = scheduler.nextDeadline(), next <= end {
            now = max(now, next)
            handle(.deadlineReached)
        }
        now = end
    }

    /// An event about an attempt that was dispatched once, current or not.
    private func answer() {
        if chance(30), let (attempt, worker) = recalled.popLast() {
            // It had begun before the recall came; a tool that may run once only fails.
            return chance(50)
                ? handle(.attemptStarted(attempt, worker))
                : fail(attempt, worker, .cancelled, isRetryable: false)
        }
        // Usually of a recent one.
        let recent = attempts.suffix(chance(70) ? 6 : attempts.count)
        guard let (attempt, worker) = recent.randomElement(using: &generator) else { return }
        let isCurrent = scheduler.isCurrent(attempt, on: worker)
        func allowAnother() {
            if isCurrent { runs[attempt.run]?.nodes[attempt.node].mayGoAgain = true }
        }
        switch draw(1...100) {
        case 1...20: handle(.attemptStarted(attempt, worker))
        case 21...60:
            handle(.attemptSucceeded(attempt, worker, microseconds: draw(10...3_000)))
        case 61...70:
            allowAnother()
            fail(attempt, worker, .toolError, isRetryable: true)
        case 71...73: fail(attempt, worker, .toolError, isRetryable: false)
        case 74...78: fail(attempt, worker, .cancelled, isRetryable: false)
        case 79...81: fail(attempt, worker, .timeout, isRetryable: true)
        case 82...83:
            allowAnother()
            fail(attempt, worker, .spawnFailed, isRetryable: true)
        case 84...92:
            allowAnother()
            let all: [Rejection] =
                [.draining, .unknownTool] + ReturnReason.allCases.map { .returned($0) }
            handle(.attemptRejected(attempt, worker, all[draw(0...4)]))
        case 96...97:
            allowAnother()
            handle(.attemptWithheld(attempt, worker))
        case 93...95: handle(.attemptForgotten(attempt, worker))
        default:
            // Its arguments were made before it was dispatched: these change nothing.
            let failure = Failure(code: .referenceNotFound, message: "nothing there")
            let node = NodeReference(run: attempt.run, node: attempt.node)
            handle(chance(50) ? .argumentsMade(node) : .argumentsFailed(node, failure))
        }
    }

    private func fail(
        _ attempt: AttemptID,
        _ worker: WorkerID,
        _ code: FailureCode,
        isRetryable: Bool
    ) {
        let failure = Failure(code: code, message: "it broke", isRetryable: isRetryable)
        handle(.attemptFailed(attempt, worker, failure))
    }

    // MARK: - Steps and promises

    private func handle(_ event: Scheduler.Event) {
        history.append("\(now) \(event)")
        scheduler.handle(event, at: now, into: &actions)
        check()
    }

    private func place() {
        makeArguments(unmade.filter { _ in chance(90) })
        scheduler.continueSweeps(into: &actions)
        scheduler.place(at: now, into: &actions)
        check()
    }

    private func makeArguments(_ nodes: [NodeReference]) {
        unmade.removeAll { nodes.contains($0) }
        for node in nodes {
            let failure = Failure(code: .referenceNotFound, message: "nothing there")
            handle(chance(90) ? .argumentsMade(node) : .argumentsFailed(node, failure))
        }
    }

    private func check() {
        for action in actions { check(action) }
        actions.removeAll()
        do {
            try scheduler.validate()
        } catch {
            note("\(error)")
        }
        for id in runOrder where runs[id]?.isReleased == false {
            for index in 0..<(runs[id]?.nodes.count ?? 0) {
                guard let kind = scheduler.state(of: NodeReference(run: id, node: index))?.kind,
                    let old = runs[id]?.nodes[index].kind, old != kind
                else { continue }
                moves.insert("\(old)>\(kind)")
                runs[id]?.nodes[index].kind = kind
            }
        }
    }

    private func check(_ action: Scheduler.Action) {
        switch action {
        case .dispatch(let attempt, let worker, _, _): checkDispatch(attempt, worker)
        case .cancel(let attempt, let worker, .recalled): recalled.append((attempt, worker))
        case .makeArguments(let node): unmade.append(node)
        case .settle(let node, let settlement):
            guard let model = runs[node.run]?.nodes[node.node] else { return }
            if model.isSettled { note("\(node) settled twice") }
            runs[node.run]?.nodes[node.node].isSettled = true
            runs[node.run]?.nodes[node.node].hasSucceeded = settlement == .succeeded
            if case .skipped(let cause) = settlement,
                let kind = scheduler.state(of: NodeReference(run: node.run, node: cause))?.kind,
                kind != .failed, kind != .cancelled
            {
                note("\(node) was skipped by \(cause), which is \(kind)")
            }
        case .finish(let id):
            if runs[id]?.isFinished == true { note("\(id) finished twice") }
            if runs[id]?.isClosed == false { note("\(id) finished while it could grow") }
            if runs[id]?.nodes.allSatisfy(\.isSettled) != true { note("\(id) finished early") }
            runs[id]?.isFinished = true
        default: break
        }
    }

    private func checkDispatch(_ attempt: AttemptID, _ worker: WorkerID) {
        attempts.append((attempt, worker))
        guard let run = runs[attempt.run] else { return note("dispatch of an unknown run") }
        let node = run.nodes[attempt.node]
        if run.isCancelled { note("\(attempt) was dispatched after the cancel of its run") }
        if attempt.number != node.attempt + 1 {
            note("\(attempt) follows attempt \(node.attempt)")
        }
        if !node.dependencies.allSatisfy({ run.nodes[$0].hasSucceeded }) {
            note("\(attempt) was dispatched before its dependencies")
        }
        if !workers.contains(worker) || suspects.contains(worker) {
            note("\(attempt) went to \(worker), which gets nothing")
        }
        if Self.offers[node.tool]?.isIdempotent == false, !node.mayGoAgain {
            note("\(attempt) repeats a tool that may have taken effect")
        }
        runs[attempt.run]?.nodes[attempt.node].attempt = attempt.number
        runs[attempt.run]?.nodes[attempt.node].mayGoAgain = false
    }

    private func note(_ problem: String) {
        if problems.isEmpty { problems = history.suffix(30) }
        problems.append("=> \(problem)")
    }

    /// Good workers, no failures: everything must end.
    private func heal() {
        for worker in workers { handle(.workerLost(worker)) }
        workers = []
        join(tools: Self.offers, slots: 4, labels: ["zone": "a", "disk": "big"])
        join(tools: Self.offers, slots: 4, labels: ["zone": "b"])
        for id in runOrder where runs[id]?.isClosed == false { close(id) }
        for _ in 0..<400 where problems.isEmpty {
            place()
            for worker in workers {
                for attempt in scheduler.attempts(on: worker) {
                    handle(.attemptSucceeded(attempt, worker, microseconds: 100))
                }
            }
            pass(.seconds(1))
            if runOrder.allSatisfy({ runs[$0]?.isFinished == true }) { break }
        }
        for id in runOrder {
            guard runs[id]?.isFinished == true else {
                note("\(id) never finished")
                continue
            }
            handle(.runReleased(id))
            runs[id]?.isReleased = true
        }
    }
}
