// JSON Schema for tool parameters: the public interface. Compiling is in SchemaCompiler.swift,
// checking in SchemaChecker.swift.

public import JSON

/// A compiled JSON Schema: draft 2020-12, and draft-07 where its `$schema` says so.
///
/// Every keyword that constrains values is enforced; `format`, the `content…` keywords, `title` and
/// words that the drafts do not know are annotations and change nothing. References, by pointer,
/// `$anchor`, `$id` and `$dynamicRef`, find places within the document: nothing is ever fetched, and
/// a reference to anything else is refused, as is a `$schema` that is not known. `1.0` is an
/// integer, and equal to `1`.
///
/// The keywords of older drafts mean what they did: `definitions`, `items` as a list with
/// `additionalItems`, `dependencies`. In a schema with the `$schema` of draft-07 or older, the keywords
/// beside a `$ref` are ignored, as those drafts have it; without a `$schema` they count. What
/// cannot be enforced, such as `nullable` of OpenAPI 3.0 or `$recursiveRef`, is refused.
public struct Schema: Sendable {
    let nodes: [SchemaNode]
    private let hasDynamicReferences: Bool

    /// The largest number of subschemas in use.
    public static let subschemasLimit = 10_000
    /// The largest number of problems reported at once.
    public static let problemsLimit = 20

    /// Compiles a schema; the error names the part that is malformed or not supported, and where it
    /// is.
    public init(compiling raw: RawJSON) throws(SchemaError) {
        var compiler = try SchemaCompiler(document: JSONValue(raw))
        nodes = try compiler.compile()
        hasDynamicReferences = compiler.hasDynamicReferences
    }

    /// Whether every object is valid, so that arguments that are objects need no check.
    public var acceptsEverything: Bool {
        nodes[0].assertions.allSatisfy { assertion in
            switch assertion {
            case .type(let types): types.list.contains(.object)
            case .fields(let fields): fields.subschemas.allSatisfy { nodes[$0].assertions.isEmpty }
            default: assertion.concernsOnlyScalarsOrArrays
            }
        }
    }

    /// What is wrong with a value: empty when it is valid, at most `problemsLimit` entries.
    ///
    /// The number of steps is bounded by the value's size; a value that would need more is reported
    /// as a problem.
    public func problems(of value: JSONValue) -> [SchemaProblem] {
        if surelyAccepts(value) { return [] }
        var checker = SchemaChecker(nodes: nodes, tracksResources: hasDynamicReferences)
        return checker.run(value)
    }
}

/// One thing wrong with a value.
public struct SchemaProblem: Sendable, Hashable, CustomStringConvertible {
    /// Where in the value, as a JSON pointer; empty for the value as a whole.
    public var pointer: String
    /// What is wrong there, continuing the sentence that the pointer begins: "is required".
    public var message: String

    /// Makes a problem.
    public init(pointer: String, message: String) {
        self.pointer = pointer
        self.message = message
    }

    /// The problem in one line: `/path: is required`.
    public var description: String {
        pointer.isEmpty ? "the value \(message)" : "\(pointer): \(message)"
    }
}

/// Why a schema cannot be used.
public struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where in the schema, as a JSON pointer; empty for the schema as a whole.
    public var pointer: String
    /// What is wrong there, as a sentence for a person.
    public var message: String

    /// Makes an error.
    public init(pointer: String, message: String) {
        self.pointer = pointer
        self.message = message
    }

    /// The error in one line.
    public var description: String {
        pointer.isEmpty ? message : "\(pointer): \(message)"
    }
}
