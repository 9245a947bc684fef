// Ends of many nodes at once: everything behind a failure, everything that a cancelled run has left.
// As many as a turn has time for are settled at once, the rest in the turns that follow.

internal import DequeModule
internal import Plans

/// Nodes of one run that are to be settled.
struct Sweep: Sendable {
    let run: Int
    /// Which run is meant if the slot has another owner by now.
    let generation: UInt32
    var rest: Rest

    enum Rest: Sendable {
        /// Those from this one on that no worker holds.
        case cancel(from: Int)
        /// These and everything behind them, if they still wait; a stack, not recursion: a plan
        /// may be a million nodes deep.
        case skip([Int], because: Int)
    }
}

extension Scheduler {
    /// Whether nodes wait for nothing but a further turn to be settled.
    public var hasSweeps: Bool { !sweeps.isEmpty }

    /// A turn begins: settles more of the nodes that were too many for the turns before.
    ///
    /// The caller comes again in the next turn while `hasSweeps`.
    public mutating func continueSweeps(into actions: inout [Action]) {
        settlementsLeft = limits.settlementsPerTurn
        while settlementsLeft > 0, let sweep = sweeps.popFirst() {
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
        let sweep = Sweep(run: run, generation: runs[run].generation, rest: rest)
        if let rest = carryOut(sweep, &actions) { sweeps.append(rest) }
    }

    /// Settles as many nodes as the turn has time for; what is left, or nil.
    private mutating func carryOut(_ sweep: Sweep, _ actions: inout [Action]) -> Sweep? {
        let run = sweep.run
        // Only a run that has ended changes its generation, and then all its nodes have, too.
        guard runs[run].generation == sweep.generation else { return nil }
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
            guard settlementsLeft > 0 else { return node }
            settlementsLeft -= 1
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
        while settlementsLeft > 0, let next = stack.popLast() {
            guard runs[run].nodes[next].state == .waiting else { continue }
            settlementsLeft -= 1
            stack.append(contentsOf: runs[run].dependents(of: next))
            let slot = NodeSlot(run: run, node: next)
            move(slot, to: .skipped(because: cause))
            runs[run].settledCount += 1
            actions.append(.settle(reference(slot), .skipped(because: cause)))
        }
        return stack
    }
}
