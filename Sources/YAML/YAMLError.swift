// Why a text was refused as YAML, and the limits.

/// The limits for every text of YAML.
public enum YAMLLimits {
    /// The most bytes of a text.
    public static let textBytes = 16 << 20
    /// How deep sequences and mappings may nest, also by aliases.
    public static let depth = 200
    /// The most values, where those behind an alias count each time that it is used.
    public static let values = 1_000_000
}

/// Why a text was refused as YAML.
public struct YAMLError: Error, Sendable, Equatable {
    /// The line, from 1; nil if it concerns the whole text.
    public var line: Int?
    /// What is wrong, as a sentence for a person.
    public var message: String

    init(line: Int?, message: String) {
        self.line = line
        self.message = message
    }

    /// The text breaks the rules of YAML.
    init(line: Int?, invalid words: String) {
        self.init(line: line, message: "The file is not valid YAML: \(words).")
    }
}
