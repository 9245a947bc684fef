// The problems of a plan, for people and for programs.

public import JSON

/// One thing that is wrong with a plan.
public struct PlanProblem: Sendable, Hashable, CustomStringConvertible {
    /// The stable code of a problem.
    public struct Code: Sendable, Hashable, RawRepresentable, CustomStringConvertible {
        /// The code as written on the wire.
        public var rawValue: String

        /// A code of this text; it is not checked.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The document is not JSON.
        public static let badJSON = Code(rawValue: "bad_json")
        /// The document, or a node in it, does not have the form of a plan.
        public static let badPlan = Code(rawValue: "bad_plan")
        /// An id is not 1–64 of `[A-Za-z0-9_-]`.
        public static let badID = Code(rawValue: "bad_id")
        /// Two nodes have the same id.
        public static let duplicateID = Code(rawValue: "duplicate_id")
        /// A node depends on an id that is not in the plan.
        public static let unknownDependency = Code(rawValue: "unknown_dependency")
        /// Nodes depend on each other in a circle.
        public static let cycle = Code(rawValue: "cycle")
        /// A node depends on itself.
        public static let selfReference = Code(rawValue: "self_reference")
        /// No such tool.
        public static let unknownTool = Code(rawValue: "unknown_tool")
        /// The arguments do not match the tool's parameters.
        public static let badArguments = Code(rawValue: "bad_args")
        /// A reference names a part that the output of its node does not have, as the schema says.
        public static let referenceNotFound = Code(rawValue: "reference_not_found")
        /// A limit is exceeded.
        public static let limit = Code(rawValue: "limit")
        /// The plan has no nodes.
        public static let emptyPlan = Code(rawValue: "empty_plan")
        /// Text looks like a reference but names no node and stays text (a warning).
        public static let unknownReference = Code(rawValue: "unknown_reference")

        /// A model planned a call that it had planned already; it is one node (a warning).
        public static let duplicateCall = Code(rawValue: "duplicate_call")
        /// Text looks like a reference but is not well formed; it stays text (a warning), unless a
        /// model wrote it and can repair it.
        public static let malformedReference = Code(rawValue: "malformed_reference")

        /// The code as written on the wire.
        public var description: String { rawValue }
    }

    /// The stable code.
    public var code: Code
    /// The id of the node concerned, as written; nil if it concerns the plan or the id is unreadable.
    public var node: String?
    /// One sentence for a person.
    public var message: String
    /// Whether the plan can run in spite of it.
    public var isWarning: Bool
    /// Where in the text it is, if the text was known; not part of the encoded form.
    public var position: TextPosition?

    /// A problem of that code.
    public init(
        code: Code,
        node: String? = nil,
        message: String,
        isWarning: Bool = false,
        position: TextPosition? = nil
    ) {
        self.code = code
        self.node = node
        self.message = message
        self.isWarning = isWarning
        self.position = position
    }

    /// The problem of an encoded form, or nil if `raw` is not one.
    public init?(decoding raw: RawJSON) {
        guard let fields = try? JSONFields(raw), let code = fields["code"]?.stringValue,
            let message = fields["message"]?.stringValue
        else { return nil }
        self.init(
            code: Code(rawValue: code),
            node: fields["node"]?.stringValue,
            message: message,
            isWarning: fields["warning"]?.boolValue ?? false
        )
    }

    /// Writes `{"code","node"?,"message","warning"?}`.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("code", code.rawValue)
        writer.field("node", node)
        writer.field("message", message)
        if isWarning { writer.field("warning", true) }
        writer.endObject()
    }

    /// The code, the place if it is known, and the message:
    /// `bad_json: line 1, column 1: expected { to begin the plan, found [`.
    public var description: String {
        let place = position.map { "line \($0.line), column \($0.column): " } ?? ""
        return "\(code): \(place)\(message)"
    }
}

/// All problems found at once.
public struct PlanProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// The problems, at least one: those of nodes in the order of the plan, then those of the whole
    /// plan.
    public var problems: [PlanProblem]

    /// An error that carries these problems.
    public init(_ problems: [PlanProblem]) {
        self.problems = problems
    }

    /// The problems, one a line.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

extension PlanProblem {
    /// The last of a list: there are so many more.
    fileprivate static func more(_ count: Int, isWarning: Bool) -> PlanProblem {
        let noun = (isWarning ? "warning" : "problem") + (count == 1 ? "" : "s")
        return PlanProblem(
            code: .limit,
            message: "and \(count) more \(noun)",
            isWarning: isWarning
        )
    }
}

extension [PlanProblem] {
    /// The first problems, of which the encoded forms have up to so many bytes; if that is not all, a
    /// last one says how many more there are.
    public func fitting(in bytes: Int) -> [PlanProblem] {
        var writer = JSONWriter()
        var kept = 0
        while kept < count {
            self[kept].encode(into: &writer)
            guard writer.bytes.count <= bytes else { break }
            kept += 1
        }
        guard kept < count else { return self }
        let isWarning = allSatisfy(\.isWarning)
        return Array(prefix(kept)) + [.more(count - kept, isWarning: isWarning)]
    }
}

/// Collects problems up to the limit and counts the others, whose messages are never composed.
struct ProblemList {
    private(set) var problems: [PlanProblem] = []
    private(set) var unreported = 0

    var isEmpty: Bool { problems.isEmpty }

    mutating func add(_ problem: @autoclosure () -> PlanProblem) {
        if problems.count < PlanLimits.problemsReported {
            problems.append(problem())
        } else {
            unreported += 1
        }
    }

    mutating func add(contentsOf others: [PlanProblem]) {
        for problem in others { add(problem) }
    }

    mutating func add(contentsOf others: ProblemList) {
        add(contentsOf: others.problems)
        unreported += others.unreported
    }

    /// The problems, with a last one that says how many more there are.
    func finished(asWarning isWarning: Bool = false) -> [PlanProblem] {
        guard unreported > 0 else { return problems }
        return problems + [.more(unreported, isWarning: isWarning)]
    }

    func throwIfAny() throws(PlanProblems) {
        if !isEmpty { throw PlanProblems(finished()) }
    }
}
