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
            for (key, value) in fields {
                checkField(key, value, schemas)
                if isDone { return }
            }
        case .fieldNames(let index):
            for key in fields.keys {
                if let problem = firstProblem(.string(key), index) {
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
        default: break
        }
    }

    private mutating func checkField(_ key: String, _ value: JSONValue, _ schemas: SchemaFields) {
        spend(1 + key.utf8.count / 8)
        var isKnown = false
        if let index = schemas.named[key] {
            isKnown = true
            check(value, at: .key(key), index)
        }
        for (pattern, index) in schemas.patterns where isFound(pattern, in: key) == true {
            isKnown = true
            check(value, at: .key(key), index)
        }
        guard !isKnown, let additional = schemas.additional, !isDone else { return }
        if case .never? = nodes[additional].assertions.first {
            report(at: .key(key), "is not a field of the schema")
        } else {
            check(value, at: .key(key), additional)
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
        for element in elements {
            spend(1)
            if firstProblem(element, index) == nil { count += 1 }
            if isDone { return }
        }
        let bounds = SchemaBounds(minimum: bounds.minimum ?? 1, maximum: bounds.maximum)
        let unit = ("element of the required form", "elements of the required form")
        if let problem = bounds.problem(with: count, unit: unit) { report(problem) }
    }

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
