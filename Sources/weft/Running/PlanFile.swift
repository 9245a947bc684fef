// A plan in a file or standard input, and all its problems before it is sent.
internal import JSON
internal import Plans
internal import Tools
internal import Wire

/// A plan document that was read.
struct PlanFile {
    /// Its name in messages: the path, or standard input.
    var name: String
    /// The text.
    var bytes: [UInt8]
    /// How many nodes it has.
    var nodeCount: Int
    /// The problems, in the order of the text; warnings come last.
    var problems: [PlacedProblem]

    /// Whether it can run.
    var isValid: Bool { problems.allSatisfy(\.problem.isWarning) }

    /// Its problems, one a line.
    var lines: [String] { problems.map { $0.line(in: name) } }

    /// The name of a file in messages.
    static func name(of path: String) -> String { path == "-" ? "standard input" : path }

    /// Checks a document on its own, and against the tools if they are known.
    init(name: String, bytes: [UInt8], tools: PlanCheck? = nil) {
        self.name = name
        self.bytes = bytes
        var found: [(problem: PlanProblem, pointer: String?)] = []
        do throws(PlanProblems) {
            let plan = try Plan(reading: bytes[...])
            nodeCount = plan.count
            found = plan.warnings().map { ($0, nil) }
        } catch {
            nodeCount = 0
            found = error.problems.map { ($0, nil) }
        }
        // Valid nodes are checked even if others, or the whole, are invalid.
        if let tools { found += tools.problems(of: PlanDocument.read(bytes).document) }
        guard !found.isEmpty else {
            problems = []
            return
        }
        let places = PlanPlaces(bytes)
        problems = Self.sorted(
            found.map {
                PlacedProblem(
                    problem: $0.problem,
                    position: places.position(of: $0.problem, pointer: $0.pointer)
                )
            }
        )
    }

    /// Errors before warnings, each in the order of the text, those without a place last.
    private static func sorted(_ problems: [PlacedProblem]) -> [PlacedProblem] {
        func rank(_ placed: PlacedProblem) -> (Int, Int) {
            (placed.problem.isWarning ? 1 : 0, placed.position?.offset ?? .max)
        }
        return problems.enumerated()
            .sorted { left, right in
                let (first, second) = (rank(left.element), rank(right.element))
                return first == second ? left.offset < right.offset : first < second
            }
            .map(\.element)
    }

    /// `{"valid","nodes","problems":[…]}` as one line.
    var document: [UInt8] { Self.document(of: problems, nodes: nodeCount) }

    /// The same for problems found elsewhere.
    static func document(of problems: [PlacedProblem], nodes: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("valid", problems.allSatisfy(\.problem.isWarning))
        writer.field("nodes", nodes)
        writer.key("problems")
        writer.beginArray()
        for problem in problems { problem.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
        writer.newline()
        return writer.bytes
    }
}
