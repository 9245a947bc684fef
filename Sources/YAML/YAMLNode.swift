// YAML as a tree of values with their places in the text. Not here: making the tree (YAMLComposer),
// what the values mean (the readers of manifests and configuration files).

/// A value in a text of YAML, with its place.
///
/// Aliases are replaced by the values that they stand for, with the place of these. Merge keys mean
/// nothing: `<<` is a key like any other.
public struct YAMLNode: Sendable {
    /// What the value is.
    public enum Content: Sendable {
        /// A single text, quoted or not.
        case scalar(Scalar)
        /// Values one after the other.
        case sequence([YAMLNode])
        /// Keys with their values.
        case mapping(Mapping)
    }

    /// A single text.
    public struct Scalar: Sendable, Equatable {
        /// The ways to write one.
        public enum Style: Sendable {
            /// Without quotes.
            case plain
            /// In single quotes.
            case singleQuoted
            /// In double quotes.
            case doubleQuoted
            /// A block of lines after `|`.
            case literal
            /// A block of lines after `>`.
            case folded
        }

        /// The text, without quotes and escapes.
        public var string: String
        /// How it was written.
        public var style: Style
        /// The tag in full, such as `tag:yaml.org,2002:str` for `!!str`; nil if there is none.
        public var tag: String?

        /// Whether it may be a number, true, false or null: it has no quotes and is not marked as
        /// a text by `!!str`.
        public var isPlain: Bool { style == .plain && tag != Self.textTag }

        private static let textTag = "tag:yaml.org,2002:str"

        /// Makes a scalar.
        public init(_ string: String, style: Style = .plain, tag: String? = nil) {
            self.string = string
            self.style = style
            self.tag = tag
        }
    }

    /// Keys with their values, in the order of the text; no two keys have the same text.
    public struct Mapping: Sendable, Sequence {
        private let pairs: [(key: YAMLNode, value: YAMLNode)]

        /// Makes a mapping of keys that differ.
        public init(_ pairs: [(key: YAMLNode, value: YAMLNode)] = []) {
            self.pairs = pairs
        }

        /// The value of the key with that text; nil if there is none.
        public subscript(name: String) -> YAMLNode? {
            pairs.first { $0.key.scalar?.string == name }?.value
        }

        /// Goes through the keys and values.
        public func makeIterator() -> IndexingIterator<[(key: YAMLNode, value: YAMLNode)]> {
            pairs.makeIterator()
        }
    }

    /// What the value is.
    public var content: Content
    /// The line on which it begins, from 1.
    public var line: Int
    /// The character of the line at which it begins, from 1.
    public var column: Int

    /// Makes a value.
    public init(_ content: Content, line: Int, column: Int) {
        self.content = content
        self.line = line
        self.column = column
    }

    /// The scalar, if it is one.
    public var scalar: Scalar? {
        if case .scalar(let scalar) = content { scalar } else { nil }
    }

    /// The values of a sequence, if it is one.
    public var sequence: [YAMLNode]? {
        if case .sequence(let values) = content { values } else { nil }
    }

    /// The mapping, if it is one.
    public var mapping: Mapping? {
        if case .mapping(let mapping) = content { mapping } else { nil }
    }
}
