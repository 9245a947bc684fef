// Results read from what the coordinator sends: the last event of a run and pages of its nodes.
internal import Client
internal import JSON
internal import PlannerCore
internal import Plans
internal import Wire

extension RunResult {
    /// Reads the last event of a run; nil if it is another one.
    ///
    /// The nodes are not in it, nor is an answer that is large: ``RunTracker`` asks for both.
    init?(_ event: EventMessage) {
        switch event.kind {
        case .runSucceeded: status = .succeeded
        case .runFailed: status = .failed
        case .runCancelled: status = .cancelled
        default: return nil
        }
        run = event.run
        let data = event.data ?? .emptyObject
        answer = data.field("answer").map { JSONValue($0) } ?? .null
        nodes = []
        failure = data.field("error").flatMap { Failure(reading: $0) }
        cancelReason = data.field("reason")?.stringValue
        usage = data.field("usage").flatMap { TokenUsage(reading: $0) }
        let timing = data.field("timing") ?? .emptyObject
        self.timing = Timing(
            wall: timing.duration("wall_ms") ?? .zero,
            criticalPath: timing.duration("critical_path_ms") ?? .zero,
            work: timing.duration("work_ms") ?? .zero
        )
    }
}

extension NodeReport {
    /// Reads one node of a page; nil if it is not one that has ended.
    init?(_ id: String, _ document: RawJSON) {
        guard let fields = try? JSONFields(document),
            let name = fields["status"]?.stringValue, let status = Status(rawValue: name)
        else { return nil }
        self.id = id
        self.status = status
        tool = fields["tool"]?.stringValue ?? ""
        rawOutput = fields["output"]?.detached()
        failure = fields["error"].flatMap { Failure(reading: $0) }
        skippedBecause = fields["because"]?.stringValue
        attempts = fields["attempts"]?.intValue ?? 0
        worker = fields["worker"]?.stringValue
        runTime = document.duration("run_ms")
    }
}

/// One page of the nodes of a run.
struct NodePage {
    var nodes: [NodeReport] = []
    /// The position of the next page.
    var next: Int?

    /// Reads the coordinator's answer; nil if it is no page of nodes that have ended.
    init?(_ document: RawJSON) {
        guard let nodes = document.field("nodes"), nodes.kind == .object else { return nil }
        next = document.field("next")?.intValue
        var isSound = true
        nodes.forEachField { id, node in
            if let report = NodeReport(id, node) {
                self.nodes.append(report)
            } else {
                isSound = false
            }
        }
        guard isSound else { return nil }
    }
}

extension Failure {
    /// Reads `{"code","message",…}`.
    init?(reading document: RawJSON) {
        guard let fields = try? JSONFields(document), let code = fields["code"]?.stringValue else {
            return nil
        }
        self.init(
            code: FailureCode(rawValue: code),
            message: fields["message"]?.stringValue ?? "",
            exitCode: fields["exit_code"]?.intValue,
            signal: fields["signal"]?.intValue,
            stderrTail: fields["stderr_tail"]?.stringValue
        )
    }
}

extension TokenUsage {
    /// Reads `{"input","output"}`.
    init?(reading document: RawJSON) {
        guard let input = document.field("input")?.intValue,
            let output = document.field("output")?.intValue
        else { return nil }
        self.init(input: input, output: output)
    }
}

extension RawJSON {
    func field(_ name: String) -> RawJSON? { value(at: [.key(name)]) }

    /// A field in milliseconds with three digits.
    func duration(_ name: String) -> Duration? {
        field(name)?.doubleValue.map { .microseconds(Int(($0 * 1_000).rounded())) }
    }
}
