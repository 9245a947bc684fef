// The questions of `weft run` about nodes that need approval: one after the other at a terminal, a
// line each elsewhere. What is sent and drawn is the run's business.
internal import Console
internal import Core
internal import JSON
internal import Weftline
internal import Wire

/// The nodes of a run that wait for approval, and what the person types.
struct ApprovalPrompt {
    /// A node that waits.
    struct Question {
        var node: NodeID
        var asked: ApprovalQuestion
    }

    /// What a typed line means.
    enum Reply: Equatable {
        /// The node is approved, or denied with a reason.
        case answer(isApproved: Bool, reason: String?)
        /// All that wait now are approved.
        case approveAll
        /// The node stays as it is; it may be answered elsewhere.
        case later
        /// It is none of these.
        case unclear
    }

    /// Those that wait, the first of which is asked about.
    private(set) var questions: [Question] = []

    /// Adds a node that waits; false if it is there already.
    mutating func add(_ question: Question) -> Bool {
        guard !questions.contains(where: { $0.node == question.node }) else { return false }
        questions.append(question)
        return true
    }

    /// A node does not wait any more, or is not asked about; says whether it was the first one.
    mutating func remove(_ node: NodeID) -> Bool {
        guard let place = questions.firstIndex(where: { $0.node == node }) else { return false }
        questions.remove(at: place)
        return place == 0
    }

    /// Nothing is asked any more.
    mutating func removeAll() { questions = [] }

    /// The last line of a question, behind which the person types.
    static let prompt = "Run it? [y]es, [n]o (and why), [a]ll, [l]ater: "

    /// What the letters mean, after a line that is not one of them.
    static let help =
        "y: yes; n: no, it fails; a: yes to all that wait; l: leave it for weft approve"

    /// What a person is shown of a node: its name, its tool, and the arguments on lines of their own.
    static func lines(of question: Question, style: Style) -> [String] {
        let tool = Text.printable("\(question.node) needs approval to call \(question.asked.tool)")
        guard let arguments = question.asked.arguments else {
            return [
                style.paint(tool, .yellow), "  (its arguments are long: weft show has them)",
            ]
        }
        let shown = JSONValue(arguments).indented().split(separator: "\n").prefix(mostLines)
        return [style.paint(tool, .yellow)]
            + shown.map { "  " + Text.cut(Text.printable(String($0)), to: 400) }
    }

    private static let mostLines = 60

    /// The line where there is no terminal to ask at.
    static func line(of question: Question, run: RunID, isRemote: Bool) -> String {
        let time = Text.duration(milliseconds: Double(question.asked.timeoutMilliseconds))
        let how =
            isRemote
            ? "weft approve \(run) \(question.node), or weft deny \(run) \(question.node)"
            : "at a terminal it is asked about; --yes approves whatever asks"
        return Text.printable(
            "\(question.node) (\(question.asked.tool)) needs approval within \(time): \(how)"
        )
    }

    /// Reads what was typed.
    static func reply(_ line: String) -> Reply {
        let text = line.drop { $0 == " " }
        let word = text.prefix { $0 != " " }.lowercased()
        let rest = text.dropFirst(word.count).drop { $0 == " " }
        let reason = rest.isEmpty ? nil : String(rest.prefix(1_000))
        switch word {
        case "y", "yes": return .answer(isApproved: true, reason: reason)
        case "n", "no": return .answer(isApproved: false, reason: reason)
        case "a", "all": return .approveAll
        case "l", "later": return .later
        default: return .unclear
        }
    }
}

extension JSONValue {
    /// The value on several lines, for people.
    fileprivate func indented(by margin: String = "") -> String {
        let inner = margin + "  "
        switch self {
        case .object(let fields) where !fields.isEmpty:
            let lines = fields.map { name, value in
                "\(inner)\(RawJSON(name).text): \(value.indented(by: inner))"
            }
            return "{\n\(lines.joined(separator: ",\n"))\n\(margin)}"
        case .array(let elements) where !elements.isEmpty:
            let lines = elements.map { "\(inner)\($0.indented(by: inner))" }
            return "[\n\(lines.joined(separator: ",\n"))\n\(margin)]"
        default: return RawJSON(self).text
        }
    }
}
