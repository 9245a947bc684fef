// What of a tool's bytes is its output: their format, and the part that is wanted. For programs and
// HTTP tools alike. Not here: the schema of outputs, which is checked for all tools (Toolbox).
internal import Core
internal import JSON

/// The `output` of a tool.
struct OutputContract: Sendable {
    /// The format; nil for the one that a response names.
    var format: OutputFormat?
    /// The part that is the output; nil for all of it.
    var path: OutputPath?

    /// The output of a tool that printed, or answered with, a value.
    func output(of whole: RawJSON, _ tool: String) -> Result<RawJSON, Failure> {
        guard let path else { return .success(whole) }
        guard let part = whole.value(at: path.steps) else {
            return .failure(
                .badOutput("\(tool) gave no \(path.text): it is not in \(whole.excerpt)")
            )
        }
        return .success(part.detached())
    }
}

/// A path to a part of a value, such as `$.items[0].name`.
struct OutputPath: Sendable, Equatable {
    /// The path as written.
    let text: String
    let steps: [JSONPathStep]

    /// Reads a path of names and positions; nil for anything else.
    init?(_ text: String) {
        guard text.hasPrefix("$") else { return nil }
        var steps: [JSONPathStep] = []
        var rest = text.dropFirst()
        while let sign = rest.popFirst() {
            if sign == "." {
                let name = rest.prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty, name != "*" else { return nil }
                steps.append(.key(String(name)))
                rest = rest[name.endIndex...]
            } else if sign == "[", let quote = rest.first, quote == "'" || quote == "\"" {
                rest.removeFirst()
                guard let end = rest.firstIndex(of: quote) else { return nil }
                steps.append(.key(String(rest[..<end])))
                rest = rest[rest.index(after: end)...]
                guard rest.popFirst() == "]" else { return nil }
            } else if sign == "[", let end = rest.firstIndex(of: "]"),
                let index = Int(rest[..<end]), index >= 0
            {
                steps.append(.index(index))
                rest = rest[rest.index(after: end)...]
            } else {
                return nil
            }
        }
        self.text = text
        self.steps = steps
    }
}

extension Failure {
    /// An output that is not what the tool's contract says.
    static func badOutput(_ message: String) -> Failure {
        Failure(code: .badOutput, message: message)
    }
}

extension RawJSON {
    /// The value in a sentence, shortened.
    var excerpt: String {
        count <= 200 ? text : String(decoding: bytes.prefix(200), as: UTF8.self) + "…"
    }
}
