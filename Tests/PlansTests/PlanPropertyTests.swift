// Properties of any plan: tested with random ones, and with one so large that only linear work
// ends.

import Core
import JSON
import Plans
import Testing

@Suite("Any plan")
struct PlanPropertyTests {
    /// Nodes in random order, each depending on some earlier nodes of another random order,
    /// declared or by reference; some references name no node.
    private func randomNodes(
        count: Int,
        using generator: inout SplitMix64
    ) throws -> [NodeDefinition] {
        let names = (0..<count).map { "n\($0)" }.shuffled(using: &generator)
        var nodes: [NodeDefinition] = []
        for (rank, name) in names.enumerated() {
            var declared: [String] = []
            var text: [String] = []
            for _ in 0..<Int.random(in: 0...4, using: &generator) where rank > 0 {
                let other = names[Int.random(in: 0..<rank, using: &generator)]
                if Bool.random(using: &generator) { declared.append(other) }
                if Bool.random(using: &generator) { text.append("${\(other).a}") }
            }
            if Int.random(in: 0..<4, using: &generator) == 0 { text.append("$no\(rank)") }
            nodes.append(
                try node(
                    name,
                    after: declared,
                    args: #"{"v":"\#(text.shuffled(using: &generator).joined())"}"#
                )
            )
        }
        return nodes.shuffled(using: &generator)
    }

    private func dependencies(of plan: Plan) -> [Set<Int>] {
        (0..<plan.count).map { Set(plan.dependencies(of: $0)) }
    }

    @Test("The plan and the number of holds do not depend on the order of nodes", arguments: 0..<60)
    func anySplit(_ seed: UInt64) throws {
        var generator = SplitMix64(state: seed)
        let nodes = try randomNodes(
            count: Int.random(in: 1...40, using: &generator),
            using: &generator
        )
        var whole = Plan()
        try whole.append(nodes)
        let literals = try whole.close()

        var plan = Plan()
        var edges: [Plan.Edge] = []
        var holds = Array(repeating: 0, count: nodes.count)
        var rest = nodes[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...5, using: &generator))
            rest = rest.dropFirst(batch.count)
            let growth = try plan.append(Array(batch))
            #expect(growth.added == (plan.count - batch.count)..<plan.count)
            edges += growth.edges
            for index in growth.held { holds[index] += 1 }
            for index in growth.released { holds[index] -= 1 }
            #expect(holds.allSatisfy { $0 >= 0 })
        }
        let released = try plan.close()
        for index in released { holds[index] -= 1 }
        #expect(released == literals)
        #expect(holds.allSatisfy { $0 == 0 })
        #expect(dependencies(of: plan) == dependencies(of: whole))
        #expect(Set(edges).count == edges.count)
        #expect(edges.count == whole.edgeCount)
        for edge in edges {
            #expect(plan.dependencies(of: edge.dependent).contains(edge.dependency))
        }
    }

    @Test("Finds a cycle if and only if there is one", arguments: 0..<60)
    func cycles(_ seed: UInt64) throws {
        var generator = SplitMix64(state: seed &* 7919)
        var nodes = try randomNodes(count: 30, using: &generator)
        var plan = Plan()
        try plan.append(nodes)
        // Reverse one path: a node that others need now needs one of those that need it.
        guard
            let dependent = (0..<plan.count).shuffled(using: &generator).first(where: {
                !plan.dependencies(of: $0).isEmpty
            })
        else { return }
        var last = dependent
        while let next = plan.dependencies(of: last).randomElement(using: &generator) {
            last = next
        }
        nodes[last].dependencies.append(nodes[dependent].id)

        var circular = Plan()
        try circular.append(nodes)
        let found = try problems { try circular.close() }
        #expect(Set(found.map(\.code)) == [.cycle])
        for problem in found {
            let message = try #require(problem.message.split(separator: ": ").last)
            let path = message.split(separator: " → ").compactMap { NodeID(String($0)) }
            #expect(path.count >= 3 && path.first == path.last)
            for (from, to) in zip(path, path.dropFirst()) where path.count < 17 {
                let index = try #require(circular.index(of: from))
                #expect(
                    try circular.dependencies(of: index).contains(#require(circular.index(of: to)))
                )
            }
        }
    }

    @Test("Reads, holds, releases and closes 200,000 nodes in linear time")
    func large() throws {
        let count = 200_000
        let clock = ContinuousClock()
        let started = clock.now
        var text = Array(#"{"tasks":["#.utf8)
        for index in 0..<count {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            // Each node names the next one, so that no dependency is known when it arrives.
            let next = index + 1 < count ? #"{"v":"$n\#(index + 1)"}"# : "{}"
            text += Array(#"{"id":"n\#(index)","tool_name":"noop","args":\#(next)}"#.utf8)
        }
        text += Array("]}".utf8)

        var reader = PlanReader()
        var plan = Plan()
        var position = 0
        var released = 0
        var failed: [PlanProblem] = []
        var start = 0
        while start < text.count {
            let end = min(start + 4096, text.count)
            var batch: [NodeDefinition] = []
            try reader.feed(text[start..<end]) { raw in
                do throws(PlanProblems) {
                    batch.append(try NodeDefinition(decoding: raw, at: position))
                } catch {
                    failed += error.problems
                }
                position += 1
            }
            released += try plan.append(batch).released.count
            start = end
        }
        #expect(try reader.finish() == nil)
        #expect(try plan.close() == [])
        #expect(failed == [])
        #expect(plan.count == count)
        #expect(plan.edgeCount == count - 1)
        #expect(released > 0)

        // In the other direction there is one cycle through all of them.
        var circle = Plan()
        try circle.append((0..<count).map { try node("n\($0)", after: ["n\(($0 + 1) % count)"]) })
        #expect(try outline(problems { try circle.close() }) == ["cycle n0"])
        // Quadratic work would take hours.
        #expect(clock.now - started < .seconds(120))
    }
}
