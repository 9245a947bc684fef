// Reads the keywords of one schema object: their forms, and which ones are not supported.

internal import JSON
internal import OrderedCollections

struct SchemaKeywords {
    let keywords: OrderedDictionary<String, JSONValue>
    let pointer: String
    /// The position of the resource that the schema belongs to.
    var resource = 0

    /// Standard keywords, also of OpenAPI and older drafts, that constrain values and are not
    /// enforced.
    ///
    /// Ignoring them would accept values that the schema's author wanted to refuse.
    private static let unsupported: Set<String> = [
        "$recursiveRef", "nullable", "discriminator", "extends", "disallow", "divisibleBy",
    ]

    subscript(keyword: String) -> JSONValue? { keywords[keyword] }

    func pointer(to keyword: String, _ member: String? = nil) -> String {
        let place = JSONPointer.appending(keyword, to: pointer)
        return member.map { JSONPointer.appending($0, to: place) } ?? place
    }

    func error(_ keyword: String, _ complaint: String) -> SchemaError {
        SchemaError(pointer: pointer(to: keyword), message: "\(keyword) \(complaint)")
    }

    func refuseUnsupported() throws(SchemaError) {
        for keyword in keywords.keys where Self.unsupported.contains(keyword) {
            throw error(keyword, "is not supported.")
        }
    }

    // MARK: - Forms

    func array(_ keyword: String) throws(SchemaError) -> [JSONValue]? {
        guard let value = keywords[keyword] else { return nil }
        guard let array = value.arrayValue else { throw error(keyword, "must be an array.") }
        return array
    }

    func object(
        _ keyword: String
    ) throws(SchemaError) -> OrderedDictionary<String, JSONValue>? {
        guard let value = keywords[keyword] else { return nil }
        guard let object = value.objectValue else { throw error(keyword, "must be an object.") }
        return object
    }

    func string(_ keyword: String) throws(SchemaError) -> String? {
        guard let value = keywords[keyword] else { return nil }
        guard let string = value.stringValue else { throw error(keyword, "must be a string.") }
        return string
    }

    func bool(_ keyword: String) throws(SchemaError) -> Bool? {
        guard let value = keywords[keyword] else { return nil }
        guard let bool = value.boolValue else { throw error(keyword, "must be true or false.") }
        return bool
    }

    func strings(_ keyword: String) throws(SchemaError) -> [String]? {
        guard let values = try array(keyword) else { return nil }
        let strings = values.compactMap(\.stringValue)
        guard strings.count == values.count else {
            throw error(keyword, "must be an array of strings.")
        }
        return strings
    }

    func bounds(_ minimum: String, _ maximum: String) throws(SchemaError) -> SchemaBounds {
        SchemaBounds(minimum: try count(minimum), maximum: try count(maximum))
    }

    private func count(_ keyword: String) throws(SchemaError) -> Int? {
        guard let value = keywords[keyword] else { return nil }
        guard let count = value.normalized.intValue, count >= 0 else {
            throw error(keyword, "must be a whole number from 0.")
        }
        return count
    }

    private func number(_ keyword: String) throws(SchemaError) -> JSONValue? {
        guard let value = keywords[keyword] else { return nil }
        guard value.isType(.number) else { throw error(keyword, "must be a number.") }
        return value
    }

    // MARK: - Single keywords

    /// The draft that `$schema` names; nil without one.
    func dialect() throws(SchemaError) -> SchemaDialect? {
        guard let uri = try string("$schema") else { return nil }
        guard let dialect = SchemaDialect(uri: uri) else {
            throw error(
                "$schema",
                "names a dialect that is not known; "
                    + "use https://json-schema.org/draft/2020-12/schema, or leave it out."
            )
        }
        return dialect
    }

    func types() throws(SchemaError) -> SchemaTypes? {
        guard let value = keywords["type"] else { return nil }
        let names = value.arrayValue ?? [value]
        var types = SchemaTypes()
        for name in names {
            guard let type = name.stringValue.flatMap(SchemaType.init(rawValue:)) else {
                let known = SchemaType.allCases.map(\.rawValue).joined(separator: ", ")
                throw error("type", "must be one of \(known), or a list of them.")
            }
            types.insert(type)
        }
        guard !types.list.isEmpty else { throw error("type", "must name at least one type.") }
        return types
    }

    func dependentRequired() throws(SchemaError) -> [(key: String, required: [String])]? {
        var result: [(key: String, required: [String])] = []
        for (key, value) in try object("dependentRequired") ?? [:] {
            guard let required = value.namesValue else {
                throw error("dependentRequired", "must map names to arrays of names.")
            }
            result.append((key, required))
        }
        // The older keyword has names or a schema.
        for (key, value) in try object("dependencies") ?? [:] {
            guard case .array = value else { continue }
            guard let required = value.namesValue else {
                throw error("dependencies", "must map names to arrays of names or to schemas.")
            }
            result.append((key, required))
        }
        return result.isEmpty ? nil : result
    }

    func addScalars(
        to assertions: inout [SchemaAssertion],
        _ budget: inout PatternBudget
    ) throws(SchemaError) {
        let length = try bounds("minLength", "maxLength")
        if !length.isEmpty { assertions.append(.length(length)) }
        if let source = try string("pattern") {
            assertions.append(.pattern(try budget.pattern(source, at: pointer(to: "pattern"))))
        }
        for side in NumberBound.Side.allCases {
            if let limit = try number(side.rawValue) {
                assertions.append(.number(NumberBound(side: side, limit: limit)))
            }
        }
        if let divisor = try number("multipleOf") {
            guard (divisor.doubleValue ?? 0) > 0 else {
                throw error("multipleOf", "must be greater than 0.")
            }
            assertions.append(.multipleOf(divisor))
        }
    }
}

extension JSONValue {
    /// The texts of an array of texts; nil for anything else.
    fileprivate var namesValue: [String]? {
        guard let elements = arrayValue else { return nil }
        let names = elements.compactMap(\.stringValue)
        return names.count == elements.count ? names : nil
    }
}

/// The instructions that all patterns of one schema may need together.
struct PatternBudget {
    /// Instructions that are left.
    private var instructions = 20 * PatternAssembler.instructionsLimit

    /// Compiles a pattern and subtracts its instructions.
    mutating func pattern(
        _ source: String,
        at pointer: String
    ) throws(SchemaError) -> Pattern {
        do {
            let limit = min(instructions, PatternAssembler.instructionsLimit)
            let pattern = try Pattern(source, limit: limit)
            instructions -= pattern.size
            return pattern
        } catch {
            let shown = source.count > 80 ? source.prefix(77) + "..." : source
            throw SchemaError(
                pointer: pointer,
                message: "The pattern \(shown) cannot be used: \(error.message)."
            )
        }
    }
}
