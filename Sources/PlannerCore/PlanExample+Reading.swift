// Reads the calls of an example plan. Not here: choosing examples for a goal and making them from
// schemas (ExamplePlans).

public import Plans

extension PlanExample {
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
        var problems = end.problems.filter { !calls.isEmpty || $0.code != .emptyPlan }
        if problems.isEmpty, found.count != calls.count {
            let message = "each line must be one call, as in search(\"text\")"
            problems = [PlanProblem(code: .badPlan, message: message)]
        }
        return problems.isEmpty ? .success(found) : .failure(PlanProblems(problems))
    }
}
