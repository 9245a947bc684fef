// JSON Schema for tool parameters: the public interface. Compiling is in SchemaCompiler.swift,
// checking in SchemaChecker.swift.

public import JSON

/// A compiled JSON Schema: the part of draft-07 and 2020-12 that tool parameters use.
///
/// Enforced: `type`, `enum`, `const`; `properties`, `required`, `additionalProperties`,
/// `patternProperties`, `propertyNames`, `minProperties`, `maxProperties`, `dependentRequired`;
/// `items` (also draft-07's list), `prefixItems`, `additionalItems`, `contains`, `minContains`,
/// `maxContains`, `minItems`, `maxItems`, `uniqueItems`; `minLength`, `maxLength` (code points),
/// `pattern`; `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf`; `allOf`,
/// `anyOf`, `oneOf`, `not`, `if`/`then`/`else`; `$ref` to a place within the document, counted from
/// its root. Keywords beside a `$ref` count too, as in 2020-12. `1.0` is an integer, and equal to
/// `1`, as JSON Schema has it.
///
/// A schema with standard keywords that constrain values but are not in this list is refused; any
/// other keyword, such as `title`, `format` or an unknown word, is an annotation and changes
/// nothing.
public struct Schema: Sendable {
    let nodes: [SchemaNode]

    /// The largest number of subschemas in use.
    public static let subschemasLimit = 10_000
    /// The largest number of problems reported at once.
    public static let problemsLimit = 20

    /// Compiles a schema; the error names the part that is malformed or not supported, and where it
    /// is.
    public init(compiling raw: RawJSON) throws(SchemaError) {
        var compiler = SchemaCompiler(document: JSONValue(raw))
        nodes = try compiler.compile()
    }

    /// Whether every object is valid, so that arguments that are objects need no check.
    public var acceptsEverything: Bool {
        nodes[0].assertions.allSatisfy { assertion in
            switch assertion {
            case .type(let types): types.contains(.object)
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
        var checker = SchemaChecker(nodes: nodes, value: value)
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
