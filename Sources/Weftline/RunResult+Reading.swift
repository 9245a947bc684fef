// Makes results from the coordinator's documents: the last event of a run and pages of its nodes.
internal import Core
internal import JSON
internal import Wire

extension RunResult {
    /// The result in the last event: without the nodes, and without an answer that is too large for
    /// an event.
    init(_ end: RunEnd) {
        let outcome = end.outcome
        status = end.status
        run = end.run
        answer = outcome.answer.map { JSONValue($0) } ?? .null
        nodes = []
        failure = outcome.error
        cancelReason = outcome.reason
        usage = outcome.usage
        planning = outcome.planning.map(Planning.init)
        timing = Timing(
            wall: .microseconds(outcome.timing.wall),
            criticalPath: .microseconds(outcome.timing.criticalPath),
            work: .microseconds(outcome.timing.work)
        )
    }
}

extension RunResult.Planning {
    fileprivate init(_ document: PlanningDocument) {
        calls = document.calls
        repairs = document.repairs
        replans = document.replans
        modelTime = .microseconds(document.modelTime)
        firstNode = document.firstNode.map { .microseconds($0) }
    }
}

extension NodeReport {
    /// A node of a page; nil if it has not ended.
    init?(_ id: String, _ node: NodeDocument) {
        guard let status = Status(rawValue: node.status.rawValue) else { return nil }
        self.id = id
        self.status = status
        tool = node.tool
        rawOutput = node.output?.detached()
        failure = node.error
        skippedBecause = node.because?.text
        attempts = node.attempts
        worker = node.worker
        runTime = node.run.map { .microseconds($0) }
    }
}
