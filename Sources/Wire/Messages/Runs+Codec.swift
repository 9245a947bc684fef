// Reads and writes submit, nodes, accepted and cancel_run.
internal import Core
internal import JSON
internal import Plans

extension Submit: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        self = try Submit(reading: fields, unreadable: [])
    }

    /// Reads a submission in which some values were no JSON.
    init(
        reading fields: FieldReader,
        unreadable faults: [(name: String, reason: String)]
    ) throws(WireError) {
        unreadable = faults.map { "the \($0.name) is no JSON: \($0.reason)" }
        key = try fields.string("key", bytes: 1...Limits.keyLength)
        plan = fields.present("plan")
        goal = try fields.optionalString("goal", bytes: 1...Limits.goalLength)
        planner = try fields.optionalObject("planner").map(PlannerOptions.init) ?? PlannerOptions()
        isStreamed = try fields.flag("stream")
        join = try fields.optionalJoin("join") ?? .concat
        tools =
            fields.present("tools") == nil
            ? nil : try fields.strings("tools", bytes: 1...Limits.toolNameLength)
        approve = try fields.strings("approve", bytes: 1...Limits.toolNameLength)
        let bounds = try fields.optionalObject("budget")
        budget = Budget(
            nodes: try bounds?.optionalInteger("nodes", in: 1...Limits.largestInteger),
            wallMilliseconds: try bounds?.optionalInteger(
                "wall_ms",
                in: 1...Limits.largestInteger
            ),
            tokens: try bounds?.optionalInteger("tokens", in: 1...Limits.largestInteger),
            cost: try bounds?.optionalDouble("cost"),
            running: try bounds?.optionalInteger("running", in: 1...Limits.largestInteger),
            approvalMilliseconds: try bounds?.optionalInteger(
                "approval_ms",
                in: 1...Limits.largestInteger
            )
        )
        if let cost = budget.cost, !(cost > 0) {
            throw fields.bad("budget.cost", "must be above 0")
        }
        onMissingTool = try fields.optionalChoice("on_missing_tool") ?? .wait
        watch = try fields.optionalChoice("watch")
        joinInstruction = try fields.optionalString("join_instruction")
        label = try fields.optionalString("label", bytes: 0...Limits.keyLength)
        traceParent = try fields.optionalTraceParent()
        retry = try fields.optionalObject("retry").map(RetriedRun.init)
        if retry != nil {
            try checkRetry(fields)
            return
        }
        if plan == nil, !isStreamed, goal == nil, unreadable.isEmpty {
            throw fields.missing("plan")
        }
        if goal != nil, plan != nil || isStreamed {
            throw fields.bad("goal", "must not stand beside a plan")
        }
        if goal == nil, planner.isPlanOnly, unreadable.isEmpty {
            throw fields.bad("planner", "may have plan_only beside a goal only")
        }
    }

    /// What the retried run was asked for holds again, and cannot be given here.
    private func checkRetry(_ fields: FieldReader) throws(WireError) {
        for field: StaticString in [
            "plan", "goal", "planner", "stream", "join", "tools", "on_missing_tool",
            "join_instruction",
        ] where fields.present(field) != nil {
            throw fields.bad("retry", "must not stand beside \(field)")
        }
    }

    func write(into writer: inout JSONWriter) {
        writer.field("key", key)
        if let retry { return writeRetry(retry, into: &writer) }
        writer.field("plan", plan)
        writer.field("goal", goal)
        if planner != PlannerOptions() {
            writer.key("planner")
            planner.write(into: &writer)
        }
        writer.flag("stream", isStreamed)
        writer.field("join", join.rawValue)
        if let tools {
            writer.field("tools", tools)
        }
        if !approve.isEmpty { writer.field("approve", approve) }
        writeBudget(into: &writer)
        writer.field("on_missing_tool", onMissingTool.rawValue)
        writer.field("watch", watch?.rawValue)
        writer.field("join_instruction", joinInstruction)
        writer.field("label", label)
        writer.field("traceparent", traceParent?.text)
    }

    private func writeRetry(_ retry: RetriedRun, into writer: inout JSONWriter) {
        writer.key("retry")
        retry.write(into: &writer)
        if !approve.isEmpty { writer.field("approve", approve) }
        writeBudget(into: &writer)
        writer.field("watch", watch?.rawValue)
        writer.field("label", label)
        writer.field("traceparent", traceParent?.text)
    }

    private func writeBudget(into writer: inout JSONWriter) {
        guard budget != Budget() else { return }
        writer.key("budget")
        writer.beginObject()
        writer.field("nodes", budget.nodes)
        writer.field("wall_ms", budget.wallMilliseconds)
        writer.field("tokens", budget.tokens)
        writer.field("cost", budget.cost)
        writer.field("running", budget.running)
        writer.field("approval_ms", budget.approvalMilliseconds)
        writer.endObject()
    }
}

extension RetriedRun {
    init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        nodes = fields.present("nodes") == nil ? [] : try fields.nodes("nodes")
    }

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("run", run.text)
        if !nodes.isEmpty { writer.field("nodes", nodes.map(\.text)) }
        writer.endObject()
    }
}

extension PlannerOptions {
    init(reading fields: FieldReader) throws(WireError) {
        self.init()
        format = try fields.optionalChoice("format")
        repairs = try fields.optionalInteger("repairs", in: PlannerOptions.repairRange)
        rounds = try fields.optionalInteger("rounds", in: PlannerOptions.roundRange)
        onModelFailure = try fields.optionalChoice("on_model_failure") ?? .finish
        strategy = try fields.optionalChoice("strategy") ?? .streamed
        isPlanOnly = try fields.flag("plan_only")
    }

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("format", format?.rawValue)
        writer.field("repairs", repairs)
        writer.field("rounds", rounds)
        writer.field("on_model_failure", onModelFailure.rawValue)
        if strategy != .streamed { writer.field("strategy", strategy.rawValue) }
        writer.flag("plan_only", isPlanOnly)
        writer.endObject()
    }
}

extension Nodes: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        self = try Nodes(reading: fields, unreadable: [])
    }

    /// Reads nodes in which some values were no JSON.
    init(
        reading fields: FieldReader,
        unreadable faults: [(name: String, reason: String)]
    ) throws(WireError) {
        unreadable = faults.map { "the \($0.name) is no JSON: \($0.reason)" }
        key = try fields.string("key", bytes: 1...Limits.keyLength)
        tasks =
            unreadable.isEmpty
            ? try fields.requiredElements("tasks") : try fields.elements("tasks")
        isLast = try fields.flag("last")
        joinInstruction = try fields.optionalString("join_instruction")
        brokenOff = try fields.optionalString("broken_off")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("key", key)
        writer.key("tasks")
        writer.beginArray()
        for node in tasks {
            writer.raw(node)
        }
        writer.endArray()
        writer.flag("last", isLast)
        writer.field("join_instruction", joinInstruction)
        writer.field("broken_off", brokenOff)
    }
}

extension Accepted: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        key = try fields.string("key", bytes: 1...Limits.keyLength)
        run = try fields.run("run")
        isExisting = try fields.flag("existing")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("key", key)
        writer.field("run", run.text)
        writer.field("existing", isExisting)
    }
}

extension CancelRun: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        reason = try fields.optionalString("reason")
    }

    func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("reason", reason)
    }
}
