// Ends of many nodes at once: everything behind a failure, everything that a cancelled run has left.
// As many as a turn has time for are settled at once, the rest in the turns that follow.

internal import DequeModule
internal import Plans

/// Nodes of one run that are to be settled.
struct Sweep: Sendable {
    let run: ScheduledRun.Use
    var rest: Rest

    enum Rest: Sendable {
        /// Those from this one on that no worker holds.
        case cancel(from: Int)
        /// These and everything behind them, if they still wait; a stack, not recursion: a plan
        /// may be a million nodes deep.
        case skip([Int], because: Int)
    }
}

/// The sweeps that were too large for one turn, and how much this turn has time for.
struct Sweeps: Sendable {
    private let perTurn: Int
    /// How many more nodes this turn may skip or cancel.
    private var left: Int
    /// Nodes to settle, the first ones first.
    private var waiting: Deque<Sweep> = []

    init(perTurn: Int) {
        self.perTurn = perTurn
        left = perTurn
    }

    var isEmpty: Bool { waiting.isEmpty }

    func concern(_ run: ScheduledRun.Use) -> Bool { waiting.contains { $0.run == run } }

    mutating func beginTurn() { left = perTurn }

    /// Counts one more node in this turn; false if there is no time for it.
    mutating func spend() -> Bool {
        guard left > 0 else { return false }
        left -= 1
        return true
    }

    /// The next sweep, if this turn has time.
    mutating func next() -> Sweep? { left > 0 ? waiting.popFirst() : nil }

    mutating func append(_ sweep: Sweep) { waiting.append(sweep) }

    mutating func prepend(_ sweep: Sweep) { waiting.prepend(sweep) }

    /// Whether this turn has time for another node.
    var haveTime: Bool { left > 0 }
}

extension Scheduler {
    /// Whether nodes wait for nothing but a further turn to be settled.
    public var hasSweeps: Bool { !sweeps.isEmpty }

    /// A turn begins: settles more of the nodes that were too many for the turns before.
    ///
    /// The caller comes again in the next turn while `hasSweeps`.
    public mutating func continueSweeps(into actions: inout [Action]) {
        sweeps.beginTurn()
        while let sweep = sweeps.next() {
            guard let rest = carryOut(sweep, &actions) else { continue }
            sweeps.prepend(rest)
        }
    }

    /// Skips everything behind a node, by name of the node that failed.
    mutating func skipDependents(
        of node: Int,
        because cause: Int,
        in run: Int,
        _ actions: inout [Action]
    ) {
        let first = runs[run].dependents(of: node)
        guard !first.isEmpty else { return }
        begin(.skip(first, because: cause), of: run, &actions)
    }

    /// Ends the nodes that no worker holds.
    mutating func cancelNodes(_ run: Int, from first: Int, _ actions: inout [Action]) {
        begin(.cancel(from: first), of: run, &actions)
    }

    private mutating func begin(_ rest: Sweep.Rest, of run: Int, _ actions: inout [Action]) {
        let use = ScheduledRun.Use(run: run, generation: runs[run].generation)
        let sweep = Sweep(run: use, rest: rest)
        if let rest = carryOut(sweep, &actions) { sweeps.append(rest) }
    }

    /// Settles as many nodes as the turn has time for; what is left, or nil.
    private mutating func carryOut(_ sweep: Sweep, _ actions: inout [Action]) -> Sweep? {
        // Only a run that has ended changes its generation, and then all its nodes have, too.
        guard runs.has(sweep.run) else { return nil }
        let run = sweep.run.run
        var left = sweep
        switch sweep.rest {
        case .cancel(let first):
            guard let next = cancelSome(run, from: first, &actions) else { return nil }
            left.rest = .cancel(from: next)
        case .skip(let nodes, let cause):
            let stack = skipSome(nodes, because: cause, in: run, &actions)
            // What is left may have been settled on another way.
            finishIfSettled(run, &actions)
            if stack.isEmpty { return nil }
            left.rest = .skip(stack, because: cause)
        }
        return left
    }

    /// The node at which it stopped; nil if it came to the last one.
    private mutating func cancelSome(
        _ run: Int,
        from first: Int,
        _ actions: inout [Action]
    ) -> Int? {
        for node in first..<runs[run].nodes.count {
            guard runs[run].nodes[node].state.isUnheld else { continue }
            guard sweeps.spend() else { return node }
            settle(NodeSlot(run: run, node: node), .cancelled, &actions)
        }
        return nil
    }

    /// The nodes whose turn has not come.
    private mutating func skipSome(
        _ nodes: [Int],
        because cause: Int,
        in run: Int,
        _ actions: inout [Action]
    ) -> [Int] {
        var stack = nodes
        while sweeps.haveTime, let next = stack.popLast() {
            guard runs[run].nodes[next].state == .waiting, sweeps.spend() else { continue }
            stack.append(contentsOf: runs[run].dependents(of: next))
            let slot = NodeSlot(run: run, node: next)
            move(slot, to: .skipped(because: cause))
            runs[run].settledCount += 1
            actions.append(.settle(reference(slot), .skipped(because: cause)))
        }
        return stack
    }
}
