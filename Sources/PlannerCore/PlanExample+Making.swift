// Makes an example of a plan that was run.

internal import Core
internal import JSON
public import Plans

extension PlanExample {
    /// The goal with the calls of a plan.
    ///
    /// - Parameters:
    ///   - goal: The goal, at most `mostBytes`.
    ///   - nodes: The nodes of a valid plan.
    ///   - tools: The tools that it calls.
    /// - Returns: The example, or what keeps the plan from being one: an order that no reference
    ///   says, too many calls, tools that are not there.
    public static func made(
        for goal: String,
        of nodes: [NodeDefinition],
        tools: [PlannerTool]
    ) -> Result<PlanExample, PlanProblems> {
        func refusal(_ node: NodeID?, _ message: String) -> Result<PlanExample, PlanProblems> {
            .failure(
                PlanProblems([PlanProblem(code: .badPlan, node: node?.text, message: message)])
            )
        }
        guard nodes.count <= mostCalls else {
            return refusal(nil, "it has more than \(mostCalls) calls")
        }
        guard goal.utf8.count <= mostBytes else {
            return refusal(nil, "its goal has more than \(mostBytes) bytes")
        }
        let nodes = inOrder(nodes)
        var numbers: [NodeID: NodeID] = [:]
        for (position, node) in nodes.enumerated() {
            numbers[node.id] = NodeID(checked: "\(position + 1)")
        }
        let prompt = PlannerPrompt(goal: "", tools: tools, format: .text)
        var example = PlanExample(goal: goal, calls: [])
        for node in nodes {
            let referred = Set(ArgumentTemplate(compiling: node.arguments).references.map(\.id))
            if let only = node.dependencies.first(where: { !referred.contains($0) }) {
                return refusal(
                    node.id,
                    "node \(node.id) comes after \(only) without referring to it"
                )
            }
            let arguments = rewritingReferences(in: node.arguments) { id in
                numbers[id].map { .rename($0) }
            }
            let call = prompt.call(node.tool, arguments)
            guard call.utf8.count <= mostBytes else {
                return refusal(node.id, "node \(node.id) has more than \(mostBytes) bytes")
            }
            example.calls.append(call)
        }
        return example.nodes(with: tools).map { _ in example }
    }

    /// The nodes, each after those that it needs; otherwise as they were.
    private static func inOrder(_ nodes: [NodeDefinition]) -> [NodeDefinition] {
        var rest = nodes
        var ordered: [NodeDefinition] = []
        var done: Set<NodeID> = []
        while let next = rest.firstIndex(where: { $0.dependencies.allSatisfy(done.contains) }) {
            let node = rest.remove(at: next)
            done.insert(node.id)
            ordered.append(node)
        }
        return ordered + rest
    }
}
