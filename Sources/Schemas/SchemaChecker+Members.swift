// Checks objects and arrays: their members, and how many and which ones there are.

internal import JSON
internal import OrderedCollections

extension SchemaChecker {
    mutating func checkObject(
        _ fields: OrderedDictionary<String, JSONValue>,
        _ assertion: SchemaAssertion
    ) {
        switch assertion {
        case .fields(let schemas):
            var position = 0
            for (key, value) in fields {
                if checkField(key, value, at: position, schemas) { marks?[position] = true }
                if isDone { return }
                position += 1
            }
        case .fieldNames(let index):
            for key in fields.keys {
                if let problem = firstProblem(ofPart: .string(key), index) {
                    report(at: .key(key), "has a name that \(problem.message)")
                }
                if isDone { return }
            }
        case .required(let names): checkPresence(names, in: fields, suffix: "")
        case .dependentRequired(let dependents):
            spend(dependents.reduce(0) { $0 + 1 + $1.key.utf8.count / 8 })
            for (key, names) in dependents where fields[key] != nil {
                checkPresence(names, in: fields, suffix: " when \(key) is given")
            }
        case .fieldCount(let bounds):
            if let problem = bounds.problem(with: fields.count, unit: ("field", "fields")) {
                report(problem)
            }
        case .unevaluatedFields(let index):
            for (position, (key, value)) in fields.enumerated() where marks?[position] != true {
                spend(1)
                checkOther(key, value, index)
                if isDone { return }
                marks?[position] = true
            }
        default: break
        }
    }

    /// Checks one field; whether a schema says anything about it.
    private mutating func checkField(
        _ key: String,
        _ value: JSONValue,
        at position: Int,
        _ schemas: SchemaFields
    ) -> Bool {
        spend(1 + key.utf8.count / 8)
        var isKnown = false
        if let index = schemas.schema(named: key, near: position) {
            isKnown = true
            check(value, at: .key(key), index)
        }
        for (pattern, index) in schemas.patterns where isFound(pattern, in: key) == true {
            isKnown = true
            check(value, at: .key(key), index)
        }
        guard !isKnown, let additional = schemas.additional, !isDone else { return isKnown }
        checkOther(key, value, additional)
        return true
    }

    /// Checks a field that the schema does not name.
    private mutating func checkOther(_ key: String, _ value: JSONValue, _ index: SchemaIndex) {
        if case .never? = nodes[index].assertions.first {
            report(at: .key(key), "is not a field of the schema")
        } else {
            check(value, at: .key(key), index)
        }
    }

    private mutating func checkPresence(
        _ names: [String],
        in fields: OrderedDictionary<String, JSONValue>,
        suffix: String
    ) {
        spend(names.reduce(0) { $0 + 1 + $1.utf8.count / 8 })
        for name in names where fields[name] == nil {
            report(at: .key(name), "is required\(suffix)")
        }
    }

    mutating func checkArray(_ elements: [JSONValue], _ assertion: SchemaAssertion) {
        switch assertion {
        case .elements(let schemas):
            for (position, element) in elements.enumerated() {
                let isPrefix = position < schemas.prefix.count
                guard let index = isPrefix ? schemas.prefix[position] : schemas.rest else { return }
                spend(1)
                check(element, at: .index(position), index)
                if isDone { return }
                marks?[position] = true
            }
        case .unevaluatedElements(let index):
            for (position, element) in elements.enumerated() where marks?[position] != true {
                spend(1)
                check(element, at: .index(position), index)
                if isDone { return }
                marks?[position] = true
            }
        case .contains(let index, let bounds): checkContained(elements, index, bounds)
        case .elementCount(let bounds):
            if let problem = bounds.problem(with: elements.count, unit: ("element", "elements")) {
                report(problem)
            }
        case .uniqueElements: checkUnique(elements)
        default: break
        }
    }

    private mutating func checkContained(
        _ elements: [JSONValue],
        _ index: SchemaIndex,
        _ bounds: SchemaBounds
    ) {
        var count = 0
        for (position, element) in elements.enumerated() {
            spend(1)
            if firstProblem(ofPart: element, index) == nil {
                count += 1
                marks?[position] = true
            }
            if isDone { return }
        }
        let bounds = SchemaBounds(minimum: bounds.minimum ?? 1, maximum: bounds.maximum)
        let unit = ("element of the required form", "elements of the required form")
        if let problem = bounds.problem(with: count, unit: unit) { report(problem) }
    }

    // MARK: - What has been checked

    /// Checks against a subschema that asks which members the keywords beside it have checked; what
    /// others around it have checked does not count.
    mutating func checkCollecting(_ value: JSONValue, _ index: SchemaIndex) {
        let count: Int
        switch value {
        case .object(let fields): count = fields.count
        case .array(let elements): count = elements.count
        default: return checkAssertions(value, index)
        }
        spend(1 + count / 8)
        let outer = marks
        marks = [Bool](repeating: false, count: count)
        checkAssertions(value, index)
        let inner = marks
        marks = outer
        guard outer != nil, let inner else { return }
        for position in 0..<count where inner[position] { marks?[position] = true }
    }

    /// The first problem of a part of the value, whose members are not those of the value.
    private mutating func firstProblem(
        ofPart part: JSONValue,
        _ index: SchemaIndex
    ) -> SchemaProblem? {
        let outer = marks
        marks = nil
        defer { marks = outer }
        return firstProblem(part, index)
    }

    // MARK: - Equal elements

    private mutating func checkUnique(_ elements: [JSONValue]) {
        var firstPositions: [JSONValue: Int] = [:]
        for (position, element) in elements.enumerated() {
            spend(element.weight)
            if isDone { return }
            let normalized = element.normalized
            if let first = firstPositions[normalized] {
                report(
                    "must have no equal elements, but elements \(first) and \(position) are equal"
                )
                return
            }
            firstPositions[normalized] = position
        }
    }
}
