// An entry of the answer to `plans`.
package import Core
package import JSON

/// A plan that reached its goal, as it is shown to planners.
package struct RememberedPlanDocument: Sendable, Equatable {
    /// Its name.
    package var plan: String
    /// The goal.
    package var goal: String
    /// The calls as lines of the text form, without their numbers.
    package var calls: [String]
    /// The run that it comes from; nil if a client gave it.
    package var run: RunID?
    /// When it was remembered.
    package var addedAt: UnixTime?
    /// Why planners are not shown it now; nil if they are.
    package var obstacle: String?

    /// Makes the document of its fields.
    package init(
        plan: String,
        goal: String,
        calls: [String],
        run: RunID? = nil,
        addedAt: UnixTime? = nil,
        obstacle: String? = nil
    ) {
        self.plan = plan
        self.goal = goal
        self.calls = calls
        self.run = run
        self.addedAt = addedAt
        self.obstacle = obstacle
    }
}

extension RememberedPlanDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        plan = try fields.string("plan")
        goal = try fields.string("goal")
        calls = try fields.strings("calls", bytes: 0...Limits.goalLength)
        run = fields.present("run") == nil ? nil : try fields.run("run")
        addedAt = try fields.optionalTime("added_at")
        obstacle = try fields.optionalString("obstacle")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("plan", plan)
        writer.field("goal", goal)
        writer.field("calls", calls)
        writer.field("run", run?.text)
        writer.field("added_at", addedAt?.text)
        writer.field("obstacle", obstacle)
    }
}
