// The notices of the machine as lines of the log.

internal import CoordinatorCore
internal import Core
internal import Logging
internal import Runs
internal import Wire

extension CoordinatorMachine.Notice {
    /// Writes the notice to the log.
    func log(to logger: Logger) {
        switch self {
        case .workerJoined(let name, let slots, let tools, let isResumed):
            logger.info(
                "worker \(isResumed ? "resumed" : "joined")",
                metadata: ["worker": "\(name)", "slots": "\(slots)", "tools": "\(tools)"]
            )
        case .workerLeft(let name, let reason, let attempts):
            logger.log(
                level: attempts > 0 ? .warning : .info,
                "worker left",
                metadata: [
                    "worker": "\(name)", "reason": "\(reason)", "attempts": "\(attempts)",
                ]
            )
        case .toolRefused(let name, let worker, let reason):
            logger.warning(
                "tool not offered",
                metadata: ["tool": "\(name)", "worker": "\(worker)", "reason": "\(reason)"]
            )
        case .offerChanged(let worker, let tools, let withheld):
            logger.info(
                "worker offers other tools",
                metadata: [
                    "worker": "\(worker)", "tools": "\(tools)",
                    "withheld": "\(withheld.map(\.name).joined(separator: ", "))",
                ]
            )
        case .peerDismissed(let id, let error):
            logger.warning(
                "peer dismissed",
                metadata: ["peer": "\(id)", "error": "\(error)"]
            )
        case .runAccepted(let run, let identity, let nodes):
            logger.debug(
                "run accepted",
                metadata: ["run": "\(run)", "by": "\(identity ?? "?")", "nodes": "\(nodes)"]
            )
        case .approvalAsked(let run, let node, let tool):
            logger.info(
                "node waits for approval",
                metadata: ["run": "\(run)", "node": "\(node)", "tool": "\(tool)"]
            )
        case .approvalAnswered(let run, let node, let isApproved, let identity):
            logger.info(
                isApproved ? "node approved" : "node denied",
                metadata: ["run": "\(run)", "node": "\(node)", "by": "\(identity ?? "?")"]
            )
        case .cancelAsked(let run, let identity):
            logger.info(
                "run is cancelled",
                metadata: ["run": "\(run)", "by": "\(identity ?? "?")"]
            )
        case .runEnded(let run, let status, let milliseconds, let planning):
            var metadata: Logger.Metadata = [
                "run": "\(run)", "status": "\(status)", "ms": "\(milliseconds)",
            ]
            metadata.merge(planning.metadata(at: milliseconds * 1_000)) { $1 }
            // What models cost is of interest without asking for more of the log.
            let level: Logger.Level = planning.calls > 0 ? .info : .debug
            logger.log(level: level, "run ended", metadata: metadata)
        }
    }
}

extension PlanningCourse {
    /// What models did for a run that ended at this age in microseconds, for the log; empty without
    /// calls.
    fileprivate func metadata(at age: Int) -> Logger.Metadata {
        guard calls > 0 else { return [:] }
        var metadata: Logger.Metadata = [
            "calls": "\(calls)", "repairs": "\(repairs)", "replans": "\(replans)",
            "tokens_in": "\(usage.input)", "tokens_out": "\(usage.output)",
            "model_ms": "\(modelTime(at: age) / 1_000)",
        ]
        metadata["first_node_ms"] = firstNodeAt.map { "\($0 / 1_000)" }
        metadata["cost"] = usage.cost.map { "\($0)" }
        return metadata
    }
}
