// Why a node waits, for people. Read only; reasons are data, the sentences are made elsewhere.

public import Core
internal import DequeModule

/// One reason why a node has not run yet.
public enum WaitReason: Sendable, Equatable {
    /// These nodes have not succeeded yet (the first few).
    case dependencies([Int], total: Int)
    /// Something that it names has not been added to the plan yet.
    case growingPlan
    /// Its arguments are about to be made of outputs.
    case arguments
    /// A person has to approve it within this time. Only the caller knows.
    case approval(NodeReference, Duration)
    /// No connected worker has the tool.
    case toolMissing(String)
    /// Workers have the tool, but none carries these labels.
    case labelsMissing([String: String])
    /// All workers that could run it are draining.
    case draining([WorkerID])
    /// Workers that could run it have not been heard from.
    case suspect([WorkerID])
    /// All slots of these workers are taken.
    case slotsBusy([WorkerID])
    /// The tool's own limit is reached on these workers.
    case concurrencyReached([WorkerID])
    /// These workers could not start it; the latest said why.
    case refused([WorkerID], String)
    /// It failed on these workers, and another one is to try next.
    case failedThere([WorkerID])
    /// These workers could not start its tool lately; others come first for so long, or until a
    /// trial goes well.
    case coolingDown([WorkerID], Duration)
    /// It was on a lost worker, and these workers run others that were there, too.
    case keptApart([WorkerID])
    /// Workers hold as many attempts of its run as this one may have at a time.
    case runBoundReached(Int)
    /// Workers hold as many attempts of its owner's runs as these may have together.
    case ownerBoundReached(String, Int)
    /// The next attempt starts after this delay.
    case backingOff(Duration)
    /// Sent to the worker, which has not said that it began.
    case leased(WorkerID)
    /// The worker runs it.
    case running(WorkerID)
    /// It was called back, and the worker has not answered yet.
    case cancelling(WorkerID)
    /// Its run is cancelled, and it is about to be settled.
    case runCancelled
    /// It is about to be placed.
    case aboutToStart
}

extension Scheduler {
    /// Why the node waits; empty when it has settled or is unknown.
    ///
    /// `dependencies` are those of the plan, which the scheduler does not keep.
    public func explain(
        _ node: NodeReference,
        dependencies: [Int],
        at now: Instant
    ) -> [WaitReason] {
        guard let slot = slot(of: node) else { return [] }
        let record = record(slot)
        if runs[Int(slot.run)].isCancelled, record.state.isUnheld { return [.runCancelled] }
        switch record.state {
        case .waiting:
            let open = dependencies.filter {
                state(of: NodeReference(run: node.run, node: $0)) != .succeeded
            }
            var reasons: [WaitReason] = []
            if !open.isEmpty {
                reasons.append(.dependencies(Array(open.prefix(10)), total: open.count))
            }
            if Int(record.inDegree) > open.count { reasons.append(.growingPlan) }
            if isWaitingForArguments(slot) { reasons.append(.arguments) }
            return reasons
        case .ready:
            let run = runs[Int(slot.run)]
            if run.liveAttempts >= run.maxRunning {
                return [.runBoundReached(Int(run.maxRunning))]
            }
            if run.owner >= 0, owners.isAtBound(run.owner) {
                let owner = owners[run.owner]
                return [.ownerBoundReached(owner.name, Int(owner.maxRunning))]
            }
            return explainReady(slot, now)
        case .backingOff(let until): return [.backingOff(until.duration(since: now))]
        case .leased(let worker): return [.leased(worker)]
        case .running(let worker): return [.running(worker)]
        case .cancelling(let worker, _): return [.cancelling(worker)]
        case .succeeded, .failed, .cancelled, .skipped: return []
        }
    }

    private func explainReady(_ node: NodeSlot, _ now: Instant) -> [WaitReason] {
        let index = placement(of: node)
        let placement = classes[index]
        let cooling = times.coolingWorkers.compactMap { slot(of: $0) }
            .filter { workers[$0].tools.cooling[placement.tool] != nil && isAble($0, toRun: index) }
            .map { workers[$0] }
        if cooling.isEmpty, !groups.isOffered(placement.tool) {
            return [.toolMissing(placement.tool)]
        }
        let able = workersAble(toRun: index)
        if able.isEmpty, cooling.isEmpty { return [.labelsMissing(placement.requires)] }
        let restrictions = careful.restrictions(of: node)
        let askable = able.filter { !restrictions.excludes($0.id) }
        var reasons: [WaitReason] = []
        let draining = able.filter(\.isDraining).map(\.id)
        let suspect = able.filter { $0.isSuspect && !$0.isDraining }.map(\.id)
        let busy = askable.filter { $0.pause.isOn || ($0.mayTakeMore && !$0.hasFreeSlot) }.map(\.id)
        let limited = askable.filter {
            $0.mayTakeMore && $0.hasFreeSlot && !$0.isBelowConcurrency(placement.tool)
                && $0.tools.cooling[placement.tool] == nil
        }.map(\.id)
        if !busy.isEmpty { reasons.append(.slotsBusy(busy)) }
        if !limited.isEmpty { reasons.append(.concurrencyReached(limited)) }
        if !suspect.isEmpty { reasons.append(.suspect(suspect)) }
        if !draining.isEmpty { reasons.append(.draining(draining)) }
        let pausing = cooling.filter {
            !restrictions.excludes($0.id)
                && ($0.profile.tools[placement.tool] == nil
                    || !$0.isBelowConcurrency(placement.tool))
        }
        if !pausing.isEmpty {
            let ends = pausing.compactMap { $0.tools.cooling[placement.tool] }.filter(\.isActive)
            let left = ends.map { max($0.until.duration(since: now), .zero) }.min() ?? .zero
            reasons.append(.coolingDown(pausing.map(\.id), left))
        }
        let apart = askable.map(\.id).filter { id in
            slot(of: id).map { isApart(restrictions, from: $0) } ?? false
        }
        if !apart.isEmpty { reasons.append(.keptApart(apart)) }
        if reasons.isEmpty { return [.aboutToStart] }
        let there = Set((able + cooling).map(\.id))
        let refused = restrictions.refused.filter { there.contains($0) }
        let failed = restrictions.avoided.filter { there.contains($0) }
        if !refused.isEmpty {
            reasons.append(.refused(refused, careful.trouble(of: node)?.refusal?.message ?? ""))
        }
        if !failed.isEmpty { reasons.append(.failedThere(failed)) }
        return reasons
    }

    /// The connected workers that can run a class, whether or not they have room, in the order in
    /// which they joined.
    private func workersAble(toRun index: Int) -> [ScheduledWorker] {
        var numbers: [Int32] = []
        for ticket in classes[index].pools.members where pools.has(ticket) {
            numbers += pools[ticket.index].members.members.map(\.worker)
        }
        return numbers.sorted().compactMap { number in
            workers.slot(ofNumber: Int(number)).map { workers[$0] }
        }
    }
}
