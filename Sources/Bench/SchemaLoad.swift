// Checking arguments against a schema: a flat object of ten fields, as most tools have it.

internal import Glibc
internal import JSON
internal import Schemas

enum SchemaLoad {
    struct Figures {
        /// Of an object that is decoded already.
        var checkMicroseconds: Double
        /// With decoding it.
        var decodeMicroseconds: Double
    }

    private static let fields = 10
    private static let checks = 20_000

    static func measure() throws -> Figures {
        var properties: [String] = []
        var names: [String] = []
        var values: [String] = []
        for field in 0..<fields {
            let isText = field.isMultiple(of: 2)
            names.append(#""field_\#(field)""#)
            properties.append(
                names[field]
                    + (isText ? #":{"type":"string","minLength":1}"# : #":{"type":"integer"}"#)
            )
            values.append(names[field] + (isText ? #":"some text""# : ":\(field)"))
        }
        let text = """
            {"type":"object","properties":{\(properties.joined(separator: ","))},
            "required":[\(names.joined(separator: ","))],"additionalProperties":false}
            """
        let schema = try Schema(compiling: RawJSON(validating: text))
        let raw = try RawJSON(validating: "{" + values.joined(separator: ",") + "}")
        let tree = JSONValue(raw)
        return Figures(
            checkMicroseconds: microseconds { schema.problems(of: tree).count },
            decodeMicroseconds: microseconds { schema.problems(of: JSONValue(raw)).count }
        )
    }

    private static func microseconds(_ check: () -> Int) -> Double {
        let startedAt = clock()
        var problems = 0
        for _ in 0..<checks { problems += check() }
        precondition(problems == 0, "arguments that are valid have \(problems) problems")
        return Double(clock() - startedAt) / Double(CLOCKS_PER_SEC) * 1e6 / Double(checks)
    }
}
