// Reads results from the coordinator's messages: the last event of a run and pages of its nodes.
internal import Client
internal import Core
internal import JSON
internal import PlannerCore
internal import Wire

extension RunResult {
    /// The result in the last event: without the nodes, and without an answer that is too large for
    /// an event.
    init(_ end: RunEnd) {
        status = end.status
        run = end.run
        answer = end.answer.map { JSONValue($0) } ?? .null
        nodes = []
        failure = end.error.flatMap { Failure(reading: $0) }
        cancelReason = end.reason
        usage = end.usage
        timing = Timing(
            wall: end.timing.duration("wall_ms") ?? .zero,
            criticalPath: end.timing.duration("critical_path_ms") ?? .zero,
            work: end.timing.duration("work_ms") ?? .zero
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
    /// Reads the coordinator's answer; nil if it is not a page of nodes that have ended.
    init?(_ document: RawJSON) {
        guard let nodes = document.field("nodes"), nodes.kind == .object else { return nil }
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
