// Reads the calls of an example plan. Not here: choosing examples for a goal and making them from
// schemas (ExamplePlans).

internal import JSON
public import Plans

extension PlanExample {
    /// Whether a text is one call of some tool.
    public static func isCall(_ text: String) -> Bool {
        let name = text.prefix { $0 != "(" }
        let tool = PlannerTool(name: String(name), description: "", parameters: .emptyObject)
        let example = PlanExample(goal: "a", calls: [text])
        guard case .failure(let problems) = example.nodes(with: [tool]) else { return true }
        // Its arguments may refer to other calls, and their order is not known here.
        let known: Set<PlanProblem.Code> = [.badArguments, .unknownDependency, .selfReference]
        return problems.problems.allSatisfy { known.contains($0.code) }
    }

    /// The nodes of the plan, with the ids 1, 2 and so on.
    ///
    /// - Returns: The nodes, or what is wrong with the calls if these tools are all there are.
    public func nodes(with tools: [PlannerTool]) -> Result<[NodeDefinition], PlanProblems> {
        var reader = ModelPlanReader(format: .text, tools: tools)
        var found: [NodeDefinition] = []
        for (position, call) in calls.enumerated() {
            found += reader.feed("\(position + 1). \(call)\n").map(\.definition)
        }
        _ = reader.feed("\(calls.count + 1). join()")
        let end = reader.finish()
        found += end.nodes.map(\.definition)
        var problems = end.problems.filter { $0.code != .emptyPlan }
        if problems.isEmpty, found.count != calls.count {
            let message = "each line must be one call, as in search(\"text\")"
            problems = [PlanProblem(code: .badPlan, message: message)]
        }
        return problems.isEmpty ? .success(found) : .failure(PlanProblems(problems))
    }
}
