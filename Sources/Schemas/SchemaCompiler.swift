// Compiles a schema document into nodes. Subschemas get their place in the list before they are
// compiled, so that references may be circular, and are compiled when something refers to them.

internal import JSON
internal import OrderedCollections

struct SchemaCompiler {
    private var resources: SchemaResources
    private var nodes: [SchemaNode] = []
    private var places: [SchemaPlace] = []
    private var indexByPointer: [String: SchemaIndex] = [:]
    private var dynamicCandidates: [String: [Int: SchemaIndex]] = [:]
    private var patterns = PatternBudget()
    /// Bytes of all pointers: a long name counts again for each subschema below it.
    private var pointerBytes = 0

    private static let pointerBytesLimit = 32 << 20

    init(document: JSONValue) throws(SchemaError) {
        resources = try SchemaResources(of: document)
    }

    /// The nodes; the document itself is the first.
    mutating func compile() throws(SchemaError) -> [SchemaNode] {
        _ = try node(at: resources.list[0].root)
        var next = 0
        while next < places.count {
            nodes[next] = try compile(places[next])
            nodes[next].resource = places[next].resource
            next += 1
        }
        try refuseEndlessReferences()
        return nodes
    }

    /// Whether checks must know the resources that they have come through.
    var hasDynamicReferences: Bool {
        nodes.contains { node in
            node.assertions.contains { if case .dynamicReference = $0 { true } else { false } }
        }
    }

    /// The position of the subschema at a place.
    private mutating func node(at place: SchemaPlace) throws(SchemaError) -> SchemaIndex {
        let pointer = place.pointer
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
        places.append(place)
        indexByPointer[pointer] = nodes.count - 1
        return nodes.count - 1
    }

    /// The subschema at a pointer within another one.
    private mutating func node(
        at pointer: String,
        _ schema: JSONValue,
        in reader: SchemaKeywords
    ) throws(SchemaError) -> SchemaIndex {
        let resource = resources.resource(at: pointer) ?? reader.resource
        return try node(
            at: SchemaPlace(pointer: pointer, schema: schema, resource: resource)
        )
    }

    private mutating func compile(_ place: SchemaPlace) throws(SchemaError) -> SchemaNode {
        switch place.schema {
        case .bool(let accepts): return SchemaNode(assertions: accepts ? [] : [.never])
        case .object(let keywords):
            let reader = SchemaKeywords(
                keywords: keywords,
                pointer: place.pointer,
                resource: place.resource
            )
            if resources.list[place.resource].dialect == .draft7, reader["$ref"] != nil {
                // In draft-07 nothing beside a $ref counts.
                var assertions: [SchemaAssertion] = []
                try addReference(reader, to: &assertions)
                return SchemaNode(assertions: assertions)
            }
            try reader.refuseUnsupported()
            var assertions: [SchemaAssertion] = []
            try addGeneral(reader, to: &assertions)
            try addReference(reader, to: &assertions)
            try addDynamicReference(reader, to: &assertions)
            try addAlternatives(reader, to: &assertions)
            try addFields(reader, to: &assertions)
            try addElements(reader, to: &assertions)
            try reader.addScalars(to: &assertions, &patterns)
            let known = assertions.count
            // Last, for they ask what the others have checked.
            if let others = try single("unevaluatedProperties", reader) {
                assertions.append(.unevaluatedFields(others))
            }
            if let others = try single("unevaluatedItems", reader) {
                assertions.append(.unevaluatedElements(others))
            }
            return SchemaNode(assertions: assertions, collects: assertions.count > known)
        default:
            throw SchemaError(
                pointer: place.pointer,
                message: "A schema must be an object or a boolean."
            )
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

    private mutating func addReference(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        guard let reference = try reader.string("$ref") else { return }
        let target = try resources.place(
            of: reference,
            in: reader.resource,
            "$ref",
            at: reader.pointer(to: "$ref")
        )
        assertions.append(.reference(try node(at: target.place)))
    }

    private mutating func addDynamicReference(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        guard let reference = try reader.string("$dynamicRef") else { return }
        let target = try resources.place(
            of: reference,
            in: reader.resource,
            "$dynamicRef",
            at: reader.pointer(to: "$dynamicRef")
        )
        let initial = try node(at: target.place)
        guard let anchor = target.dynamicAnchor,
            case let candidates = try candidates(ofDynamicAnchor: anchor), candidates.count > 1
        else { return assertions.append(.reference(initial)) }
        assertions.append(
            .dynamicReference(SchemaDynamicReference(candidates: candidates, initial: initial))
        )
    }

    /// The subschemas with a dynamic anchor by their resources; all references to it share them.
    private mutating func candidates(
        ofDynamicAnchor anchor: String
    ) throws(SchemaError) -> [Int: SchemaIndex] {
        if let known = dynamicCandidates[anchor] { return known }
        var candidates: [Int: SchemaIndex] = [:]
        for place in resources.dynamicPlaces[anchor] ?? [] {
            candidates[place.resource] = try node(at: place)
        }
        dynamicCandidates[anchor] = candidates
        return candidates
    }

    private mutating func addAlternatives(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        if let list = try list("allOf", reader) { assertions.append(.allOf(list)) }
        if let list = try list("anyOf", reader) { assertions.append(.anyOf(list)) }
        if let list = try list("oneOf", reader) { assertions.append(.oneOf(list)) }
        if let index = try single("not", reader) { assertions.append(.not(index)) }
        if let test = try single("if", reader) {
            let then = try single("then", reader)
            let otherwise = try single("else", reader)
            assertions.append(.condition(test, then: then, otherwise: otherwise))
        }
    }

    private mutating func addFields(
        _ reader: SchemaKeywords,
        to assertions: inout [SchemaAssertion]
    ) throws(SchemaError) {
        var fields = SchemaFields()
        for (name, schema) in try reader.object("properties") ?? [:] {
            let pointer = reader.pointer(to: "properties", name)
            fields.named[name] = try node(at: pointer, schema, in: reader)
        }
        for (source, schema) in try reader.object("patternProperties") ?? [:] {
            let pointer = reader.pointer(to: "patternProperties", source)
            let pattern = try patterns.pattern(source, at: pointer)
            fields.patterns.append((pattern, try node(at: pointer, schema, in: reader)))
        }
        fields.additional = try single("additionalProperties", reader)
        if !fields.subschemas.isEmpty { assertions.append(.fields(fields)) }
        if let names = try single("propertyNames", reader) { assertions.append(.fieldNames(names)) }
        if let required = try reader.strings("required"), !required.isEmpty {
            assertions.append(.required(required))
        }
        if let dependents = try reader.dependentRequired() {
            assertions.append(.dependentRequired(dependents))
        }
        var dependents: [(key: String, schema: SchemaIndex)] = []
        for keyword in ["dependentSchemas", "dependencies"] {
            for (name, schema) in try reader.object(keyword) ?? [:] {
                if keyword == "dependencies", case .array = schema { continue }
                let pointer = reader.pointer(to: keyword, name)
                dependents.append((name, try node(at: pointer, schema, in: reader)))
            }
        }
        if !dependents.isEmpty { assertions.append(.dependents(dependents)) }
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
        return try node(at: reader.pointer(to: keyword), schema, in: reader)
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
            let pointer = reader.pointer(to: keyword, "\(position)")
            indexes.append(try node(at: pointer, schema, in: reader))
        }
        return indexes
    }

    // MARK: - Endless references

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
