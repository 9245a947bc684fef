// Reading a record's written form. What is written is in RunRecord+JSON.swift.

internal import Core
internal import JSON
internal import Plans
internal import Wire

/// The fields of one record.
struct RecordReader {
    private let text: RawJSON
    private let fields: JSONFields

    init(_ text: RawJSON) throws(RunRecordError) {
        self.text = text
        do throws(JSONError) {
            fields = try JSONFields(text)
        } catch {
            throw RunRecordError("it is no JSON object: \(error)")
        }
    }

    func optional(_ key: StaticString) -> RawJSON? {
        fields[key].flatMap { $0.kind == .null ? nil : $0 }
    }

    func value(_ key: StaticString) throws(RunRecordError) -> RawJSON {
        guard let value = fields[key] else { throw RunRecordError("it has no \(key)") }
        return value
    }

    func integer(_ key: StaticString) throws(RunRecordError) -> Int {
        guard let number = try value(key).intValue else {
            throw RunRecordError("its \(key) is no whole number")
        }
        return number
    }

    func index(_ key: StaticString) throws(RunRecordError) -> Int32 {
        guard let number = Int32(exactly: try integer(key)), number >= 0 else {
            throw RunRecordError("its \(key) is out of range")
        }
        return number
    }

    func text(_ key: StaticString) throws(RunRecordError) -> String {
        guard let text = try value(key).stringValue else {
            throw RunRecordError("its \(key) is no text")
        }
        return text
    }

    /// A value that is written as a text.
    func document(_ key: StaticString) throws(RunRecordError) -> RawJSON {
        let text = try text(key)
        do throws(JSONError) {
            return try RawJSON(validating: text)
        } catch {
            throw RunRecordError("its \(key) is no JSON: \(error)")
        }
    }

    func flag(_ key: StaticString) throws(RunRecordError) -> Bool {
        guard let flag = try value(key).boolValue else {
            throw RunRecordError("its \(key) is neither true nor false")
        }
        return flag
    }

    func failure() throws(RunRecordError) -> Failure {
        let reader = try RecordReader(value("error"))
        return Failure(
            code: FailureCode(rawValue: try reader.text("code")),
            message: try reader.text("message"),
            isRetryable: try reader.flag("retryable"),
            exitCode: reader.optional("exit_code")?.intValue,
            signal: reader.optional("signal")?.intValue,
            stderrTail: reader.optional("stderr_tail")?.stringValue
        )
    }

    func elements(_ key: StaticString) throws(RunRecordError) -> [RawJSON] {
        let list = try value(key)
        guard list.kind == .array else { throw RunRecordError("its \(key) is no array") }
        var elements: [RawJSON] = []
        list.forEachElement { elements.append($0) }
        return elements
    }

    func nodes() throws(RunRecordError) -> [NodeDefinition] {
        var nodes: [NodeDefinition] = []
        for (position, element) in try elements("tasks").enumerated() {
            do throws(PlanProblems) {
                nodes.append(try NodeDefinition(decoding: element, at: position))
            } catch {
                throw RunRecordError("a node of it cannot be read: \(error)")
            }
        }
        return nodes
    }

    func problems() throws(RunRecordError) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        for element in try elements("problems") {
            guard let problem = PlanProblem(decoding: element) else {
                throw RunRecordError("a problem of it cannot be read")
            }
            problems.append(problem)
        }
        return problems
    }

    func acceptance() throws(RunRecordError) -> Acceptance {
        let version = try integer("version")
        guard (1...RunRecord.version).contains(version) else {
            throw RunRecordError(
                "it has the version \(version); this program reads up to \(RunRecord.version)"
            )
        }
        guard let id = RunID(try text("run")) else {
            throw RunRecordError("its run is no run's name")
        }
        guard let join = JoinKind(rawValue: try text("join")) else {
            throw RunRecordError("its join is unknown")
        }
        guard let policy = MissingToolPolicy(rawValue: try text("on_missing_tool")) else {
            throw RunRecordError("its on_missing_tool is unknown")
        }
        var tools: [String]?
        if optional("tools") != nil { tools = try elements("tools").compactMap(\.stringValue) }
        return Acceptance(
            id: id,
            key: try text("key"),
            label: optional("label")?.stringValue,
            join: join,
            allowedTools: tools,
            nodeBudget: optional("node_budget")?.intValue,
            wallMilliseconds: optional("wall_ms")?.intValue,
            approve: optional("approve") == nil
                ? [] : try elements("approve").compactMap(\.stringValue),
            approvalMilliseconds: optional("approval_ms")?.intValue,
            digest: try digest(),
            goal: optional("goal")?.stringValue,
            isStreamed: try flag("streamed"),
            onMissingTool: policy,
            maxRunning: optional("running")?.intValue,
            submitter: optional("by")?.stringValue,
            retriedRun: try retriedRun(),
            traceParent: optional("traceparent")?.stringValue.flatMap { TraceParent($0) },
            unixMilliseconds: try integer("unix_ms")
        )
    }

    func toolText() throws(RunRecordError) -> ToolText {
        let offset = try integer("offset")
        guard offset >= 0, let output = try? ToolOutput(decoding: text) else {
            throw RunRecordError("what its tool wrote cannot be read")
        }
        return ToolText(
            stream: output.stream,
            offset: offset,
            isCut: optional("cut")?.boolValue ?? false,
            bytes: output.bytes
        )
    }

    func plannerInput() throws(RunRecordError) -> PlannerInput {
        let kind = try text("what")
        switch kind {
        case "started": return .started
        case "plan_given": return .planGiven
        case "reported": return .reported(try value("report"))
        case "call_lost": return .callLost
        case "node_settled": return .nodeSettled(try index("settled"))
        case "round_settled": return .roundSettled
        case "tool_joined": return .toolJoined
        case "tool_refused": return .toolRefused(try failure())
        case "cancelled": return .cancelled(try failure())
        default: throw RunRecordError("a planner is not told \(kind)")
        }
    }

    private func retriedRun() throws(RunRecordError) -> RunID? {
        guard let text = optional("retries")?.stringValue else { return nil }
        guard let id = RunID(text) else { throw RunRecordError("it retries what is no run") }
        return id
    }

    private func digest() throws(RunRecordError) -> [UInt8] {
        let digits = Array(try text("digest").utf8)
        guard digits.count.isMultiple(of: 2) else { throw RunRecordError("its digest is cut") }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[start..<start + 2], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16) else {
                throw RunRecordError("its digest is not hexadecimal")
            }
            bytes.append(byte)
        }
        return bytes
    }
}

extension RunChange {
    init(reading reader: RecordReader, kind: String) throws(RunRecordError) {
        switch kind {
        case "accepted": self = .accepted(try reader.acceptance())
        case "nodes_added": self = .nodesAdded(try reader.nodes())
        case "joiner_added":
            self = .joinerAdded(tool: try reader.text("tool"), arguments: try reader.value("args"))
        case "join_instructed": self = .joinInstructed(try reader.text("text"))
        case "plan_closed": self = .planClosed(isFinal: try reader.flag("final"))
        case "planner_made": self = .plannerMade(try reader.document("settings"))
        case "planner_told": self = .plannerTold(try reader.plannerInput())
        case "model_called":
            let isRepair = reader.optional("repair")?.boolValue
            self = .modelCalled(isRepair: isRepair ?? false)
        case "model_replied": self = .modelReplied
        case "tokens_used":
            let usage = TokenUsage(
                input: try reader.integer("input"),
                output: try reader.integer("output"),
                cost: reader.optional("cost")?.doubleValue
            )
            self = .tokensUsed(usage)
        case "plan_refused": self = .planRefused(try reader.problems())
        case "round_settled": self = .roundSettled
        case "replanned":
            self = .replanned(round: try reader.integer("round"), reason: try reader.text("reason"))
        case "answered": self = .answered(try reader.value("answer"))
        case "cancel_asked":
            self = .cancelAsked(
                reason: try reader.text("reason"),
                by: reader.optional("by")?.stringValue,
                isCutShort: try reader.flag("cut_short")
            )
        case "failure_decided": self = .failureDecided(try reader.failure())
        case "intake_ended": self = .intakeEnded
        case "outputs_dropped": self = .outputsDropped
        case "joined": self = .joined
        case "ended":
            guard let status = RunStatus(rawValue: try reader.text("status")) else {
                throw RunRecordError("its status is unknown")
            }
            self = .ended(status)
        default:
            guard reader.optional("node") != nil else {
                throw RunRecordError("its kind \(kind) is unknown")
            }
            self = try Self(node: try reader.index("node"), reading: reader, kind: kind)
        }
    }

    private init(
        node: Int32,
        reading reader: RecordReader,
        kind: String
    ) throws(RunRecordError) {
        switch kind {
        case "approval_asked":
            self = .approvalAsked(node: node, milliseconds: try reader.integer("within_ms"))
        case "approved":
            self = .approved(
                node: node,
                by: reader.optional("by")?.stringValue,
                reason: reader.optional("reason")?.stringValue
            )
        case "ready": self = .nodeReady(node)
        case "dispatched":
            self = .dispatched(
                node: node,
                attempt: try reader.index("attempt"),
                worker: try reader.text("worker"),
                isRepeatable: try reader.flag("repeatable")
            )
        case "started": self = .started(node: node, attempt: try reader.index("attempt"))
        case "called_back":
            guard let reason = CancelReason(rawValue: try reader.text("reason")) else {
                throw RunRecordError("its reason is unknown")
            }
            self = .calledBack(node: node, attempt: try reader.index("attempt"), reason)
        case "returned":
            guard let reason = ReturnReason(rawValue: try reader.text("reason")) else {
                throw RunRecordError("its reason is unknown")
            }
            self = .returned(node: node, attempt: try reader.index("attempt"), reason)
        case "tool_wrote":
            self = .toolWrote(
                node: node,
                attempt: try reader.index("attempt"),
                try reader.toolText()
            )
        case "worked":
            self = .worked(node: node, microseconds: Int64(try reader.integer("work_us")))
        case "retrying":
            guard let cause = RetryCause(rawValue: try reader.text("cause")) else {
                throw RunRecordError("its cause is unknown")
            }
            self = .retrying(
                node: node,
                attempt: try reader.index("attempt"),
                try reader.failure(),
                afterMicroseconds: Int64(try reader.integer("after_us")),
                cause: cause
            )
        case "pause_ended": self = .pauseEnded(node)
        case "unplaceable":
            self = .unplaceable(node: node, message: try reader.text("message"))
        case "succeeded":
            self = .succeeded(
                node: node,
                try reader.value("output"),
                microseconds: Int64(try reader.integer("work_us"))
            )
        case "taken_over": self = .takenOver(node: node, try reader.value("output"))
        case "failed": self = .failed(node: node, try reader.failure())
        case "skipped": self = .skipped(node: node, because: try reader.index("because"))
        case "cancelled": self = .cancelled(node)
        default: throw RunRecordError("its kind \(kind) is unknown")
        }
    }
}
