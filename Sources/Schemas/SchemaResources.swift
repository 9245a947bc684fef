// The parts of a schema document that have names: resources ($id), anchors, and which draft each is
// written in. Only places that are schemas count; an $id in an enum or below an unknown keyword is
// data. Not here: compiling.

internal import JSON
internal import OrderedCollections

/// How the keywords of a resource are read.
enum SchemaDialect {
    /// Draft-07 and older: keywords beside a `$ref` are ignored.
    case draft7
    /// 2019-09 and 2020-12.
    case latest

    /// The dialect that a `$schema` names; nil for one that is not known.
    init?(uri: String) {
        var name = Substring(uri)
        if name.hasSuffix("#") { name = name.dropLast() }
        for scheme in ["https://", "http://"] where name.hasPrefix(scheme) {
            name = name.dropFirst(scheme.count)
        }
        switch name {
        case "json-schema.org/draft-07/schema", "json-schema.org/draft-06/schema",
            "json-schema.org/draft-04/schema":
            self = .draft7
        case "json-schema.org/draft/2020-12/schema", "json-schema.org/draft/2019-09/schema",
            "json-schema.org/schema", "spec.openapis.org/oas/3.1/dialect/base":
            self = .latest
        default: return nil
        }
    }
}

/// A place of the document: a pointer from its root, and the schema there.
struct SchemaPlace {
    var pointer: String
    var schema: JSONValue
    /// The position of the resource that it belongs to.
    var resource: Int
}

/// One resource: the document, or a part of it with an `$id` of its own.
struct SchemaResource {
    var uri: SchemaURI
    var dialect: SchemaDialect
    var root: SchemaPlace
    var anchors: [String: SchemaPlace] = [:]
    /// The anchors that a `$dynamicRef` may mean.
    var dynamicAnchors: Set<String> = []
}

struct SchemaResources {
    private(set) var list: [SchemaResource] = []
    private var byURI: [String: Int] = [:]
    private var byPointer: [String: Int] = [:]
    /// The places with a dynamic anchor by its name, each with its resource.
    private(set) var dynamicPlaces: [String: [SchemaPlace]] = [:]
    /// Bytes of all names: a long name counts again for each name that is resolved against it.
    private var nameBytes = 0

    private static let naming = ["$id", "$anchor", "$dynamicAnchor"]
    private static let nameBytesLimit = 16 << 20
    private static let depthLimit = 200

    init(of document: JSONValue) throws(SchemaError) {
        let root = SchemaPlace(pointer: "", schema: document, resource: 0)
        list = [SchemaResource(uri: SchemaURI(""), dialect: .latest, root: root)]
        byPointer[""] = 0
        try visit(document, path: [], in: 0)
        if byURI[""] == nil { byURI[""] = 0 }
    }

    /// The resource that begins at a pointer; nil if none does.
    func resource(at pointer: String) -> Int? { byPointer[pointer] }

    // MARK: - Names

    private mutating func visit(
        _ schema: JSONValue,
        path: [String],
        in outer: Int
    ) throws(SchemaError) {
        guard case .object(let keywords) = schema else { return }
        guard path.count < Self.depthLimit else {
            throw SchemaError(pointer: "", message: "The schema is nested too deeply.")
        }
        var resource = outer
        if path.isEmpty || Self.naming.contains(where: { keywords[$0] != nil }) {
            // A pointer is made for those that have a name only.
            try spend(path.reduce(0) { $0 + $1.utf8.count }, at: "")
            let pointer = path.reduce("") { JSONPointer.appending($1, to: $0) }
            let reader = SchemaKeywords(keywords: keywords, pointer: pointer)
            resource = try addNames(of: reader, schema, in: outer)
        }
        for (keyword, value) in keywords {
            switch (keyword, value) {
            case ("properties", .object(let members)), ("patternProperties", .object(let members)),
                ("$defs", .object(let members)), ("definitions", .object(let members)),
                ("dependentSchemas", .object(let members)), ("dependencies", .object(let members)):
                for (name, member) in members {
                    try visit(member, path: path + [keyword, name], in: resource)
                }
            case ("allOf", .array(let members)), ("anyOf", .array(let members)),
                ("oneOf", .array(let members)), ("prefixItems", .array(let members)),
                ("items", .array(let members)):
                for (position, member) in members.enumerated() {
                    try visit(member, path: path + [keyword, "\(position)"], in: resource)
                }
            case ("additionalProperties", _), ("propertyNames", _), ("items", _),
                ("additionalItems", _), ("contains", _), ("not", _), ("if", _), ("then", _),
                ("else", _), ("unevaluatedItems", _), ("unevaluatedProperties", _),
                ("contentSchema", _):
                try visit(value, path: path + [keyword], in: resource)
            default: break
            }
        }
    }

    /// Notes the names of one schema; gives the resource that it belongs to.
    private mutating func addNames(
        of reader: SchemaKeywords,
        _ schema: JSONValue,
        in outer: Int
    ) throws(SchemaError) -> Int {
        let isRoot = reader.pointer.isEmpty
        let isResource = isRoot || reader["$id"] != nil
        let dialect = try (isResource ? reader.dialect() : nil) ?? list[outer].dialect
        if isRoot { list[0].dialect = dialect }
        var resource = outer
        // Beside a $ref of draft-07 there is nothing.
        guard dialect == .latest || reader["$ref"] == nil else { return resource }
        if let id = try reader.string("$id") {
            let uri = SchemaURI(id).resolved(against: list[outer].uri)
            let name = uri.withoutFragment
            try spend(name.utf8.count, at: reader.pointer)
            if name != list[outer].uri.withoutFragment {
                resource = isRoot ? 0 : list.count
                let place = SchemaPlace(
                    pointer: reader.pointer,
                    schema: schema,
                    resource: resource
                )
                let entry = SchemaResource(uri: SchemaURI(name), dialect: dialect, root: place)
                if isRoot { list[0] = entry } else { list.append(entry) }
                byPointer[reader.pointer] = resource
                if let first = byURI[name], list[first].root.schema != schema {
                    throw reader.error("$id", "is the name of two different schemas.")
                }
                if byURI[name] == nil { byURI[name] = resource }
            }
            if let anchor = uri.fragment, !anchor.isEmpty {
                guard dialect == .draft7 else {
                    throw reader.error("$id", "must have no # and name; $anchor names a part.")
                }
                try add(anchor: String(anchor), reader, "$id", schema, to: resource)
            }
        }
        if let anchor = try reader.string("$anchor") {
            try add(anchor: anchor, reader, "$anchor", schema, to: resource)
        }
        if let anchor = try reader.string("$dynamicAnchor") {
            try add(anchor: anchor, reader, "$dynamicAnchor", schema, to: resource)
            list[resource].dynamicAnchors.insert(anchor)
            dynamicPlaces[anchor, default: []].append(
                SchemaPlace(pointer: reader.pointer, schema: schema, resource: resource)
            )
        }
        return resource
    }

    private mutating func add(
        anchor: String,
        _ reader: SchemaKeywords,
        _ keyword: String,
        _ schema: JSONValue,
        to resource: Int
    ) throws(SchemaError) {
        try spend(anchor.utf8.count + reader.pointer.utf8.count, at: reader.pointer)
        let place = SchemaPlace(pointer: reader.pointer, schema: schema, resource: resource)
        if let first = list[resource].anchors[anchor], first.pointer != place.pointer {
            throw reader.error(keyword, "is the name of two schemas.")
        }
        list[resource].anchors[anchor] = place
    }

    private mutating func spend(_ bytes: Int, at pointer: String) throws(SchemaError) {
        nameBytes += bytes
        guard nameBytes <= Self.nameBytesLimit else {
            throw SchemaError(pointer: pointer, message: "The schema's names are too long.")
        }
    }

    // MARK: - References

    /// The place that a reference means.
    ///
    /// `isAnchor` says whether it is an anchor that may be replaced by one of a resource further
    /// out, as a `$dynamicRef` does.
    mutating func place(
        of reference: String,
        in resource: Int,
        _ keyword: String,
        at pointer: String
    ) throws(SchemaError) -> (place: SchemaPlace, dynamicAnchor: String?) {
        let uri = SchemaURI(reference).resolved(against: list[resource].uri)
        let name = uri.withoutFragment
        try spend(name.utf8.count + reference.utf8.count, at: pointer)
        guard let target = byURI[name] else {
            throw SchemaError(
                pointer: pointer,
                message: "\(keyword) refers to \(reference), which is not in this document; "
                    + "nothing is fetched, so put it into $defs."
            )
        }
        let fragment = uri.fragment ?? ""
        if fragment.isEmpty || fragment.hasPrefix("/") {
            let tokens = JSONPointer.tokens(ofFragment: fragment)
            guard let place = place(below: list[target].root, tokens) else {
                throw missing(reference, keyword, at: pointer)
            }
            return (place, nil)
        }
        let anchor = JSONPointer.percentDecoded(Array(fragment.utf8))
        guard let place = list[target].anchors[anchor] else {
            throw missing(reference, keyword, at: pointer)
        }
        return (place, list[target].dynamicAnchors.contains(anchor) ? anchor : nil)
    }

    private func missing(_ reference: String, _ keyword: String, at pointer: String) -> SchemaError
    {
        SchemaError(
            pointer: pointer,
            message: "\(keyword) refers to \(reference), which does not exist."
        )
    }

    private func place(below root: SchemaPlace, _ tokens: [String]) -> SchemaPlace? {
        var place = root
        for token in tokens {
            let next: JSONValue? =
                if case .array = place.schema { Int(token).flatMap { place.schema[$0] } } else {
                    place.schema[token]
                }
            guard let next else { return nil }
            place.schema = next
            place.pointer = JSONPointer.appending(token, to: place.pointer)
            place.resource = byPointer[place.pointer] ?? place.resource
        }
        return place
    }
}
