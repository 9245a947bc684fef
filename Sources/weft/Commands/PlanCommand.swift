// `weft plan`: checks and draws a plan without running it, or plans a goal.
internal import ArgumentParser
internal import Client
internal import Console
internal import JSON
internal import Plans
internal import Tools
internal import Weftline
internal import Wire

struct PlanCommand: ParsableCommand {
    /// The forms a plan can be printed in.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case dot
        case mermaid
        case json
    }

    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Checks a plan, draws it, or has it made for a goal; runs nothing.",
        discussion: """
            Every problem at once, also tool names and arguments when the manifest is given:

              weft plan --check plan.json --tools tools.yaml

            A picture by Graphviz, and the plan in its normal form:

              weft plan --check plan.json --format dot | dot -Tsvg > plan.svg
              weft plan --check plan.json --format json

            The plan that a language model makes for a goal, with the tools that the workers \
            really have, to look at and to run later:

              weft plan "Which file of this tree is the longest?" --tools tools.yaml \
            --config weft.yaml > plan.json
              weft run --plan plan.json --tools tools.yaml
            """
    )

    @Argument(help: "What is wanted, for a language model to plan; instead of --check.")
    var goal: String?
    @Option(help: ArgumentHelp("The plan to check; - for standard input.", valueName: "file"))
    var check: String?
    @Option(help: "Print the plan as dot, mermaid or json (for a goal the default).")
    var format: Format?
    @Flag(help: "Print {\"valid\",\"nodes\",\"problems\"} of a checked plan as JSON.")
    var json = false
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Cluster of its own") var cluster: ClusterOptions
    @OptionGroup(title: "Language models") var models: ModelOptions
    @OptionGroup(title: "Goals") var planning: GoalFlags
    @Option(
        help: ArgumentHelp("Time planning may take.", valueName: "duration, such as 30s"),
        transform: positiveDuration
    )
    var timeout: Duration?

    func validate() throws {
        guard (goal == nil) != (check == nil) else {
            throw ValidationError(
                goal == nil
                    ? "Say what to look at: --check FILE, or a goal in quotes."
                    : "Give a goal or --check, not both."
            )
        }
        guard goal != nil else { return try validateCheck() }
        if json { throw ValidationError("--json is for --check; a goal's plan is JSON already.") }
        if planning.strategy != nil || planning.rounds != nil || planning.onModelFailure != nil {
            throw ValidationError(
                "--strategy, --rounds and --on-model-failure are for weft run: here nothing runs."
            )
        }
        try planning.check(goal: goal, plan: nil, join: nil)
        let isRemote = try connection.namesCoordinator()
        if !isRemote { try connection.flags.checkUnused() }
        try cluster.check(isRemote: isRemote, models: models, modelUser: "A goal")
    }

    private func validateCheck() throws {
        if json, format != nil {
            throw ValidationError("--json prints problems and --format the plan; choose one.")
        }
        let others =
            cluster.given.filter { $0 != "--tools" && $0 != "--diagnostics" }
            + (planning.allowTool.isEmpty ? [] : ["--allow-tool"])
            + (models.config.map { _ in ["--config"] } ?? [])
        if let flag = others.first {
            throw ValidationError("\(flag) is for a goal; --check runs nothing and asks no model.")
        }
        try planning.check(goal: nil, plan: check, join: nil)
    }

    func run() throws {
        if let goal {
            try plan(goal)
        } else {
            try checkPlan(check ?? "-")
        }
    }

    // MARK: - A goal

    private func plan(_ goal: String) throws {
        let isRemote = try connection.namesCoordinator()
        if !isRemote { _ = try cluster.check(allowed: planning.allowedTools) }
        let submission: Submission
        do throws(ClientError) {
            let options = RunOptions(
                onMissingTool: .wait,
                tools: planning.allowedTools,
                planner: planning.planner,
                maxNodes: planning.maxNodes,
                maxTokens: planning.maxTokens,
                maxCost: planning.maxCost,
                timeLimit: timeout
            )
            submission = try options.submission(of: goal, onlyPlan: true, watching: .progress)
        } catch {
            throw CommandFailure(.usage, error.message)
        }
        let settings = PlanRun.Settings(
            submission: submission,
            planFormat: format ?? .json,
            isRemote: isRemote,
            reconnecting: isRemote ? ReconnectFlag.standard : .zero
        )
        let client = isRemote ? try connection.clientOptions() : nil
        try Session.run { session in
            let planRun = PlanRun(session: session, settings: settings)
            if let client {
                planRun.start(client)
            } else {
                try cluster.start(for: planRun, models: models)
            }
        }
    }

    // MARK: - A file

    private func checkPlan(_ path: String) throws {
        let bytes = try PlanInput(path).readBeginning()
        let tools =
            cluster.given.isEmpty
            ? nil : try cluster.check(owner: "the manifest", asksServers: true)
        let file = PlanFile(name: PlanFile.name(of: path), bytes: bytes, tools: tools)
        if json {
            Output.standard.writeNow(file.document)
        } else {
            CommandFailure(.usage, file.lines).report()
        }
        guard file.isValid else { throw CommandFailure(.usage) }
        if let format {
            let text = Self.text(of: file.bytes, as: format)
            let isSeen = Terminal.of(.standard).isTerminal
            Output.standard.writeNow(
                isSeen ? Array(Text.harmless(String(decoding: text, as: UTF8.self)).utf8) : text
            )
        } else if !json {
            Output.standard.writeNow(
                "The plan is good: \(Text.count(file.nodeCount, "node")).\n"
            )
        }
    }

    /// A plan's document in a form to print.
    static func text(of bytes: [UInt8], as format: Format) -> [UInt8] {
        let document = PlanDocument.read(bytes).document
        switch format {
        case .dot: return Array(PlanDrawing.dot(document).utf8)
        case .mermaid: return Array(PlanDrawing.mermaid(document).utf8)
        case .json:
            var writer = JSONWriter(reserving: bytes.count)
            document.encode(into: &writer)
            writer.newline()
            return writer.bytes
        }
    }
}
