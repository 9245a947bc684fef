// Why a node waits, as a stable code and a sentence for people.

internal import Core
internal import Scheduling
internal import Wire

extension WaitReason {
    var code: WaitingReason.Code {
        switch self {
        case .dependencies: .dependencies
        case .growingPlan: .growingPlan
        case .arguments: .arguments
        case .approval: .approval
        case .toolMissing: .toolMissing
        case .labelsMissing: .labelsMissing
        case .draining: .draining
        case .suspect: .silent
        case .slotsBusy: .slotsBusy
        case .concurrencyReached: .concurrencyReached
        case .refused: .refused
        case .failedThere: .failedThere
        case .coolingDown: .coolingDown
        case .keptApart: .keptApart
        case .runBoundReached, .ownerBoundReached: .runBoundReached
        case .backingOff: .backingOff
        case .leased: .sent
        case .running: .running
        case .cancelling: .cancelling
        case .runCancelled: .runCancelled
        case .aboutToStart: .aboutToStart
        }
    }

    /// `withheld` says for a tool which workers have it and cannot run it, and why.
    func sentence(
        node: (Int) -> String,
        worker: (WorkerID) -> String,
        withheld: (String) -> String
    ) -> String {
        func names(_ workers: [WorkerID]) -> String {
            let shown = workers.prefix(5).map(worker).joined(separator: ", ")
            return workers.count > 5 ? "\(shown) and \(workers.count - 5) more" : shown
        }
        switch self {
        case .dependencies(let nodes, let total):
            let shown = nodes.map(node).joined(separator: ", ")
            let more = total > nodes.count ? " and \(total - nodes.count) more" : ""
            return "waits for \(shown)\(more)"
        case .growingPlan:
            return "names nodes that the plan does not have yet; it is still growing"
        case .arguments: return "its arguments are about to be made of outputs"
        case .approval(let reference, let left):
            let answer = "\(reference.run) \(node(reference.node))"
            return "a person has to approve it (weft approve \(answer), or weft deny \(answer)) "
                + "within \(max(left.wholeMilliseconds / 1_000, 1)) s"
        case .toolMissing(let tool):
            return CoordinatorMachine.missing(tool, withheld(tool))
        case .labelsMissing(let labels):
            let wanted = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "no worker that has the tool carries \(wanted.joined(separator: ", "))"
        case .draining(let workers): return "draining: \(names(workers))"
        case .suspect(let workers): return "not heard from or not reachable: \(names(workers))"
        case .slotsBusy(let workers): return "all slots are busy on \(names(workers))"
        case .concurrencyReached(let workers):
            return "the tool's own limit is reached on \(names(workers))"
        case .refused(let workers, let message):
            return "could not be started on \(names(workers)): \(message)"
        case .failedThere(let workers):
            return "failed on \(names(workers)), so that another worker is to try next"
        case .coolingDown(let workers, let left):
            let rest =
                left > .zero
                ? "for \(max(left.wholeMilliseconds, 1)) ms" : "until a trial goes well"
            return "its tool could not be started lately on \(names(workers)), where others come "
                + "first \(rest)"
        case .keptApart(let workers):
            return "was on a worker that was lost, and is kept apart from other such nodes, which "
                + "run on \(names(workers))"
        case .runBoundReached(let bound):
            return "its run may have only \(bound) \(bound == 1 ? "node" : "nodes") with workers "
                + "at a time (max-running)"
        case .ownerBoundReached(let name, let bound):
            return "all runs of \(name) together may have only \(bound) "
                + "\(bound == 1 ? "node" : "nodes") with workers at a time (weft keys)"
        case .backingOff(let delay):
            let left = max(delay.wholeMilliseconds, 0)
            return "tried and failed; the next attempt starts in \(left) ms"
        case .leased(let id): return "sent to \(worker(id)), which has not begun it yet"
        case .running(let id): return "runs on \(worker(id))"
        case .cancelling(let id): return "being cancelled on \(worker(id))"
        case .runCancelled: return "its run is cancelled, and it is about to end"
        case .aboutToStart: return "is about to start"
        }
    }
}
