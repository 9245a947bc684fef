// A plan as a file or standard input, and everything that is wrong with it before it is sent.
internal import JSON
internal import Plans
internal import Schemas
internal import Tools
internal import Wire

/// A plan document that was read.
struct PlanFile {
    /// The text.
    var bytes: [UInt8]
    /// How many nodes it has.
    var nodeCount: Int
    /// What is wrong with it; warnings come last.
    var problems: [PlanProblem]

    /// Whether it can run.
    var isValid: Bool { problems.allSatisfy(\.isWarning) }

    /// Reads a file, or standard input for `-`, and checks the plan in it.
    static func read(_ path: String) throws -> PlanFile {
        PlanFile(bytes: try PlanInput(path).readBeginning())
    }

    /// Checks a document.
    init(bytes: [UInt8]) {
        self.bytes = bytes
        do throws(PlanProblems) {
            let plan = try Plan(reading: bytes[...])
            nodeCount = plan.count
            problems = plan.warnings()
        } catch {
            nodeCount = 0
            problems = error.problems
        }
    }

    /// Adds what is wrong when only the tools of a manifest are there: names, literal arguments.
    mutating func check(against manifest: Manifest) {
        guard isValid else { return }
        let found = PlanCheck(manifest).problems(of: PlanDocument.read(bytes).document)
        problems = found + problems
    }
}

/// A plan's nodes against the tools that will be there.
struct PlanCheck {
    private var schemas: [String: Schema] = [:]
    private var names: [String] = []

    init(_ manifest: Manifest) {
        for tool in manifest.tools {
            names.append(tool.description.name)
            schemas[tool.description.name] = try? Schema(compiling: tool.description.parameters)
        }
    }

    func problems(of document: PlanDocument) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        for node in document.nodes {
            guard problems.count < PlanLimits.problemsReported else { break }
            if let problem = problem(of: node) { problems.append(problem) }
        }
        return problems
    }

    private func problem(of node: NodeDefinition) -> PlanProblem? {
        guard names.contains(node.tool) else {
            return PlanProblem(
                code: .unknownTool,
                node: node.id.text,
                message: "node \(node.id) uses the tool \(node.tool), which the manifest does not "
                    + "have; it has \(offer)"
            )
        }
        // Arguments with references are known only when the node starts.
        guard let schema = schemas[node.tool], !schema.acceptsEverything,
            ArgumentTemplate(compiling: node.arguments).references.isEmpty
        else { return nil }
        let found = schema.problems(of: JSONValue(node.arguments))
        guard !found.isEmpty else { return nil }
        return PlanProblem(
            code: .badArguments,
            node: node.id.text,
            message: "node \(node.id): arguments of \(node.tool): "
                + found.map(\.description).joined(separator: "; ")
        )
    }

    private var offer: String {
        if names.isEmpty { return "none" }
        let shown = names.prefix(10).joined(separator: ", ")
        return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
    }
}

extension [PlanProblem] {
    /// `{"valid","nodes","problems":[…]}` as one line.
    func document(nodes: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("valid", allSatisfy(\.isWarning))
        writer.field("nodes", nodes)
        writer.key("problems")
        writer.beginArray()
        for problem in self { problem.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
        writer.newline()
        return writer.bytes
    }
}
