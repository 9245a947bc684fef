// Checks a plan's nodes against the available tools: names, and arguments as far as they are known
// before the run. Pure.
internal import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Schemas
internal import Tools
internal import Wire

/// Checks of a plan by the tools of a run.
struct PlanCheck {
    private let schemas: [String: Schema]
    private let shapes: [String: OutputShape]
    /// The tools that are programs, whose commands have more rules for arguments than a schema.
    private let programs: [String: ManifestTool]
    private let names: [String]
    private let owner: String
    private let allowed: Set<String>?
    /// Whether there are tools whose names are not known here.
    private let isOpen: Bool

    /// The owner of the tools, to complete the sentence "which … does not have": `the manifest`.
    ///
    /// Open checks are for clusters whose MCP servers have not said yet which tools they have.
    init(
        _ tools: [ToolDescription],
        programs: [ManifestTool] = [],
        owner: String,
        allowed: [String]? = nil,
        isOpen: Bool = false
    ) {
        self.programs = Dictionary(
            programs.map { ($0.description.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        names = tools.map(\.name)
        schemas = Dictionary(
            tools.compactMap { tool in
                (try? Schema(compiling: tool.parameters)).map { (tool.name, $0) }
            },
            uniquingKeysWith: { first, _ in first }
        )
        shapes = Dictionary(
            tools.compactMap { tool in tool.outputSchema.map { (tool.name, OutputShape($0)) } },
            uniquingKeysWith: { first, _ in first }
        )
        self.owner = owner
        self.isOpen = isOpen
        self.allowed = allowed.map(Set.init)
    }

    /// The problems of nodes, each with the part of the arguments.
    func problems(
        of document: PlanDocument
    ) -> [(problem: PlanProblem, pointer: String?)] {
        var problems: [(PlanProblem, String?)] = []
        for node in document.nodes {
            guard problems.count < PlanLimits.problemsReported else { break }
            if let problem = problem(of: node) { problems.append(problem) }
        }
        return problems + referenceProblems(of: document)
    }

    /// References to parts that outputs do not have; a part that is only not named is a warning.
    private func referenceProblems(of document: PlanDocument) -> [(PlanProblem, String?)] {
        guard !shapes.isEmpty else { return [] }
        var tools: [NodeID: String] = [:]
        for node in document.nodes where tools[node.id] == nil { tools[node.id] = node.tool }
        return document.nodes.flatMap { node in
            OutputShape.faults(in: node.arguments) { id in tools[id].flatMap { shapes[$0] } }.map {
                let problem = PlanProblem(
                    code: .referenceNotFound,
                    node: node.id.text,
                    message: "node \(node.id) \($0.sentence)",
                    isWarning: !$0.isCertain
                )
                return (problem, nil)
            }
        }
    }

    /// A sentence about the first of these names that is not a tool; nil if all are.
    func unknownTool(among names: [String]) -> String? {
        guard !isOpen else { return nil }
        return names.first { !self.names.contains($0) }.map { "the tool \($0), \(absence(of: $0))" }
    }

    private func problem(of node: NodeDefinition) -> (PlanProblem, String?)? {
        func problem(_ code: PlanProblem.Code, _ words: String) -> PlanProblem {
            PlanProblem(code: code, node: node.id.text, message: "node \(node.id)\(words)")
        }
        guard names.contains(node.tool) else {
            if isOpen { return nil }
            return (
                problem(.unknownTool, " uses the tool \(node.tool), \(absence(of: node.tool))"), nil
            )
        }
        guard allowed?.contains(node.tool) ?? true else {
            return (problem(.unknownTool, " uses \(node.tool), which this run may not use"), nil)
        }
        guard let found = schemas[node.tool]?.problems(ofWritten: node.arguments),
            let first = found.first
        else { return commandProblem(of: node) }
        let sentence = found.map(\.description).joined(separator: "; ")
        return (
            problem(.badArguments, ": arguments of \(node.tool): \(sentence)"), first.pointer
        )
    }

    /// Why the arguments cannot be passed to the program, if they are all known.
    private func commandProblem(of node: NodeDefinition) -> (PlanProblem, String?)? {
        guard let program = programs[node.tool] else { return nil }
        let template = ArgumentTemplate(compiling: node.arguments)
        guard !template.hasReferences, let fault = program.fault(ofArguments: template.source)
        else { return nil }
        let message = "node \(node.id): arguments of \(node.tool): \(fault.message)"
        let pointer = fault.message.prefix { $0 != ":" }
        return (
            PlanProblem(code: .badArguments, node: node.id.text, message: message), String(pointer)
        )
    }

    private func absence(of name: String) -> String {
        let suggestion = Suggestions.sentence(for: name, among: names)
        return "which \(owner) does not have"
            + (suggestion.isEmpty ? "; it has \(offer)" : ".\(suggestion)")
    }

    private var offer: String {
        if names.isEmpty { return "none" }
        let shown = names.prefix(10).joined(separator: ", ")
        return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
    }
}
