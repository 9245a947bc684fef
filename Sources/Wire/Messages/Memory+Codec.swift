// Reads and writes remember and forget.
internal import Core
internal import JSON
internal import Plans

extension Remember: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        let plan = fields.present("plan")
        guard fields.present("run") != nil else {
            guard let plan else {
                throw fields.missing(fields.present("goal") == nil ? "run" : "plan")
            }
            guard plan.kind == .object else { throw fields.bad("plan", "must be an object") }
            let goal = try fields.string("goal", bytes: 1...PlanExample.mostBytes)
            source = .plan(plan, goal: goal)
            return
        }
        guard plan == nil, fields.present("goal") == nil else {
            throw fields.bad("run", "must not stand beside a plan")
        }
        source = .run(try fields.run("run"))
    }

    func write(into writer: inout JSONWriter) {
        switch source {
        case .run(let run):
            writer.field("run", run.text)
        case .plan(let plan, let goal):
            writer.field("goal", goal)
            writer.field("plan", plan)
        }
    }
}

extension Forget: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        plan = try fields.optionalString("plan", bytes: 1...Limits.nameLength)
        let isAll = try fields.flag("all")
        if plan != nil, isAll { throw fields.bad("all", "must not stand beside a plan") }
        if fields.present("run") != nil {
            guard plan == nil, !isAll else {
                throw fields.bad("run", "must not stand beside a plan or all")
            }
            run = try fields.run("run")
        } else if plan == nil, !isAll {
            throw fields.missing("plan")
        }
    }

    func write(into writer: inout JSONWriter) {
        if let run { return writer.field("run", run.text) }
        writer.field("plan", plan)
        writer.flag("all", plan == nil)
    }
}
