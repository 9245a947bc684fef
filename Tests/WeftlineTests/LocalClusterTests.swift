// A whole cluster inside this process: plans, references, failures, several clusters, its end.
import Core
import Foundation
import TestKit
import Testing
import Weftline

@Suite("Local cluster", .timeLimit(.minutes(Patience.factor)))
struct LocalClusterTests {
    @Test("References pass outputs from node to node with their types")
    func references() async throws {
        let result = try await LocalCluster.with(tools: [echo, sum]) { cluster in
            try await cluster.run(
                plan(
                    ("one", "echo", ["value": ["n": 20, "list": [1, 2]]]),
                    ("two", "sum", ["terms": ["${one.n}", "${one.list[1]}", 20]]),
                    ("three", "echo", ["value": "it is $two"])
                )
            )
        }
        #expect(result.status == .succeeded)
        #expect(try result.output(of: "two") == 42)
        #expect(try result.output(of: "three") == "it is 42")
        #expect(result.text == "[echo] {\"n\":20,\"list\":[1,2]}\n\n[sum] 42\n\n[echo] it is 42")
        #expect(result.nodes.map(\.id) == ["one", "two", "three"])
        #expect(result.nodes.map(\.attempts) == [1, 1, 1])
        #expect(result["one"]?.worker == "local")
        #expect(result.timing.wall > .zero)
        #expect(result.timing.work >= result.timing.criticalPath)
    }

    @Test("A plan in JSON gives an answer by node id")
    func planFromJSON() async throws {
        let document = try PlanDocument(
            json: """
                {"tasks":[{"id":"a","tool_name":"sum","args":{"terms":[1,2,3]}},
                          {"id":"b","tool_name":"echo","args":{"value":"$a"},"dependencies":["a"]}]}
                """
        )
        let result = try await LocalCluster.with(tools: [echo, sum]) { cluster in
            try await cluster.run(document, options: RunOptions(join: .json))
        }
        #expect(result.answer == ["a": 6, "b": 6])
    }

    @Test("A function that throws fails its node by name and skips what depends on it")
    func throwingFunction() async throws {
        let result = try await LocalCluster.with(tools: [echo, tear]) { cluster in
            try await cluster.run(
                plan(
                    ("rip", "tear", [:]),
                    ("after", "echo", ["value": "$rip"]),
                    ("beside", "echo", ["value": 1])
                )
            )
        }
        #expect(result.status == .failed)
        #expect(result["rip"]?.status == .failed)
        let failure = try #require(throws: Failure.self) { try result.output(of: "rip") }
        #expect(failure.code == .toolError)
        #expect(failure.message == "tear failed: the thread is used up")
        #expect(result["after"]?.status == .skipped)
        #expect(result["after"]?.skippedBecause == "rip")
        #expect(throws: Failure.self) { try result.output(of: "after") }
        #expect(try result.output(of: "beside") == 1)
        #expect(throws: Failure.self) { try result.output(of: "nowhere") }
    }

    @Test("A failure that a function throws arrives unchanged")
    func thrownFailure() async throws {
        let code = try #require(FailureCode(toolReported: "knotted"))
        let knot = FunctionTool(name: "knot", description: "Fails.") { _, _ in
            throw Failure(code: code, message: "there is a knot")
        }
        let result = try await LocalCluster.with(tools: [knot]) { cluster in
            try await cluster.run(plan(("k", "knot", [:])))
        }
        #expect(result["k"]?.failure?.code == code)
        #expect(result["k"]?.failure?.message == "there is a knot")
    }

    @Test("Refuses a plan with problems, with all of them")
    func badPlan() async throws {
        let error = try await #require(throws: ClientError.self) {
            try await LocalCluster.with(tools: [echo]) { cluster in
                try await cluster.run(
                    PlanDocument(nodes: [
                        try NodeDefinition("a", tool: "echo", after: ["b"]),
                        try NodeDefinition("b", tool: "echo", after: ["a"]),
                        try NodeDefinition("a", tool: "echo"),
                    ])
                )
            }
        }
        #expect(error.kind == .rejected)
        #expect(error.problems.contains { $0.code == .duplicateID })
        #expect(throws: PlanProblems.self) { try PlanDocument(json: "{\"tasks\":[]}") }
        #expect(throws: PlanProblems.self) { try NodeDefinition("two words", tool: "echo") }
    }

    @Test("A tool that no worker has fails its node")
    func missingTool() async throws {
        let result = try await LocalCluster.with(tools: [echo]) { cluster in
            try await cluster.run(plan(("a", "spin", [:]), ("b", "echo", ["value": 1])))
        }
        #expect(result["a"]?.failure?.code == .unknownTool)
        #expect(result["b"]?.status == .succeeded)
    }

    @Test("A run that takes longer than its limit fails as a whole")
    func timeLimit() async throws {
        let waiting = Waiting()
        let result = try await LocalCluster.with(tools: [waiting.tool]) { cluster in
            try await cluster.run(
                plan(("w", "wait", [:])),
                options: RunOptions(timeLimit: .milliseconds(50))
            )
        }
        #expect(result.status != .succeeded)
        #expect(result.failure != nil)
        #expect(await eventually { waiting.cancelled == 1 })
    }

    @Test("Two clusters in one process are independent")
    func twoClusters() async throws {
        func tool(_ word: String) -> FunctionTool {
            FunctionTool(name: "say", description: "Says a word.") { _, _ in .string(word) }
        }
        let first = try await LocalCluster.start(tools: [tool("warp")])
        let second = try await LocalCluster.start(tools: [tool("weft")])
        #expect(first.endpoint != second.endpoint)
        let document = try plan(("s", "say", [:]))
        async let one = first.run(document)
        async let two = second.run(document)
        #expect(try await one.output(of: "s") == "warp")
        #expect(try await two.output(of: "s") == "weft")
        await first.shutDown()
        #expect(try await second.run(document).output(of: "s") == "weft")
        await #expect(throws: ClientError.self) { try await first.run(document) }
        await second.shutDown()
    }

    @Test("Refuses a client with another cluster's key")
    func foreignKey() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let error = try await #require(throws: ClientError.self) {
                try await WeftClient.connect(to: cluster.endpoint, key: cluster.workerKey)
            }
            #expect(error.kind == .refused)
            let client = try await WeftClient.connect(to: cluster.endpoint, key: cluster.clientKey)
            let result = try await client.run(plan(("a", "echo", ["value": 7])))
            #expect(try result.output(of: "a") == 7)
            await client.close()
        }
    }

    @Test("Tools of a manifest work beside functions")
    func manifest() async throws {
        let manifest = try Manifest.parse(
            yaml: """
                tools:
                  - name: reverse
                    description: Reverses a text.
                    parameters: {type: object, properties: {text: {type: string}}}
                    command: [sh, -c, 'printf %s "$1" | rev', rev, "{text}"]
                    idempotent: true
                """,
            path: "tools.yaml"
        )
        let result = try await LocalCluster.with(tools: [echo], manifest: manifest) { cluster in
            try await cluster.run(
                plan(("a", "echo", ["value": "tfew"]), ("b", "reverse", ["text": "$a"]))
            )
        }
        #expect(try result.output(of: "b") == "weft")
    }

    @Test("Two tools of one name, or an invalid name, stop the start")
    func unusableTools() async throws {
        await #expect(throws: ToolboxError.self) {
            try await LocalCluster.start(tools: [echo, echo])
        }
        let nameless = FunctionTool(name: "", description: "Has no name.") { _, _ in nil }
        await #expect(throws: ToolboxError.self) {
            try await LocalCluster.start(tools: [nameless])
        }
        let odd = FunctionTool(
            name: "odd",
            description: "Has no schema.",
            parameters: RawJSON(["type": "thread"])
        ) { _, _ in nil }
        await #expect(throws: ToolboxError.self) { try await LocalCluster.start(tools: [odd]) }
        await #expect(throws: LocalClusterError.self) {
            try await LocalCluster.start(tools: [echo], slots: 0)
        }
    }

    @Test("Refuses options that the protocol does not allow; the client still works")
    func badOptions() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let document = try plan(("a", "echo", ["value": 1]))
            let label = String(repeating: "x", count: 257)
            for options in [RunOptions(tools: [""]), RunOptions(label: label)] {
                let error = try await #require(throws: ClientError.self) {
                    try await cluster.run(document, options: options)
                }
                #expect(error.kind == .rejected)
            }
            let narrow = try await #require(throws: ClientError.self) {
                try await cluster.run(document, options: RunOptions(tools: ["sum"]))
            }
            #expect(narrow.problems.map(\.code) == [.unknownTool])
            await #expect(throws: ClientError.self) {
                try await WeftClient.connect(
                    to: cluster.endpoint,
                    key: cluster.clientKey,
                    name: "two words"
                )
            }
            let options = RunOptions(timeLimit: .seconds(10_000_000), label: "loom")
            let result = try await cluster.run(document, options: options)
            #expect(try result.output(of: "a") == 1)
        }
    }

    @Test("Sends a plan larger than a line in pieces, and returns its answer whole")
    func largePlan() async throws {
        let text = String(repeating: "weft ", count: 4_000)
        let document = PlanDocument(
            nodes: try (0..<100).map { index in
                try NodeDefinition(
                    "n\(index)",
                    tool: "echo",
                    arguments: ["value": .string("\(index) \(text)")]
                )
            }
        )
        let result = try await LocalCluster.with(tools: [echo]) { cluster in
            try await cluster.run(document, options: RunOptions(join: .json))
        }
        #expect(result.status == .succeeded)
        #expect(result.nodes.count == 100)
        #expect(result.answer["n99"] == .string("99 \(text)"))
        #expect(try result.output(of: "n0") == .string("0 \(text)"))
    }

    @Test("A run of a thousand nodes reports each of them")
    func manyNodes() async throws {
        let count = 1_000
        let document = PlanDocument(
            nodes: try (0..<count).map { index in
                try NodeDefinition(
                    "n\(index)",
                    tool: "sum",
                    arguments: ["terms": index == 0 ? [1] : ["$n\(index - 1)", 1]]
                )
            }
        )
        let result = try await LocalCluster.with(tools: [sum]) { cluster in
            try await cluster.run(document)
        }
        #expect(result.nodes.count == count)
        #expect(try result.output(of: "n\(count - 1)") == .integer(Int64(count)))
    }
}
