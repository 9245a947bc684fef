// Reads one element of `tasks`: from JSON to a node definition, or to all its faults.

import Core
import JSON
import OrderedCollections

/// One pass over a node object that keeps all readable fields even when some are wrong, so that the
/// rest of the plan can still be checked against it.
struct NodeReading {
    private(set) var definition: NodeDefinition?
    private(set) var id: NodeID?
    private(set) var dependencies: [NodeID] = []
    private(set) var arguments = RawJSON.emptyObject
    private(set) var problems = ProblemList()

    private let position: Int
    private var writtenID: String?

    init(_ raw: RawJSON, at position: Int) {
        self.position = position
        guard raw.kind == .object else {
            report(.badPlan, "is \(raw.kind.phrase), not an object")
            return
        }
        do {
            let fields = try JSONFields(raw)
            read(fields)
        } catch {
            report(.badPlan, "cannot be read: \(error.message)")
        }
    }

    private mutating func read(_ fields: JSONFields) {
        readID(fields["id"])
        let tool = readTool(fields["tool_name"])
        readArguments(fields["args"])
        readDependencies(fields["dependencies"])
        let timeout = readInteger(
            fields["timeout_ms"],
            "timeout_ms",
            PlanLimits.timeoutMilliseconds
        )
        let maxAttempts = readInteger(
            fields["max_attempts"],
            "max_attempts",
            PlanLimits.maxAttempts
        )
        let requires = readLabels(fields["requires"])
        refuseUnknown(fields)
        guard problems.isEmpty, let id, let tool else { return }
        definition = NodeDefinition(
            id: id,
            tool: tool,
            arguments: arguments,
            dependencies: dependencies,
            timeout: timeout.map { .milliseconds($0) },
            maxAttempts: maxAttempts,
            requires: requires
        )
    }

    /// Reports each field that nodes do not have: dependencies under a wrong name would let the
    /// node start too early.
    private mutating func refuseUnknown(_ fields: JSONFields) {
        if fields.count == NodeReading.lookups.count(where: { $0(fields) != nil }) { return }
        var unknown: [String] = []
        func look(_ name: String, _ value: RawJSON) {
            if !PlanFields.node.contains(name) { unknown.append(name) }
        }
        fields.forEach(look)
        for name in unknown {
            report(.badPlan, PlanFields.fault(of: name, known: PlanFields.node))
        }
    }

    /// Looks for each field of ``PlanFields/node``, without decoding any.
    private static let lookups: [@Sendable (JSONFields) -> RawJSON?] = [
        { $0["id"] }, { $0["tool_name"] }, { $0["args"] }, { $0["dependencies"] },
        { $0["timeout_ms"] }, { $0["max_attempts"] }, { $0["requires"] },
    ]

    private mutating func readID(_ raw: RawJSON?) {
        guard let raw else {
            report(.badPlan, "has no id")
            return
        }
        guard let text = idText(raw) else {
            report(.badID, "has \(raw.kind.phrase) as its id; it must be a string")
            return
        }
        writtenID = shortened(text)
        id = NodeID(text)
        if id == nil {
            report(.badID, "has an id that is not 1–64 of A–Z, a–z, 0–9, _ and -")
        }
    }

    private mutating func readTool(_ raw: RawJSON?) -> String? {
        guard let raw else {
            report(.badPlan, "has no tool_name")
            return nil
        }
        guard let tool = raw.stringValue else {
            report(.badPlan, "has \(raw.kind.phrase) as its tool_name; it must be a string")
            return nil
        }
        if let (code, fault) = NodeDefinition.fault(ofTool: tool) {
            report(code, fault)
            return nil
        }
        return tool
    }

    private mutating func readArguments(_ raw: RawJSON?) {
        guard let raw, raw.kind != .null else { return }
        if let (code, fault) = NodeDefinition.fault(ofArguments: raw) {
            report(code, fault)
        } else {
            arguments = raw
        }
    }

    private mutating func readDependencies(_ raw: RawJSON?) {
        guard let raw, raw.kind != .null else { return }
        guard raw.kind == .array else {
            report(.badPlan, "has \(raw.kind.phrase) as its dependencies; it must be a list of ids")
            return
        }
        var seen = DistinctIDs()
        var place = 0
        raw.forEachElement { element in
            place += 1
            guard let text = idText(element) else {
                report(
                    .badPlan,
                    "has \(element.kind.phrase) as its \(ordinal(place)) dependency; it must be an id"
                )
                return
            }
            guard let id = NodeID(text) else {
                report(.badID, "depends on \(quoted(text)), which cannot be an id")
                return
            }
            seen.insert(id)
        }
        dependencies = seen.ids
        if dependencies.count > PlanLimits.dependenciesPerNode {
            report(.limit, tooManyDependencies(dependencies.count))
            dependencies = []
        }
    }

    private mutating func readInteger(
        _ raw: RawJSON?,
        _ name: String,
        _ range: ClosedRange<Int>
    ) -> Int? {
        guard let raw, raw.kind != .null else { return nil }
        guard let value = raw.intValue else {
            report(.badPlan, "has a \(name) that is not a whole number")
            return nil
        }
        guard range.contains(value) else {
            report(
                .limit,
                "has \(name) \(value); it must be from \(range.lowerBound) to \(range.upperBound)"
            )
            return nil
        }
        return value
    }

    private mutating func readLabels(_ raw: RawJSON?) -> OrderedDictionary<String, String> {
        guard let raw, raw.kind != .null else { return [:] }
        guard raw.kind == .object else {
            report(.badPlan, "has \(raw.kind.phrase) as requires; it must be an object of strings")
            return [:]
        }
        var labels: OrderedDictionary<String, String> = [:]
        raw.forEachField { name, value in
            guard let text = value.stringValue else {
                report(
                    .badPlan,
                    "requires \(quoted(name)) to be \(value.kind.phrase); it must be a string"
                )
                return
            }
            if labels.updateValue(text, forKey: name) != nil {
                report(.badPlan, "requires \(quoted(name)) twice")
            }
        }
        if let (code, fault) = NodeDefinition.fault(ofLabels: labels) { report(code, fault) }
        return labels
    }

    /// The id in `raw`: a string, or an integer as its decimal text (models write 1, 2).
    private func idText(_ raw: RawJSON) -> String? {
        switch raw.kind {
        case .string: raw.stringValue
        case .number: raw.intValue.map { String($0) }
        default: nil
        }
    }

    private mutating func report(_ code: PlanProblem.Code, _ fault: String) {
        let written = writtenID
        let place = ordinal(position + 1)
        problems.add(
            PlanProblem(
                code: code,
                node: written,
                message: written.map { "node \($0) (the \(place)) \(fault)" }
                    ?? "the \(place) node \(fault)"
            )
        )
    }
}
