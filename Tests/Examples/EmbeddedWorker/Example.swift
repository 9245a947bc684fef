// A coordinator and a worker inside this program, two functions as tools, one plan, its answer.

import Weftline

@main
struct Example {
    static func main() async throws {
        let explain = FunctionTool(name: "explain", description: "Explains a word.") { call, _ in
            ["word": call["word"] ?? nil, "meaning": "the threads that cross the warp"]
        }
        let shout = FunctionTool(name: "shout", description: "Writes in capitals.") { call, _ in
            .string((call["text"]?.stringValue ?? "").uppercased())
        }
        let plan = PlanDocument(nodes: [
            try NodeDefinition("find", tool: "explain", arguments: ["word": "weft"]),
            try NodeDefinition("say", tool: "shout", arguments: ["text": "${find.meaning}!"]),
        ])
        let result = try await LocalCluster.with(tools: [explain, shout]) { cluster in
            try await cluster.run(plan)
        }
        print(result.text)
    }
}
