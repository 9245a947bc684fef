// The problems of a file written by a person.
public import YAML

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

    /// The problem of a text that is not YAML.
    public init(yaml error: YAMLError) {
        self.init(line: error.line, message: error.message)
    }

    /// `line 12: planner: timeout: …`, with the parts that are known.
    public var description: String {
        [line.map { "line \($0)" }, entry, field, message].compactMap(\.self)
            .joined(separator: ": ")
    }
}
