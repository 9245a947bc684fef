// How a goal is planned, as flags of `weft run`.
internal import ArgumentParser
internal import Console
internal import Core
internal import Plans
internal import Weftline
internal import Wire

/// The form of a plan, or the choice of it.
enum PlanFormatChoice: String, CaseIterable, ExpressibleByArgument {
    case auto, text, json

    /// Nil leaves the choice to the coordinator.
    var format: PlanFormat? { PlanFormat(rawValue: rawValue) }
}

/// The flags of a run that has a goal.
struct GoalFlags: ParsableArguments {
    @Option(
        help: """
            The form that the planner writes: text, json, or auto, the form that takes the fewest \
            tokens (default: auto).
            """
    )
    var planFormat: PlanFormatChoice?
    @Option(
        help: """
            When nodes start: streamed (as they are written, the default), growing (so, and the \
            model adds calls while others run), planned (when the plan is complete), sequential \
            (then, one at a time); or react: no plan, the model is asked before every call.
            """
    )
    var strategy: PlanningStrategy?
    @Option(
        help: ArgumentHelp(
            "How often problems go back to the model (default: \(PlannerOptions.usualRepairs)).",
            valueName: "n"
        )
    )
    var repairs: Int?
    @Option(
        help: ArgumentHelp(
            "How many plans there may be (default: \(PlannerOptions.usualRounds)).",
            valueName: "n"
        )
    )
    var rounds: Int?
    @Option(
        help: ArgumentHelp("How many nodes all plans may have (default: 1000).", valueName: "n")
    )
    var maxNodes: Int?
    @Option(
        help: ArgumentHelp("How many tokens the models may use (default: any).", valueName: "n")
    )
    var maxTokens: Int?
    @Option(
        help: ArgumentHelp(
            "What the models may cost; they need prices in the configuration (default: any).",
            valueName: "amount"
        )
    )
    var maxCost: Double?
    @Option(
        help: ArgumentHelp(
            "A tool that the run may use, and no other; may be repeated (default: all).",
            valueName: "tool"
        ),
        completion: Completions.tools
    )
    var allowTool: [String] = []
    @Option(help: "When the model fails in mid-plan, running nodes finish or cancel.")
    var onModelFailure: ModelFailurePolicy?

    func validate() throws {
        let (repairRange, roundRange) = (PlannerOptions.repairRange, PlannerOptions.roundRange)
        if let repairs, !repairRange.contains(repairs) {
            throw ValidationError("--repairs must be \(words(repairRange)).")
        }
        if let rounds, !roundRange.contains(rounds) {
            throw ValidationError("--rounds must be \(words(roundRange)).")
        }
        if let maxNodes, maxNodes < 1 { throw ValidationError("--max-nodes must be at least 1.") }
        if let maxTokens, maxTokens < 1 {
            throw ValidationError("--max-tokens must be at least 1.")
        }
        if let maxCost, !(maxCost > 0 && maxCost.isFinite) {
            throw ValidationError("--max-cost must be above 0.")
        }
    }

    private func words(_ range: ClosedRange<Int>) -> String {
        "from \(range.lowerBound) to \(range.upperBound)"
    }

    /// Whether goal, plan and flags fit together.
    func check(goal: String?, plan: String?, join: JoinKind?) throws {
        guard (goal == nil) != (plan == nil) else {
            throw ValidationError(
                goal == nil
                    ? "Say what to run: --plan FILE, or a goal in quotes."
                    : "Give a goal or --plan, not both."
            )
        }
        if let goal, goal.isEmpty || goal.utf8.count > Limits.goalLength {
            throw ValidationError("A goal has from 1 to \(Limits.goalLength) bytes.")
        }
        let isGiven =
            strategy != nil || planFormat != nil || repairs != nil || rounds != nil
            || maxNodes != nil
            || onModelFailure != nil
        if goal == nil, isGiven {
            throw ValidationError(
                "--strategy, --plan-format, --repairs, --rounds, --max-nodes and --on-model-failure "
                    + "are for goals."
            )
        }
        if goal == nil, maxTokens != nil || maxCost != nil, join != .llm {
            throw ValidationError(
                "--max-tokens and --max-cost are for goals and for --join llm."
            )
        }
    }

    /// The tools that plans may use; nil for all.
    var allowedTools: [String]? { allowTool.isEmpty ? nil : allowTool }

    /// How the goal is planned, for the library.
    var planner: PlannerOptions {
        PlannerOptions(
            format: planFormat?.format,
            repairs: repairs,
            rounds: rounds,
            onModelFailure: onModelFailure ?? .finish,
            strategy: strategy ?? .streamed
        )
    }
}
