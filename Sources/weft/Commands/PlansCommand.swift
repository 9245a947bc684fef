// `weft plans`: the plans that a coordinator remembers and shows to planners of similar goals.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Plans
internal import Weftline
internal import Wire

struct PlansCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plans",
        abstract: "Lists, adds and forgets plans that planners are shown as examples.",
        discussion: """
            A planner that is shown how a similar goal was reached makes fewer mistakes. A \
            coordinator keeps plans in its state folder, and shows the nearest ones to a new goal \
            as long as their tools are as they were. Add plans that you have seen to be right, or \
            let it remember every goal that was reached (remember_plans: true in its \
            configuration). Examples:

              weft plans
              weft plans add 7f3k2m
              weft plans add --goal "How warm is it in Lima?" --plan plan.json
              weft plans forget p3
            """,
        subcommands: [ListPlansCommand.self, AddPlanCommand.self, ForgetPlansCommand.self],
        defaultSubcommand: ListPlansCommand.self
    )
}

struct ListPlansCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the remembered plans, the oldest first."
    )

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the coordinator's answer as JSON, with each plan's calls.")
    var json = false

    func run() throws {
        let data = try Session.ask(try connection.clientOptions(readsOnly: true), .plans)
        let printer = Printer()
        if json { return printer.json(data) }
        let plans = try read { () throws(WireError) in
            try RememberedPlanDocument.list(decoding: data)
        }
        guard !plans.isEmpty else {
            return printer.lines([
                "No plans are remembered. Add one of a run that succeeded: weft plans add RUN"
            ])
        }
        var table = TextTable([
            .init(title: "PLAN"), .init(title: "CALLS", isNumeric: true), .init(title: "RUN"),
            .init(title: "NOT SHOWN BECAUSE"), .init(title: "GOAL", isElastic: true),
        ])
        for plan in plans {
            table.add([
                .init(plan.plan), .init("\(plan.calls.count)"), .init(plan.run?.text ?? ""),
                .init(plan.obstacle ?? "", plan.obstacle == nil ? nil : .yellow),
                .init(plan.goal),
            ])
        }
        printer.table(table)
    }
}

struct AddPlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Remembers the plan of a run that reached its goal, or one from a file.",
        discussion: """
            Examples, the second with the plan that the first command has made:

              weft plans add 7f3k2m
              weft plan "How warm is it in Lima?" > plan.json
              weft plans add --goal "How warm is it in Lima?" --plan plan.json
            """
    )

    @Argument(
        help: ArgumentHelp("The run.", valueName: "run"),
        completion: Completions.runs,
        transform: runID
    )
    var id: RunID?
    @Option(help: ArgumentHelp("The goal that the plan reaches.", valueName: "text"))
    var goal: String?
    @Option(help: ArgumentHelp("The plan; - for standard input.", valueName: "plan.json"))
    var plan: String?
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print the remembered plan as JSON.")
    var json = false

    func validate() throws {
        guard (id == nil) != (plan == nil), (goal == nil) == (plan == nil) else {
            throw ValidationError("Name a run, or give both --goal and --plan.")
        }
        if let goal, goal.isEmpty || goal.utf8.count > PlanExample.mostBytes {
            throw ValidationError("A goal has from 1 to \(PlanExample.mostBytes) bytes.")
        }
    }

    private func source() throws -> Remember.Source {
        if let id { return .run(id) }
        let path = plan ?? "-"
        let text = try PlanInput(path).readBeginning()
        do {
            return .plan(try RawJSON(validating: text[...]), goal: goal ?? "")
        } catch {
            throw CommandFailure(.usage, "\(path): \(error)".asError)
        }
    }

    func run() throws {
        let source = try source()
        let options = try connection.clientOptions()
        var added: RememberedPlanDocument?
        try Session.run { session in
            session.connect(options) { client in
                client.remember(source) { result in
                    if case .failure(let error) = result {
                        return session.end(CommandFailure(error))
                    }
                    // The newest is the last one.
                    client.get(.plans) { result in
                        do {
                            added = try RememberedPlanDocument.list(decoding: result.get()).last
                            session.end()
                        } catch let error as ClientError {
                            session.end(CommandFailure(error))
                        } catch {
                            session.end(CommandFailure(.failed, "\(error)".asError))
                        }
                    }
                }
            }
        }
        guard let added else { return }
        let printer = Printer()
        if json { return printer.json(added.json) }
        printer.lines(
            ["\(added.plan) is remembered: \(added.goal)"] + added.calls.map { "  \($0)" }
        )
    }
}

struct ForgetPlansCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forgets remembered plans.",
        discussion: "Example:\n\n  weft plans forget p3 p7"
    )

    @Argument(help: ArgumentHelp("The plans, as `weft plans` names them.", valueName: "plan"))
    var names: [String] = []
    @Flag(help: "Forget every plan.")
    var all = false
    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Print {\"forgotten\"} as JSON.")
    var json = false

    func validate() throws {
        guard names.isEmpty == all else {
            throw ValidationError("Name the plans to forget, or --all.")
        }
    }

    func run() throws {
        let options = try connection.clientOptions()
        try Session.run { session in
            session.connect(options) { client in
                forget(all ? [nil] : names.map(Optional.some), client, session)
            }
        }
        let printer = Printer()
        if json {
            return printer.json(
                RawJSON(["forgotten": all ? "all" : .array(names.map { .string($0) })])
            )
        }
        printer.lines([
            all ? "All plans are forgotten." : "Forgotten: \(names.joined(separator: ", "))"
        ])
    }

    /// One after the other, up to the first that fails.
    private func forget(_ names: [String?], _ client: CoordinatorClient, _ session: Session) {
        guard let name = names.first else { return session.end() }
        client.forget(plan: name) { result in
            switch result {
            case .success: forget(Array(names.dropFirst()), client, session)
            case .failure(let error): session.end(CommandFailure(error))
            }
        }
    }
}
