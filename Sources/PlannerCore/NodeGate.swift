// Orders nodes so that each comes after those it needs. Nodes that cannot be used are held back
// here, with the reason.

import Core
import JSON
import OrderedCollections
import Plans

/// Lets a node pass when all nodes it needs have passed.
///
/// A node that waits for a later one loses nothing: it could not have run earlier. At the end of a
/// reply, the remaining nodes have a reference to nothing (which becomes text), need a refused
/// node, or are part of a cycle.
struct NodeGate: Sendable {
    private struct Held: Sendable {
        var node: PlannerNode
        /// Ids that have not passed, and whether the node declares that it needs them.
        var missing: OrderedDictionary<NodeID, Bool>
    }

    private(set) var ledger: PlanLedger
    private(set) var problems: [PlanProblem] = []
    private var warningCount = 0
    /// Nodes that have passed and were not removed yet.
    private(set) var passed: [PlannerNode] = []

    private var held: OrderedDictionary<NodeID, Held> = [:]
    private var waiting: [NodeID: [NodeID]] = [:]
    /// Ids written in this reply that cannot be used.
    private var refused: Set<NodeID> = []
    /// Ids written with two meanings, so that a reference to them is ambiguous.
    private var ambiguous: Set<NodeID> = []
    /// How many more nodes may pass.
    private var room: Int
    private(set) var isFull = false

    init(ledger: PlanLedger, room: Int) {
        self.ledger = ledger
        self.room = room
    }

    mutating func removePassed() -> [PlannerNode] {
        defer { passed = [] }
        return passed
    }

    mutating func report(
        _ code: PlanProblem.Code,
        _ id: NodeID?,
        _ message: String,
        isWarning: Bool = false
    ) {
        // Warnings must not take the room of problems: a plan with a problem is repaired.
        let alike = isWarning ? warningCount : problems.count - warningCount
        guard alike < PlanLimits.problemsReported else { return }
        if isWarning { warningCount += 1 }
        problems.append(
            PlanProblem(code: code, node: id?.text, message: message, isWarning: isWarning)
        )
    }

    /// Records that the plan has a node of that id which cannot be used, for reasons reported
    /// elsewhere.
    mutating func refuse(_ id: NodeID) {
        ledger.remove(alias: id)
        if ledger.nodes[id] != nil || held[id] != nil {
            ambiguous.insert(id)
        } else {
            refused.insert(id)
        }
    }

    /// The node that an id stands for: another one if the call of that id was made already.
    func meaning(of id: NodeID) -> NodeID { ledger.aliases[id] ?? id }

    /// A node with this id makes the same call as another one, which takes its place.
    ///
    /// Not if the id is that of another node already, which is a problem.
    mutating func replace(_ id: NodeID, by twin: NodeID) {
        guard ledger.nodes[id] == nil, held[id] == nil else { return reportSecond(id) }
        ledger.add(alias: id, of: twin)
        refused.remove(id)
        report(
            .duplicateCall,
            id,
            "node \(id) makes the same call as node \(twin), which takes its place",
            isWarning: true
        )
        let other = meaning(of: id)
        for dependent in waiting.removeValue(forKey: id) ?? [] {
            guard let isDeclared = held[dependent]?.missing.removeValue(forKey: id) else {
                continue
            }
            if ledger.nodes[other] == nil, dependent != other {
                held[dependent]?.missing[other] = isDeclared
                waiting[other, default: []].append(dependent)
            }
            guard let entry = held[dependent], entry.missing.isEmpty else { continue }
            held[dependent] = nil
            pass(entry.node)
        }
    }

    private mutating func reportSecond(_ id: NodeID) {
        ambiguous.insert(id)
        report(
            .duplicateID,
            id,
            "there is a node \(id) already, which is not changed; give the new one another id"
        )
    }

    /// Whether an id is that of a node, passed or not.
    func hasNode(_ id: NodeID) -> Bool { ledger.nodes[id] != nil || held[id] != nil }

    /// The tool of the node that an id stands for, passed or not.
    func tool(of id: NodeID) -> String? {
        let id = meaning(of: id)
        return ledger.nodes[id]?.tool ?? held[id]?.node.definition.tool
    }

    /// The node, with references to replaced nodes changed to those that replace them.
    func followingAliases(_ node: PlannerNode) -> PlannerNode {
        guard !ledger.aliases.isEmpty else { return node }
        var node = node
        node.definition.dependencies = node.definition.dependencies.map(meaning)
        node.definition.arguments = rewritingReferences(in: node.definition.arguments) { id in
            ledger.aliases[id].map { .rename($0) }
        }
        return node
    }

    mutating func offer(_ node: PlannerNode) {
        let definition = node.definition
        let id = definition.id
        if let earlier = ledger.nodes[id] ?? held[id]?.node.definition {
            return earlier.isSame(as: definition) ? () : reportSecond(id)
        }
        var missing: OrderedDictionary<NodeID, Bool> = [:]
        for dependency in definition.dependencies where ledger.nodes[dependency] == nil {
            missing[dependency] = true
        }
        let references = ArgumentTemplate(compiling: definition.arguments).references
        for reference in references
        where ledger.nodes[reference.id] == nil && missing[reference.id] == nil {
            missing[reference.id] = false
        }
        if !ambiguous.isEmpty {
            let all = definition.dependencies + references.map(\.id)
            if let other = all.first(where: ambiguous.contains) {
                refused.insert(id)
                report(
                    .duplicateID,
                    id,
                    "node \(id) needs node \(other), an id that was given to two nodes"
                )
                return
            }
        }
        refused.remove(id)
        if missing.isEmpty {
            pass(node)
        } else {
            for other in missing.keys { waiting[other, default: []].append(id) }
            held[id] = Held(node: node, missing: missing)
        }
    }

    private mutating func pass(_ node: PlannerNode) {
        var ready = [node]
        while let written = ready.popLast() {
            let next = followingAliases(written)
            let id = next.definition.id
            guard room > 0 else {
                if !isFull { report(.limit, id, "the run has no room for more nodes") }
                isFull = true
                refused.insert(id)
                continue
            }
            guard !hasMalformedReferences(next.definition) else {
                refused.insert(id)
                continue
            }
            room -= 1
            ledger.add(next.definition)
            passed.append(next)
            for dependent in (waiting.removeValue(forKey: id) ?? []).reversed() {
                held[dependent]?.missing[id] = nil
                if let entry = held[dependent], entry.missing.isEmpty {
                    held[dependent] = nil
                    ready.append(entry.node)
                }
            }
        }
    }

    // MARK: - The end of a reply

    /// Decides on every node that is still held.
    mutating func finish(isCut: Bool) {
        refuseWhatCannotCome(isCut: isCut)
        spreadRefusals()
        turnReferencesIntoText()
        reportCircles()
        held = [:]
        waiting = [:]
    }

    /// Drops declared dependencies on nothing.
    ///
    /// Refuses nodes with a reference to nothing that cannot be text; if the reply was cut off,
    /// those with any, because it may have been cut off.
    private mutating func refuseWhatCannotCome(isCut: Bool) {
        for id in Array(held.keys) {
            guard let entry = held[id] else { continue }
            let references = ArgumentTemplate(compiling: entry.node.definition.arguments).references
            // Beside a reference to a node, a number that the next node could have is meant as one.
            let hasOthers = references.contains { held[$0.id] != nil || ledger.nodes[$0.id] != nil }
            let usesByID = Dictionary(grouping: references, by: \.id)
            for (other, isDeclared) in entry.missing
            where held[other] == nil && !refused.contains(other) {
                let uses = usesByID[other] ?? []
                if isCut
                    || uses.contains(where: {
                        hasOthers && isNear($0.id) || $0.isMeant(ifWritten: isDeclared)
                    })
                {
                    report(
                        .unknownDependency,
                        id,
                        "node \(id) needs node \(other), which is not in the plan"
                    )
                    refused.insert(id)
                    break
                }
                if isDeclared, uses.isEmpty { dropDependency(of: id, on: other) }
            }
        }
    }

    private func isNear(_ id: NodeID) -> Bool {
        Int(id.text).map { $0 <= ledger.nextNumber + held.count } ?? false
    }

    private mutating func dropDependency(of id: NodeID, on other: NodeID) {
        held[id]?.missing[other] = nil
        held[id]?.node.definition.dependencies.removeAll { $0 == other }
        report(
            .unknownDependency,
            id,
            "node \(id) declares that it needs node \(other), which is not in the plan; that is "
                + "left out",
            isWarning: true
        )
        guard let entry = held[id], entry.missing.isEmpty else { return }
        held[id] = nil
        pass(entry.node)
    }

    private mutating func spreadRefusals() {
        var causes = refused.sorted()
        while let cause = causes.popLast() {
            for dependent in waiting[cause] ?? [] where held[dependent] != nil {
                guard refused.insert(dependent).inserted else { continue }
                report(
                    .unknownDependency,
                    dependent,
                    "node \(dependent) was not used, because it needs node \(cause)"
                )
                causes.append(dependent)
            }
        }
        held.removeAll { refused.contains($0.key) }
    }

    /// A reference to no node of the plan is text; `$15` is a price.
    private mutating func turnReferencesIntoText() {
        let ids = Array(held.keys)
        for id in ids {
            guard var entry = held[id] else { continue }
            let unknown = Set(
                entry.missing.keys.filter { held[$0] == nil && ledger.nodes[$0] == nil }
            )
            guard !unknown.isEmpty else { continue }
            for other in unknown.sorted() {
                entry.missing[other] = nil
                report(
                    .unknownReference,
                    id,
                    "node \(id) has the text $\(other), but there is no node \(other); it stays text",
                    isWarning: true
                )
            }
            let arguments = entry.node.definition.arguments
            entry.node.definition.arguments = rewritingReferences(in: arguments) { id in
                unknown.contains(id) ? .escape : nil
            }
            held[id] = entry
        }
        for id in ids {
            guard let entry = held[id], entry.missing.isEmpty else { continue }
            held[id] = nil
            pass(entry.node)
        }
    }

    /// Whether arguments have text that is nearly a reference to a node of the plan, which is a
    /// problem; other such text, as in a program, is a warning.
    private mutating func hasMalformedReferences(_ definition: NodeDefinition) -> Bool {
        let found = MalformedReference.find(in: definition.arguments) { ledger.nodes[$0] != nil }
        var concernsNode = false
        for malformed in found {
            let words = malformed.text.split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
            let isMeant = words.contains { word in
                NodeID(String(word)).map { ledger.nodes[$0] != nil } ?? false
            }
            concernsNode = concernsNode || isMeant
            report(
                .malformedReference,
                definition.id,
                "node \(definition.id) \(malformed.fault)",
                isWarning: !isMeant
            )
        }
        return concernsNode
    }

    /// All nodes that are held now are part of a cycle or depend on one.
    private mutating func reportCircles() {
        var seen: Set<NodeID> = []
        for start in Array(held.keys) where !seen.contains(start) {
            var path: [NodeID] = []
            var places: [NodeID: Int] = [:]
            var next: NodeID? = start
            while let id = next, !seen.contains(id), places[id] == nil {
                places[id] = path.count
                path.append(id)
                next = held[id]?.missing.keys.first
            }
            var behind = path[...]
            if let end = next, let place = places[end] {
                behind = path[..<place]
                let circle = (path[place...] + [end]).map(\.text).joined(separator: " → ")
                report(.cycle, end, "nodes depend on each other in a circle: \(circle)")
            }
            for id in behind {
                report(
                    .cycle,
                    id,
                    "node \(id) was not used, because it waits for a circle of nodes"
                )
            }
            seen.formUnion(path)
        }
    }
}

extension ArgumentTemplate.Reference {
    /// Whether a reference to nothing was surely meant as one: `$t7`, or one without quotes.
    ///
    /// `$15` is a price, and `$HOME` a variable.
    fileprivate func isMeant(ifWritten isUnquoted: Bool) -> Bool {
        let digits = id.text.dropFirst()
        return isUnquoted
            || id.text.hasPrefix("t") && !digits.isEmpty && digits.utf8.allSatisfy(isDigit)
    }
}

extension NodeDefinition {
    /// Whether two nodes are equal apart from their spelling.
    func isSame(as other: NodeDefinition) -> Bool {
        if self == other { return true }
        var twin = other
        twin.arguments = arguments
        guard self == twin else { return false }
        // A price that was written as $15 is kept as $$15.
        func plain(_ arguments: RawJSON) -> JSONValue {
            JSONValue(arguments).mappingTexts { $0.replacing("$$", with: "$") }
        }
        return plain(arguments) == plain(other.arguments)
    }
}
