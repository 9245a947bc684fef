// A plan that grows: edges, holds, releases, and its end.

import Core
import JSON
import OrderedCollections
import Plans
import Testing

@Suite("A growing plan")
struct PlanGrowthTests {
    private typealias Edge = Plan.Edge

    @Test("Nodes get dense indexes in order of arrival")
    func denseIndexes() throws {
        var plan = Plan()
        #expect(try plan.append([node("b"), node("a")]).added == 0..<2)
        #expect(try plan.append([node("c", tool: "a tool with a long name")]).added == 2..<3)
        #expect(plan.count == 3)
        #expect(plan.index(of: try id("a")) == 1)
        #expect(plan.index(of: try id("x")) == nil)
        #expect(plan[2].id.text == "c")
        #expect(plan[2].tool == "a tool with a long name")
        #expect(!plan.isClosed)
    }

    @Test("Within a batch a node may name a later one")
    func laterInBatch() throws {
        var plan = Plan()
        let growth = try plan.append([node("a", after: ["b"]), node("b")])
        #expect(growth == Plan.Growth(added: 0..<2, edges: [Edge(dependency: 1, dependent: 0)]))
        #expect(try plan.close() == [])
        #expect(plan.isClosed)
    }

    @Test("Declared dependencies and references are one edge each, declared ones first")
    func edgesOnce() throws {
        var plan = Plan()
        let growth = try plan.append([
            node("a"), node("b"),
            node("c", after: ["b", "b"], args: #"{"x":"$a $b $a","y":["${a.k}"]}"#),
        ])
        #expect(
            growth.edges == [
                Edge(dependency: 1, dependent: 2), Edge(dependency: 0, dependent: 2),
            ]
        )
        #expect(plan.dependencies(of: 2) == [1, 0])
        #expect(plan.dependencies(of: 0) == [])
        #expect(plan.edgeCount == 2)
    }

    @Test("Holds a node that names unknown ids, once for each id")
    func holdsAndReleases() throws {
        var plan = Plan()
        let first = try plan.append([
            node("a", after: ["x"], args: #"{"v":"$y $x"}"#), node("b", args: #"{"v":"$y"}"#),
        ])
        #expect(first == Plan.Growth(added: 0..<2, held: [0, 0, 1]))
        #expect(plan.dependencies(of: 0) == [])

        let second = try plan.append([node("y", after: ["b2"])])
        #expect(
            second
                == Plan.Growth(
                    added: 2..<3,
                    edges: [Edge(dependency: 2, dependent: 0), Edge(dependency: 2, dependent: 1)],
                    held: [2],
                    released: [0, 1]
                )
        )

        let third = try plan.append([node("x"), node("b2")])
        #expect(
            third
                == Plan.Growth(
                    added: 3..<5,
                    edges: [Edge(dependency: 3, dependent: 0), Edge(dependency: 4, dependent: 2)],
                    released: [0, 2]
                )
        )
        #expect(plan.dependencies(of: 0) == [3, 2])
        #expect(try plan.close() == [])
    }

    @Test("An undeclared reference to an unknown id becomes text on close")
    func literalOnClose() throws {
        var plan = Plan()
        try plan.append([
            node("a", args: #"{"v":"costs $15 or $usd","w":"$$5"}"#),
            node("b", args: #"{"v":"$15 $a"}"#),
        ])
        #expect(plan.warnings().count == 3)
        #expect(try plan.close() == [0, 0, 1])
        #expect(plan.dependencies(of: 1) == [0])
        let warnings = plan.warnings()
        #expect(
            outline(warnings)
                == ["unknown_reference a", "unknown_reference a", "unknown_reference b"]
        )
        #expect(warnings.allSatisfy { $0.isWarning })

        let text = try plan.resolveArguments(of: 0) { _ in nil }.text
        #expect(text == #"{"v":"costs $15 or $usd","w":"$5"}"#)
        let mixed = try plan.resolveArguments(of: 1) { $0 == 0 ? .true : nil }.text
        #expect(mixed == #"{"v":"$15 true"}"#)
    }

    @Test("An unknown declared dependency is a problem, and closing changes nothing")
    func unknownDependency() throws {
        var plan = Plan()
        try plan.append([node("t3", after: ["t9"]), node("t4", args: #"{"v":"$t8"}"#)])
        let found = try problems { try plan.close() }
        #expect(
            found == [
                PlanProblem(
                    code: .unknownDependency,
                    node: "t3",
                    message: "node t3 depends on t9, which is not in the plan"
                )
            ]
        )
        #expect(!plan.isClosed)
        #expect(try plan.append([node("t9")]).released == [0])
        #expect(try plan.close() == [1])
    }

    @Test("Finds a cycle that growth closes, with a path through it")
    func cycleThroughGrowth() throws {
        var plan = Plan()
        try plan.append([node("start"), node("a", after: ["start", "b"])])
        try plan.append([node("b", args: #"{"v":"$c"}"#), node("behind", after: ["a"])])
        #expect(try plan.append([node("c", after: ["a"])]).released == [2])
        let found = try problems { try plan.close() }
        #expect(
            found == [
                PlanProblem(
                    code: .cycle,
                    node: "a",
                    message: "nodes depend on each other in a circle: a → b → c → a"
                )
            ]
        )
    }

    @Test("Finds all separate cycles")
    func severalCycles() throws {
        var plan = Plan()
        try plan.append([
            node("a", after: ["b"]), node("b", after: ["a"]), node("x", after: ["a", "y"]),
            node("y", after: ["z"]), node("z", after: ["x"]), node("p", after: ["q"]),
            node("q", after: ["p"]), node("free"),
        ])
        let found = try problems { try plan.close() }
        #expect(outline(found) == ["cycle a", "cycle x", "cycle p"])
        #expect(found[0].message == "nodes depend on each other in a circle: a → b → a")
        #expect(found[1].message == "nodes depend on each other in a circle: x → y → z → x")
    }

    @Test("Shortens a long cycle")
    func longCycle() throws {
        var plan = Plan()
        try plan.append(
            (0..<1000).map { try node("n\($0)", after: ["n\(($0 + 1) % 1000)"]) }
        )
        let found = try problems { try plan.close() }
        #expect(outline(found) == ["cycle n0"])
        #expect(found[0].message.hasSuffix("n15 → … 984 more … → n0"))
    }

    @Test("Adds all nodes or none")
    func allOrNone() throws {
        var plan = Plan()
        try plan.append([node("a", after: ["b"])])
        let found = try problems {
            try plan.append([
                node("b"), node("a"), node("c", after: ["c"]), node("b"),
                node("d", args: #"{"v":"$d"}"#),
            ])
        }
        #expect(
            outline(found)
                == ["duplicate_id a", "self_reference c", "duplicate_id b", "self_reference d"]
        )
        #expect(found[2].message == "node b is in the plan more than once")
        #expect(plan.count == 1)
        #expect(plan.index(of: try id("b")) == nil)
        #expect(try plan.append([node("b"), node("c"), node("d")]).released == [0])
        #expect(try plan.close() == [])
    }

    @Test("Checks nodes made by a program like nodes that were read")
    func checksDefinitions() throws {
        var plan = Plan()
        var odd = try node("a", args: "[]", tool: "")
        odd.timeout = .zero
        odd.maxAttempts = 0
        odd.requires = ["": "x"]
        let found = try problems { try plan.append([odd]) }
        #expect(outline(found) == ["bad_plan a", "bad_plan a", "bad_plan a", "limit a", "limit a"])
    }

    @Test("Refuses arguments that do not fit into a message")
    func deepArguments() throws {
        func arguments(_ depth: Int) -> String {
            #"{"v":"# + String(repeating: "[", count: depth - 1) + "1"
                + String(repeating: "]", count: depth - 1) + "}"
        }
        var plan = Plan()
        try plan.append([node("a", args: arguments(56))])
        #expect(
            try outline(problems { try plan.append([node("b", args: arguments(57))]) })
                == ["limit b"]
        )
    }

    @Test("An empty plan cannot be closed, a closed one cannot grow")
    func ends() throws {
        var plan = Plan()
        #expect(try outline(problems { try plan.close() }) == ["empty_plan"])
        try plan.append([node("a")])
        try plan.close()
        #expect(try plan.close() == [])
        #expect(try outline(problems { try plan.append([node("b")]) }) == ["bad_plan"])
        #expect(plan.count == 1)
    }

    @Test("Counts problems beyond the limit")
    func manyProblems() throws {
        var plan = Plan()
        try plan.append([node("a")])
        let found = try problems {
            try plan.append(Array(repeating: try node("a"), count: 117))
        }
        #expect(found.count == 101)
        #expect(found.last?.message == "and 17 more problems")
    }

    @Test("Refuses more references than a node may have dependencies")
    func tooManyReferences() throws {
        var plan = Plan()
        let text = (0...10_000).map { "$n\($0)" }.joined(separator: " ")
        let definition = NodeDefinition(
            id: try id("a"),
            tool: "x",
            arguments: RawJSON(["v": .string(text)])
        )
        #expect(try outline(problems { try plan.append([definition]) }) == ["limit a"])
    }

    @Test("Keeps the options of a node")
    func options() throws {
        var plan = Plan()
        var definition = try node("a")
        definition.timeout = .seconds(3)
        definition.maxAttempts = 2
        definition.requires = ["gpu": "yes"]
        try plan.append([definition, node("b")])
        #expect(plan[0].timeout == .seconds(3))
        #expect(plan[0].maxAttempts == 2)
        #expect(plan[0].requires == ["gpu": "yes"])
        #expect(plan[1].timeout == nil && plan[1].maxAttempts == nil && plan[1].requires.isEmpty)
    }

    @Test("A dependency without an output is a failure, not text")
    func missingOutput() throws {
        var plan = Plan()
        try plan.append([node("a"), node("b", args: #"{"v":"$a"}"#)])
        let failure = #expect(throws: Failure.self) {
            try plan.resolveArguments(of: 1) { _ in nil }
        }
        #expect(failure?.code == .referenceNotFound)
    }
}
