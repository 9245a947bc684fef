// Checks a value against compiled nodes: the general keywords, and the bounds that keep a check
// short. Objects and arrays are in SchemaChecker+Members.swift.

internal import JSON
internal import OrderedCollections

struct SchemaChecker {
    /// How many subschemas may be applied inside one another, down the value and through
    /// references.
    private static let depthLimit = 400

    let nodes: [SchemaNode]
    private var path: [JSONPathStep] = []
    private var problems: [SchemaProblem] = []
    /// How many problems to find; one if only validity matters.
    private var limit = Schema.problemsLimit
    /// The steps that are left, so that no schema makes a check too slow.
    ///
    /// A value that needs more than these is weighed and gets more in proportion to its size.
    var steps = 1_000_000
    private var isWeighed = false
    private var whole: JSONValue = .null
    private var depth = 0
    private var gaveUp: SchemaProblem?
    /// Which members of the object or array at the current place have been checked; nil when
    /// nothing asks for it.
    var marks: [Bool]?
    private let tracksResources: Bool
    /// The resources that the check has come through, the outermost first.
    private var resources: [Int] = []

    init(nodes: [SchemaNode], tracksResources: Bool) {
        self.nodes = nodes
        self.tracksResources = tracksResources
    }

    mutating func run(_ value: JSONValue) -> [SchemaProblem] {
        whole = value
        check(value, 0)
        if let gaveUp {
            problems = problems.prefix(Schema.problemsLimit - 1) + [gaveUp]
        }
        return problems
    }

    /// Whether further checks are useless.
    var isDone: Bool { problems.count >= limit || gaveUp != nil }

    mutating func report(_ message: String) {
        if !isDone { problems.append(SchemaProblem(pointer: pointer(), message: message)) }
    }

    mutating func report(at step: JSONPathStep, _ message: String) {
        path.append(step)
        report(message)
        path.removeLast()
    }

    /// Checks a part of the value against a subschema.
    mutating func check(_ part: JSONValue, at step: JSONPathStep, _ index: SchemaIndex) {
        path.append(step)
        if let outer = marks {
            marks = nil
            check(part, index)
            marks = outer
        } else {
            check(part, index)
        }
        path.removeLast()
    }

    /// Checks the value at the current place against a subschema.
    mutating func check(_ value: JSONValue, _ index: SchemaIndex) {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.depthLimit { giveUp("is nested too deeply to be checked") }
        if tracksResources { resources.append(nodes[index].resource) }
        if nodes[index].collects {
            checkCollecting(value, index)
        } else {
            checkAssertions(value, index)
        }
        if tracksResources { resources.removeLast() }
    }

    mutating func checkAssertions(_ value: JSONValue, _ index: SchemaIndex) {
        for assertion in nodes[index].assertions {
            spend(1)
            if isDone { return }
            check(value, assertion)
        }
    }

    /// Counts the steps; a check that has used all its steps ends with that as its problem.
    mutating func spend(_ cost: Int) {
        steps -= cost
        if steps < 0 { weigh() }
        if steps < 0 { giveUp("takes too long to be checked against its schema") }
    }

    /// Adds the steps that the value's size allows.
    private mutating func weigh() {
        guard !isWeighed else { return }
        isWeighed = true
        steps += 64 * whole.weight
    }

    /// The first problem that a subschema has with the value; nil when it is valid.
    ///
    /// What the subschema checks counts as checked if the value is valid.
    mutating func firstProblem(_ value: JSONValue, _ index: SchemaIndex) -> SchemaProblem? {
        let outer = (problems, limit)
        let outerMarks = marks
        (problems, limit) = ([], 1)
        check(value, index)
        let first = problems.first
        (problems, limit) = outer
        if first != nil { marks = outerMarks }
        return first
    }

    private mutating func giveUp(_ message: String) {
        if gaveUp == nil { gaveUp = SchemaProblem(pointer: "", message: message) }
    }

    private func pointer() -> String {
        path.reduce("") { pointer, step in
            switch step {
            case .key(let key): JSONPointer.appending(key, to: pointer)
            case .index(let index): "\(pointer)/\(index)"
            }
        }
    }

    // MARK: - Assertions

    private mutating func check(_ value: JSONValue, _ assertion: SchemaAssertion) {
        switch assertion {
        case .never: report("is not allowed")
        case .type(let types):
            spend(value.numberWeight)
            if !types.contains(value) {
                report("must be \(Self.choice(types.list.map(\.phrase))), not \(value.typePhrase)")
            }
        case .oneOfValues(let choice): checkValue(value, isOneOf: choice)
        case .reference(let index): check(value, index)
        case .dynamicReference(let reference):
            spend(resources.count)
            let outermost = resources.lazy.compactMap { reference.candidates[$0] }.first
            check(value, outermost ?? reference.initial)
        case .allOf(let list):
            for index in list { check(value, index) }
        case .anyOf(let list): checkAny(value, list)
        case .oneOf(let list): checkOne(value, list)
        case .not(let index):
            if firstProblem(value, index) == nil {
                report("matches the schema of \"not\"")
            }
        case .condition(let test, let then, let otherwise):
            guard then != nil || otherwise != nil || marks != nil else { return }
            let branch = firstProblem(value, test) == nil ? then : otherwise
            if let branch { check(value, branch) }
        case .length, .pattern: checkText(value, assertion)
        case .number(let bound):
            spend(value.numberWeight + bound.limit.numberWeight)
            if !bound.allows(value) { report("must be \(bound.phrase), not \(value.excerpt)") }
        case .multipleOf(let divisor):
            spend(value.numberWeight + divisor.numberWeight)
            if value.isMultiple(of: divisor) == false {
                report("must be a multiple of \(divisor), not \(value.excerpt)")
            }
        case .fields, .fieldNames, .required, .dependentRequired, .fieldCount,
            .unevaluatedFields:
            if case .object(let fields) = value { checkObject(fields, assertion) }
        case .dependents(let dependents):
            guard case .object(let fields) = value else { return }
            spend(dependents.reduce(0) { $0 + 1 + $1.key.utf8.count / 8 })
            for (key, index) in dependents where fields[key] != nil { check(value, index) }
        case .elements, .contains, .elementCount, .uniqueElements, .unevaluatedElements:
            if case .array(let elements) = value { checkArray(elements, assertion) }
        }
    }

    private mutating func checkValue(_ value: JSONValue, isOneOf choice: SchemaChoice) {
        spend(value.weight)
        if isDone || choice.values.contains(value.normalized) { return }
        spend(choice.shown.count)
        report("must be \(Self.choice(choice.shown)), not \(value.excerpt)")
    }

    private mutating func checkAny(_ value: JSONValue, _ list: [SchemaIndex]) {
        var reasons: [SchemaProblem] = []
        var isMatched = false
        for index in list {
            if let problem = firstProblem(value, index) {
                reasons.append(problem)
            } else {
                isMatched = true
                // The others only matter for what they check.
                if marks == nil { return }
            }
        }
        if !isMatched { report("matches no alternative: \(explain(reasons))") }
    }

    private mutating func checkOne(_ value: JSONValue, _ list: [SchemaIndex]) {
        var reasons: [SchemaProblem] = []
        var matching: [String] = []
        for (position, index) in list.enumerated() {
            if let problem = firstProblem(value, index) {
                reasons.append(problem)
            } else {
                matching.append("\(position + 1)")
            }
        }
        if matching.isEmpty {
            report("matches no alternative: \(explain(reasons))")
        } else if matching.count > 1 {
            report(
                "must match exactly one alternative, but matches number "
                    + Self.choice(Array(matching.prefix(10)), word: "and")
            )
        }
    }

    /// Tells for the first alternatives why each does not match.
    private func explain(_ reasons: [SchemaProblem]) -> String {
        let here = pointer()
        let shown = reasons.prefix(3).map { reason in
            let place = reason.pointer.dropFirst(here.count)
            return place.isEmpty ? "it \(reason.message)" : "\(place) \(reason.message)"
        }
        return shown.joined(separator: "; or ") + (reasons.count > shown.count ? "; or ..." : "")
    }

    private mutating func checkText(_ value: JSONValue, _ assertion: SchemaAssertion) {
        guard case .string(let text) = value else { return }
        switch assertion {
        case .length(let bounds):
            spend(text.utf8.count)
            let count = text.unicodeScalars.count
            if let problem = bounds.problem(with: count, unit: ("character", "characters")) {
                report(problem)
            }
        case .pattern(let pattern):
            if isFound(pattern, in: text) == false {
                report("must match the pattern \(pattern.source), as \(value.excerpt) does not")
            }
        default: break
        }
    }

    /// Whether a pattern is found; nil when the check has been stopped meanwhile.
    mutating func isFound(_ pattern: Pattern, in text: String) -> Bool? {
        if text.utf8.count > 1_000 { weigh() }
        let found = pattern.isFound(in: text, steps: &steps)
        if found == nil { spend(0) }
        return found
    }

    /// The phrases as `a`, `a or b`, `a, b or c`.
    static func choice(_ phrases: [String], word: String = "or") -> String {
        guard let last = phrases.last, phrases.count > 1 else { return phrases.first ?? "nothing" }
        return phrases.dropLast().joined(separator: ", ") + " \(word) " + last
    }
}

extension SchemaBounds {
    /// What is wrong with a count; nil when it is within the bounds.
    func problem(with count: Int, unit: (one: String, many: String)) -> String? {
        func things(_ number: Int) -> String { "\(number) \(number == 1 ? unit.one : unit.many)" }
        if let minimum, count < minimum {
            return "must have at least \(things(minimum)), not \(count)"
        }
        if let maximum, count > maximum {
            return "must have at most \(things(maximum)), not \(count)"
        }
        return nil
    }
}
