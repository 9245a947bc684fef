// Compiles a schema document into nodes. Subschemas get their place in the list before they are
// compiled, so that references may be circular, and are compiled when something refers to them.

internal import JSON
internal import OrderedCollections

struct SchemaCompiler {
    private let document: JSONValue
    private var nodes: [SchemaNode] = []
    private var places: [(pointer: String, schema: JSONValue)] = []
    private var indexByPointer: [String: SchemaIndex] = [:]
    private var patterns = PatternBudget()
    /// Bytes of all pointers: a long name counts again for each subschema below it.
    private var pointerBytes = 0

    private static let pointerBytesLimit = 32 << 20

    init(document: JSONValue) {
        self.document = document
    }

    /// The nodes; the document itself is the first.
    mutating func compile() throws(SchemaError) -> [SchemaNode] {
        _ = try node(at: "", document)
        var next = 0
        while next < places.count {
            let place = places[next]
            nodes[next] = try compile(place.schema, at: place.pointer)
            next += 1
        }
        try refuseEndlessReferences()
        return nodes
    }

    /// The place of the subschema at a pointer.
    private mutating func node(
        at pointer: String,
        _ schema: JSONValue
    ) throws(SchemaError) -> SchemaIndex {
        if let index = indexByPointer[pointer] { return index }
        guard nodes.count < Schema.subschemasLimit else {
            throw SchemaError(
                pointer: pointer,
                message: "The schema has more than \(Schema.subschemasLimit) subschemas in use."
            )
        }
        pointerBytes += pointer.utf8.count
        guard pointerBytes <= Self.pointerBytesLimit else {
            throw SchemaError(
                pointer: "",
                message: "The names of the fields that lead to its subschemas are too long."
            )
        }
        nodes.append(SchemaNode())
        places.append((pointer, schema))
        indexByPointer[pointer] = nodes.count - 1
        return nodes.count - 1
    }

    private mutating func compile(
        _ schema: JSONValue,
        at pointer: String
    ) throws(SchemaError) -> SchemaNode {
        switch schema {
        case .bool(let accepts): return SchemaNode(assertions: accepts ? [] : [.never])
        case .object(let keywords):
            let reader = SchemaKeywords(keywords: keywords, pointer: pointer)
            try reader.refuseUnsupported()
            var assertions: [SchemaAssertion] = []
            try addGeneral(reader, to: &assertions)
            try addReferences(reader, to: &assertions)
            try addFields(reader, to: &assertions)
            try addElements(reader, to: &assertions)
            try reader.addScalars(to: &assertions, &patterns)
            return SchemaNode(assertions: assertions)
        default:
            throw SchemaError(pointer: pointer, message: "A schema must be an object or a boolean.")
        }
    }

    // MARK: - Keywords with subschemas

    private func addGeneral(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        if let types = try reader.types() { assertions.append(.type(types)) }
        if let values = try reader.array("enum") {
            assertions.append(.oneOfValues(SchemaChoice(values)))
        }
        if let value = reader["const"] { assertions.append(.oneOfValues(SchemaChoice([value]))) }
    }

    private mutating func addReferences(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        if let reference = try reader.string("$ref") {
            let target = try resolve(reference, at: reader.pointer(to: "$ref"))
            assertions.append(.reference(try node(at: target.pointer, target.schema)))
        }
        if let list = try list("allOf", reader) { assertions.append(.allOf(list)) }
        if let list = try list("anyOf", reader) { assertions.append(.anyOf(list)) }
        if let list = try list("oneOf", reader) { assertions.append(.oneOf(list)) }
        if let index = try single("not", reader) { assertions.append(.not(index)) }
        if let test = try single("if", reader) {
            let then = try single("then", reader)
            let otherwise = try single("else", reader)
            if then != nil || otherwise != nil {
                assertions.append(.condition(test, then: then, otherwise: otherwise))
            }
        }
    }

    private mutating func addFields(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        var fields = SchemaFields()
        for (name, schema) in try reader.object("properties") ?? [:] {
            fields.named[name] = try node(at: reader.pointer(to: "properties", name), schema)
        }
        for (source, schema) in try reader.object("patternProperties") ?? [:] {
            let pointer = reader.pointer(to: "patternProperties", source)
            let pattern = try patterns.pattern(source, at: pointer)
            fields.patterns.append((pattern, try node(at: pointer, schema)))
        }
        if reader["additionalProperties"] != .bool(true) {
            fields.additional = try single("additionalProperties", reader)
        }
        if !fields.subschemas.isEmpty { assertions.append(.fields(fields)) }
        if let names = try single("propertyNames", reader) { assertions.append(.fieldNames(names)) }
        if let required = try reader.strings("required"), !required.isEmpty {
            assertions.append(.required(required))
        }
        if let dependents = try reader.dependentRequired() {
            assertions.append(.dependentRequired(dependents))
        }
        let count = try reader.bounds("minProperties", "maxProperties")
        if !count.isEmpty { assertions.append(.fieldCount(count)) }
    }

    private mutating func addElements(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        var elements = SchemaElements()
        if case .array = reader["items"] {
            // Draft-07: a list of schemas, and one for the elements after them.
            elements.prefix = try list("items", reader) ?? []
            elements.rest = try single("additionalItems", reader)
        } else {
            elements.prefix = try list("prefixItems", reader) ?? []
            elements.rest = try single("items", reader)
        }
        if !elements.prefix.isEmpty || elements.rest != nil {
            assertions.append(.elements(elements))
        }
        let counts = try reader.bounds("minContains", "maxContains")
        if let contained = try single("contains", reader) {
            assertions.append(.contains(contained, counts))
        }
        let count = try reader.bounds("minItems", "maxItems")
        if !count.isEmpty { assertions.append(.elementCount(count)) }
        if try reader.bool("uniqueItems") == true { assertions.append(.uniqueElements) }
    }

    private mutating func single(
        _ keyword: String,
        _ reader: SchemaKeywords
    ) throws(SchemaError) -> SchemaIndex? {
        guard let schema = reader[keyword] else { return nil }
        return try node(at: reader.pointer(to: keyword), schema)
    }

    private mutating func list(
        _ keyword: String,
        _ reader: SchemaKeywords
    ) throws(SchemaError) -> [SchemaIndex]? {
        guard let schemas = try reader.array(keyword) else { return nil }
        if schemas.isEmpty, keyword != "items", keyword != "prefixItems" {
            throw reader.error(keyword, "must have at least one schema.")
        }
        var indexes: [SchemaIndex] = []
        for (position, schema) in schemas.enumerated() {
            indexes.append(try node(at: reader.pointer(to: keyword, "\(position)"), schema))
        }
        return indexes
    }

    // MARK: - References

    private func resolve(
        _ reference: String,
        at pointer: String
    ) throws(SchemaError) -> (pointer: String, schema: JSONValue) {
        guard reference == "#" || reference.hasPrefix("#/") else {
            throw SchemaError(
                pointer: pointer,
                message: "$ref must start with #/: it can only refer to the same document."
            )
        }
        var target = document
        var canonical = ""
        for token in JSONPointer.tokens(ofFragment: reference.dropFirst()) {
            let next: JSONValue? =
                if case .array = target { Int(token).flatMap { target[$0] } } else { target[token] }
            guard let next else {
                throw SchemaError(
                    pointer: pointer,
                    message: "$ref refers to \(reference), which does not exist."
                )
            }
            target = next
            canonical = JSONPointer.appending(token, to: canonical)
        }
        return (canonical, target)
    }

    /// A schema that applies itself to the same value by references would never end.
    private func refuseEndlessReferences() throws(SchemaError) {
        enum State { case new, open, done }
        var states = [State](repeating: .new, count: nodes.count)
        for start in nodes.indices where states[start] == .new {
            var path = [(node: start, left: nodes[start].assertions.flatMap(\.inPlace))]
            states[start] = .open
            while let next = path.indices.last.map({ path[$0].left.popLast() }) {
                guard let next else {
                    states[path.removeLast().node] = .done
                    continue
                }
                if states[next] == .open {
                    throw SchemaError(
                        pointer: places[next].pointer,
                        message: "The schema applies itself to the same value in an endless loop."
                    )
                }
                if states[next] == .new {
                    states[next] = .open
                    path.append((next, nodes[next].assertions.flatMap(\.inPlace)))
                }
            }
        }
    }
}
