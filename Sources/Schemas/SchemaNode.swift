// A compiled schema: a list of nodes that refer to each other by position, so that a schema may
// refer to itself.

internal import JSON
internal import OrderedCollections

/// One subschema: the conditions on a value; without assertions it accepts everything.
struct SchemaNode: Sendable {
    var assertions: [SchemaAssertion] = []
    /// The position of the resource that it belongs to.
    var resource = 0
    /// Whether it asks which members the keywords beside it have checked.
    var collects = false
}

/// The position of a subschema in the list of nodes.
typealias SchemaIndex = Int

/// The types of JSON Schema.
enum SchemaType: String, Sendable, CaseIterable {
    case null, boolean, object, array, number, integer, string

    /// Its place in a set.
    var bit: UInt8 {
        switch self {
        case .null: 1
        case .boolean: 2
        case .object: 4
        case .array: 8
        case .number: 16
        case .integer: 32
        case .string: 64
        }
    }

    /// The type with its article, for sentences.
    var phrase: String {
        switch self {
        case .null: "null"
        case .array, .integer, .object: "an \(rawValue)"
        case .boolean, .number, .string: "a \(rawValue)"
        }
    }
}

/// The types that a value may have.
struct SchemaTypes: Sendable {
    /// The types, in the order of the schema.
    private(set) var list: [SchemaType] = []
    private var bits: UInt8 = 0

    mutating func insert(_ type: SchemaType) {
        guard bits & type.bit == 0 else { return }
        list.append(type)
        bits |= type.bit
    }

    func contains(_ value: JSONValue) -> Bool {
        let plain: SchemaType
        switch value {
        case .null: plain = .null
        case .bool: plain = .boolean
        case .string: plain = .string
        case .array: plain = .array
        case .object: plain = .object
        case .integer: return bits & (SchemaType.integer.bit | SchemaType.number.bit) != 0
        case .double, .bigNumber: return list.contains(where: value.isType)
        }
        return bits & plain.bit != 0
    }
}

/// One constraint, or a group of keywords that have a meaning only together.
enum SchemaAssertion: Sendable {
    case never
    case type(SchemaTypes)
    case oneOfValues(SchemaChoice)
    case reference(SchemaIndex)
    case dynamicReference(SchemaDynamicReference)
    case allOf([SchemaIndex])
    case anyOf([SchemaIndex])
    case oneOf([SchemaIndex])
    case not(SchemaIndex)
    case condition(SchemaIndex, then: SchemaIndex?, otherwise: SchemaIndex?)
    case fields(SchemaFields)
    case fieldNames(SchemaIndex)
    case required([String])
    case dependentRequired([(key: String, required: [String])])
    case dependents([(key: String, schema: SchemaIndex)])
    case fieldCount(SchemaBounds)
    case elements(SchemaElements)
    case contains(SchemaIndex, SchemaBounds)
    case elementCount(SchemaBounds)
    case uniqueElements
    case length(SchemaBounds)
    case pattern(Pattern)
    case number(NumberBound)
    case multipleOf(JSONValue)
    case unevaluatedFields(SchemaIndex)
    case unevaluatedElements(SchemaIndex)

    /// The subschemas applied to the same value, whose references could be circular.
    var inPlace: [SchemaIndex] {
        switch self {
        case .reference(let index), .not(let index): [index]
        case .allOf(let list), .anyOf(let list), .oneOf(let list): list
        case .condition(let test, let then, let otherwise):
            [test, then, otherwise].compactMap { $0 }
        case .dependents(let list): list.map(\.schema)
        default: []
        }
    }

    /// Whether the constraint does not apply to objects.
    var concernsOnlyScalarsOrArrays: Bool {
        switch self {
        case .elements, .contains, .elementCount, .uniqueElements, .length, .pattern, .number,
            .multipleOf, .unevaluatedElements:
            true
        default: false
        }
    }
}

/// A `$dynamicRef`: the anchor of the outermost resource under check that has it.
struct SchemaDynamicReference: Sendable {
    /// The subschemas with the anchor by the resources that have them.
    var candidates: [Int: SchemaIndex]
    /// The subschema for a check that has come through none of these resources.
    var initial: SchemaIndex
}

/// The values of `enum` or `const`.
struct SchemaChoice: Sendable {
    /// The values as a set, for lookup by hash.
    let values: Set<JSONValue>
    /// The first of them, for sentences, and how many more there are.
    let shown: [String]

    init(_ values: [JSONValue]) {
        self.values = Set(values.map(\.normalized))
        let shown = values.prefix(10).map { value in
            let normalized = value.normalized
            // The normal form of a number beyond 64 bits is not a number.
            return (normalized.isType(.number) ? normalized : value).excerpt
        }
        let more = values.count - shown.count
        self.shown = more > 0 ? shown + ["\(more) other values"] : shown
    }
}

/// `properties`, `patternProperties` and `additionalProperties`.
struct SchemaFields: Sendable {
    var named: OrderedDictionary<String, SchemaIndex> = [:]
    var patterns: [(pattern: Pattern, schema: SchemaIndex)] = []
    var additional: SchemaIndex?

    /// The subschema of a field; most values have their fields in the order of the schema.
    func schema(named key: String, near position: Int) -> SchemaIndex? {
        if position < named.count {
            let entry = named.elements[position]
            if entry.key == key { return entry.value }
        }
        return named[key]
    }

    var subschemas: [SchemaIndex] {
        named.values + patterns.map(\.schema) + (additional.map { [$0] } ?? [])
    }
}

/// `prefixItems` and `items`, or the list form of `items` and `additionalItems`.
struct SchemaElements: Sendable {
    var prefix: [SchemaIndex] = []
    var rest: SchemaIndex?
}

/// The allowed number of things.
struct SchemaBounds: Sendable {
    var minimum: Int?
    var maximum: Int?

    var isEmpty: Bool { minimum == nil && maximum == nil }
}

/// One of the four limits of numbers.
struct NumberBound: Sendable {
    enum Side: String, Sendable, CaseIterable {
        case minimum, maximum, exclusiveMinimum, exclusiveMaximum
    }

    var side: Side
    var limit: JSONValue

    func allows(_ value: JSONValue) -> Bool {
        guard let order = value.compareNumber(limit) else { return true }
        return switch side {
        case .minimum: order >= 0
        case .maximum: order <= 0
        case .exclusiveMinimum: order > 0
        case .exclusiveMaximum: order < 0
        }
    }

    var phrase: String {
        switch side {
        case .minimum: "at least \(limit)"
        case .maximum: "at most \(limit)"
        case .exclusiveMinimum: "greater than \(limit)"
        case .exclusiveMaximum: "less than \(limit)"
        }
    }
}
