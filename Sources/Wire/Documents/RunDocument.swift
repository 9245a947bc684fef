// The answer to `run`, and an entry of the answer to `runs`.
package import Core
package import JSON

/// A run as a whole.
package struct RunDocument: Sendable, Equatable {
    /// Its name.
    package var run: RunID
    /// What its author calls it.
    package var label: String?
    /// The run whose outputs it took over, if it did.
    package var retriedRun: RunID?
    /// How it ended, or that it goes on.
    package var status: RunStatus
    /// Whether its author still sends nodes.
    package var isGrowing: Bool
    /// How outputs become the answer.
    package var join: JoinKind
    /// What the plan says about that.
    package var joinInstruction: String?
    /// Why it failed as a whole, if it did.
    package var error: Failure?
    /// Why it was cancelled, if it was.
    package var reason: String?
    /// The identity that submitted it.
    package var submittedBy: String?
    /// The span that it is part of, if its client named one.
    package var traceParent: TraceParent?
    /// The identity that asked for its end, if one did.
    package var cancelledBy: String?
    /// When it was accepted, by the clock of the coordinator.
    package var startedAt: UnixTime?
    /// When it ended, by the same clock.
    package var endedAt: UnixTime?
    /// How long ago it was accepted, in milliseconds.
    package var ageMilliseconds: Int
    /// How many nodes are where.
    package var counts: NodeCounts
    /// How long things took so far.
    package var timing: RunTiming
    /// The tokens that language models used, estimated where they do not count.
    package var usage: TokenUsage?
    /// What language models did; nil if none was called.
    package var planning: PlanningDocument?

    /// Makes the document of its fields.
    package init(
        run: RunID,
        label: String? = nil,
        retriedRun: RunID? = nil,
        status: RunStatus,
        isGrowing: Bool,
        join: JoinKind,
        joinInstruction: String? = nil,
        error: Failure? = nil,
        reason: String? = nil,
        submittedBy: String? = nil,
        traceParent: TraceParent? = nil,
        cancelledBy: String? = nil,
        startedAt: UnixTime? = nil,
        endedAt: UnixTime? = nil,
        ageMilliseconds: Int,
        counts: NodeCounts,
        timing: RunTiming,
        usage: TokenUsage? = nil,
        planning: PlanningDocument? = nil
    ) {
        self.run = run
        self.label = label
        self.retriedRun = retriedRun
        self.status = status
        self.isGrowing = isGrowing
        self.join = join
        self.joinInstruction = joinInstruction
        self.error = error
        self.reason = reason
        self.submittedBy = submittedBy
        self.traceParent = traceParent
        self.cancelledBy = cancelledBy
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.ageMilliseconds = ageMilliseconds
        self.counts = counts
        self.timing = timing
        self.usage = usage
        self.planning = planning
    }
}

/// How long things of a run took, in microseconds.
package struct RunTiming: Sendable, Equatable {
    /// From its acceptance to its end, or to now.
    package var wall: Int
    /// The longest chain of dependent nodes.
    package var criticalPath: Int
    /// All nodes, one after the other.
    package var work: Int

    /// Makes the document of its fields.
    package init(wall: Int, criticalPath: Int, work: Int) {
        self.wall = wall
        self.criticalPath = criticalPath
        self.work = work
    }

    /// Work over wall, with two digits.
    package var speedup: Double {
        let speedup = wall > 0 ? Double(work) / Double(wall) : 1
        return (speedup * 100).rounded() / 100
    }
}

extension RunDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        label = try fields.optionalString("label")
        retriedRun = try fields.optionalRun("retries")
        status = try fields.choice("status")
        isGrowing = try fields.flag("growing")
        join = try fields.join("join")
        joinInstruction = try fields.optionalString("join_instruction")
        error = try fields.optionalDocument("error")
        reason = try fields.optionalString("reason")
        submittedBy = try fields.optionalString("submitted_by")
        traceParent = try fields.optionalTraceParent()
        cancelledBy = try fields.optionalString("cancelled_by")
        startedAt = try fields.optionalTime("started_at")
        endedAt = try fields.optionalTime("ended_at")
        ageMilliseconds = try fields.integer("age_ms")
        counts = try fields.document("counts")
        timing = try fields.document("timing")
        usage = try fields.optionalDocument("usage")
        planning = try fields.optionalDocument("planning")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("label", label)
        writer.field("retries", retriedRun?.text)
        writer.field("status", status.rawValue)
        writer.field("growing", isGrowing)
        writer.field("join", join.rawValue)
        writer.field("join_instruction", joinInstruction)
        writer.field("error", error)
        writer.field("reason", reason)
        writer.field("submitted_by", submittedBy)
        writer.field("traceparent", traceParent?.text)
        writer.field("cancelled_by", cancelledBy)
        writer.field("started_at", startedAt?.text)
        writer.field("ended_at", endedAt?.text)
        writer.field("age_ms", ageMilliseconds)
        writer.field("counts", counts)
        writer.field("timing", timing)
        writer.field("usage", usage)
        writer.field("planning", planning)
    }
}

extension RunTiming: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        wall = try fields.microseconds("wall_ms")
        criticalPath = try fields.microseconds("critical_path_ms")
        work = try fields.microseconds("work_ms")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("wall_ms", microseconds: wall)
        writer.field("critical_path_ms", microseconds: criticalPath)
        writer.field("work_ms", microseconds: work)
        writer.field("speedup", speedup)
    }
}
