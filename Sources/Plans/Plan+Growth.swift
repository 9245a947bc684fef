// Adding nodes: first a draft that finds all their faults, then the change itself.

import Core
public import JSON

/// Nodes that are about to be added, with the ids they depend on laid out flat.
struct PlanDraft {
    var nodes: [PlanNode] = []
    /// The ids that node i depends on are `dependencies[starts[i]..<starts[i + 1]]`, declared ones
    /// first.
    var dependencies: [NodeID] = []
    var starts: [Int] = [0]
    /// How many of a node's dependencies are declared.
    var declared: [Int32] = []
    var problems = ProblemList()
    /// Whether the plan has no room for the draft, so that it cannot even be checked.
    var isTooLarge = false
}

extension Plan {
    /// Adds nodes, all or none.
    ///
    /// A node may name unknown ids: it is held until these arrive or the plan is closed. Cycles are
    /// found by ``close()``; before that, nodes on them and nodes that depend on them never have
    /// all dependencies done. Throws every problem of the nodes, and then adds none of them.
    @discardableResult
    public mutating func append(_ definitions: [NodeDefinition]) throws(PlanProblems) -> Growth {
        let draft = draft(of: definitions)
        guard draft.problems.isEmpty else {
            discard(draft)
            throw PlanProblems(draft.problems.finished())
        }
        return commit(draft)
    }

    /// Adds one more node to a plan, even to a closed one, and returns what changed.
    ///
    /// It depends on nothing, its arguments are used unchanged even if they contain text like a
    /// reference, and its id is `name`, or `name-2` and so on if that is taken.
    public mutating func appendLast(
        named name: String,
        tool: String,
        arguments: RawJSON
    ) -> Growth {
        var number = 1
        var id = NodeID(checked: name)
        while indexes[id] != nil || waiting[id] != nil {
            number += 1
            id = NodeID(checked: "\(name)-\(number)")
        }
        indexes[id] = Int32(count)
        var draft = PlanDraft()
        draft.nodes = [
            PlanNode(
                NodeDefinition(id: id, tool: tool, arguments: arguments, dependencies: []),
                template: ArgumentTemplate(literal: arguments)
            )
        ]
        draft.starts = [0, 0]
        draft.declared = [0]
        return commit(draft)
    }

    /// Checks nodes and adds the valid ones to the index, so that they find each other.
    ///
    /// Exactly one of `commit` and `discard` must follow.
    mutating func draft(of definitions: [NodeDefinition]) -> PlanDraft {
        var draft = PlanDraft()
        guard !isClosed else {
            draft.problems.add(
                PlanProblem(code: .badPlan, message: "the plan is closed; no node can be added")
            )
            return draft
        }
        guard definitions.count <= PlanLimits.nodes - count else {
            let total = count + definitions.count
            draft.problems.add(
                PlanProblem(
                    code: .limit,
                    message: "the plan has \(total) nodes; at most \(PlanLimits.nodes) are allowed"
                )
            )
            draft.isTooLarge = true
            return draft
        }
        if definitions.count > count { indexes.reserveCapacity(count + definitions.count) }
        draft.nodes.reserveCapacity(definitions.count)
        draft.declared.reserveCapacity(definitions.count)
        draft.starts.reserveCapacity(definitions.count + 1)
        // By index, because an iterator would copy each definition.
        for index in definitions.indices { add(definitions[index], to: &draft) }
        if targets.count + draft.dependencies.count > PlanLimits.edges {
            draft.problems.add(
                PlanProblem(
                    code: .limit,
                    message: "the plan has more than \(PlanLimits.edges) dependencies"
                )
            )
            draft.isTooLarge = true
        }
        return draft
    }

    private mutating func add(_ definition: NodeDefinition, to draft: inout PlanDraft) {
        let id = definition.id
        func problem(_ code: PlanProblem.Code, _ fault: String) -> PlanProblem {
            PlanProblem(code: code, node: id.text, message: "node \(id) \(fault)")
        }
        for (code, fault) in definition.faults() { draft.problems.add(problem(code, fault)) }

        if let earlier = indexes.updateValue(Int32(count + draft.nodes.count), forKey: id) {
            indexes[id] = earlier
            draft.problems.add(problem(.duplicateID, "is in the plan more than once"))
            return
        }

        var distinct = DistinctIDs()
        var refersToItself = false
        for dependency in definition.dependencies {
            if dependency == id { refersToItself = true } else { distinct.insert(dependency) }
        }
        if refersToItself { draft.problems.add(problem(.selfReference, "depends on itself")) }
        draft.declared.append(Int32(distinct.ids.count))

        let template = ArgumentTemplate(compiling: definition.arguments)
        if template.hasReferences {
            refersToItself = false
            template.forEachID { other in
                if other == id { refersToItself = true } else { distinct.insert(other) }
            }
            if refersToItself {
                draft.problems.add(
                    problem(.selfReference, "refers to its own output ($\(id)) in its args")
                )
            }
        }
        if distinct.ids.count > PlanLimits.dependenciesPerNode {
            draft.problems.add(problem(.limit, tooManyDependencies(distinct.ids.count)))
        }
        draft.dependencies.append(contentsOf: distinct.ids)
        draft.starts.append(draft.dependencies.count)
        draft.nodes.append(PlanNode(definition, template: template))
    }

    /// Removes the nodes of a draft from the index.
    mutating func discard(_ draft: PlanDraft) {
        for node in draft.nodes { indexes[node.id] = nil }
    }

    /// Adds the nodes of a draft.
    mutating func commit(_ draft: PlanDraft) -> Growth {
        let added = count..<(count + draft.nodes.count)
        var growth = Growth(added: added)
        growth.edges.reserveCapacity(draft.dependencies.count)
        reserve(nodes: draft.nodes.count, targets: draft.dependencies.count)
        nodes.append(contentsOf: draft.nodes)
        packArguments(of: added)
        for position in draft.nodes.indices {
            let node = added.lowerBound + position
            shareToolName(of: node)
            if !waiting.isEmpty { release(node, into: &growth) }
            let range = draft.starts[position]..<draft.starts[position + 1]
            let firstByReference = range.lowerBound + Int(draft.declared[position])
            for place in range {
                let id = draft.dependencies[place]
                if let index = indexes[id] {
                    targets.append(index)
                    note(Edge(dependency: Int(index), dependent: node), in: &growth)
                } else {
                    hold(node, for: id, isDeclared: place < firstByReference)
                    growth.held.append(node)
                }
            }
            starts.append(Int32(targets.count))
        }
        return growth
    }

    /// Moves the arguments of new nodes into one buffer, so that they do not keep the received text
    /// alive.
    private mutating func packArguments(of added: Range<Int>) {
        var packed: [UInt8] = []
        packed.reserveCapacity(added.reduce(0) { $0 + nodes[$1].template.source.count })
        for node in added { packed.append(contentsOf: nodes[node].template.source.bytes) }
        var start = 0
        for node in added {
            let end = start + nodes[node].template.source.count
            nodes[node].template.move(to: packed[start..<end])
            payloadBytes += nodes[node].payloadBytes
            start = end
        }
    }

    /// Keeps a long name once for all nodes that use it; a short one needs no memory of its own.
    private mutating func shareToolName(of node: Int) {
        guard nodes[node].tool.utf8.count > 15 else { return }
        nodes[node].tool = longToolNames.insert(nodes[node].tool).memberAfterInsert
    }

    private mutating func note(_ edge: Edge, in growth: inout Growth) {
        growth.edges.append(edge)
        if edge.dependency > edge.dependent { hasForwardEdge = true }
    }

    /// Reserves memory for a large batch; small batches leave growth to the arrays, because
    /// reserving would copy everything each time.
    private mutating func reserve(nodes newNodes: Int, targets newTargets: Int) {
        if newNodes > nodes.count {
            nodes.reserveCapacity(nodes.count + newNodes)
            starts.reserveCapacity(starts.count + newNodes)
        }
        if newTargets > targets.count {
            targets.reserveCapacity(targets.count + newTargets)
        }
    }

    // MARK: - Holds

    private mutating func hold(_ node: Int, for id: NodeID, isDeclared: Bool) {
        let hold = Hold(
            id: id,
            node: Int32(node),
            target: Int32(targets.count),
            isDeclared: isDeclared,
            next: -1
        )
        var place = freeHold
        if place >= 0 {
            freeHold = holds[Int(place)].next
            holds[Int(place)] = hold
        } else {
            place = Int32(holds.count)
            holds.append(hold)
        }
        targets.append(-place - 1)
        if let last = waiting[id]?.last {
            holds[Int(last)].next = place
            waiting[id]?.last = place
        } else {
            waiting[id] = Waiting(first: place, last: place)
        }
    }

    /// Turns the holds that wait for a node into edges.
    private mutating func release(_ node: Int, into growth: inout Growth) {
        guard let chain = waiting.removeValue(forKey: nodes[node].id) else { return }
        var place = chain.first
        while place >= 0 {
            let hold = holds[Int(place)]
            targets[Int(hold.target)] = Int32(node)
            note(Edge(dependency: node, dependent: Int(hold.node)), in: &growth)
            growth.released.append(Int(hold.node))
            holds[Int(place)].next = freeHold
            freeHold = place
            place = hold.next
        }
    }
}
