// The problems of a file written by a person.
internal import Yams

/// Something wrong with a configuration file or a manifest.
public struct FileProblem: Sendable, Equatable, CustomStringConvertible {
    /// The line it is on, from 1.
    public var line: Int?
    /// The part of the file: a tool, a model, a section.
    public var entry: String?
    /// The field.
    public var field: String?
    /// What is wrong and what to do.
    public var message: String

    /// Makes a problem.
    public init(line: Int? = nil, entry: String? = nil, field: String? = nil, message: String) {
        self.line = line
        self.entry = entry
        self.field = field
        self.message = message
    }

    /// The error of the YAML parser.
    public init(yaml error: any Error) {
        let (line, words): (Int?, String) =
            switch error {
            case YamlError.scanner(_, let problem, let mark, _),
                YamlError.parser(_, let problem, let mark, _),
                YamlError.composer(_, let problem, let mark, _):
                (mark.line, problem)
            case YamlError.duplicatedKeysInMapping(let duplicates, let context):
                (context.mark.line, "\(duplicates.joined(separator: ", ")) is given twice")
            case YamlError.reader(let problem, _, _, _):
                (nil, problem)
            default:
                (nil, "\(error)")
            }
        self.init(line: line, message: "The file is not valid YAML: \(words).")
    }

    /// `line 12: planner: timeout: …`, with the parts that are known.
    public var description: String {
        [line.map { "line \($0)" }, entry, field, message].compactMap(\.self)
            .joined(separator: ": ")
    }
}
