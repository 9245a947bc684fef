// Goals whose language model refuses, fails, breaks off or stops answering, through the real
// program: the run always ends, with all usable results and a sentence that says why.
import Foundation
import TestKit
import Testing

/// A plan of these nodes as a model writes it.
func planText(_ nodes: String...) -> String { "{\"tasks\":[\(nodes.joined(separator: ","))]}" }

extension Place {
    /// Runs a goal on a cluster of its own with one worker and the diagnostic tools.
    func goal(
        _ goal: String = "Go.",
        with configuration: String,
        _ arguments: String...,
        environment extra: [String: String] = [:]
    ) async throws -> Outcome {
        var words = ["run", goal, "--diagnostics", "--workers", "1", "--config", configuration]
        if FileManager.default.fileExists(atPath: manifest) { words += ["--tools", manifest] }
        return try await start(words + arguments, environment: extra).end()
    }
}

extension Place {
    /// Starts a coordinator with a configuration, and one worker; returns their process ids.
    @discardableResult
    func startCluster(_ configuration: String, slots: Int = 4) async throws -> [pid_t] {
        let coordinator = try await startCoordinator(with: ["--config", configuration])
        return [coordinator.pid, try await startWorker("a", slots: slots).pid]
    }
}

extension Integration {
    @Suite("Goals and failing models", .timeLimit(.minutes(Patience.factor)))
    struct GoalFailureTests {
        /// A tool that reports its start and runs until there is a file of its name.
        static let slow = """
            tools:
              - name: slow
                description: Waits for a file.
                parameters: {type: object, properties: {name: {type: string}}, required: [name]}
                command: [sh, -c, 'touch FOLDER/started-$1; while [ ! -e FOLDER/go-$1 ]; do \
            sleep 0.05; done; printf done', slow, "{name}"]
            """

        @Test("Retries a temporary refusal after the requested wait")
        func retries() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let plan = Reply.text(planText(node("t1", "echo", #"{"of":1}"#)))
                let busy = Reply([.status(429, "{}", headers: ["Retry-After-Ms": "20"])])
                try server.script("busy", planner: [busy, busy, plan])
                try server.script(
                    "broken",
                    planner: [[.status(500, "oops", headers: ["retry-after": "0.02"])], plan]
                )
                try server.script("lost", planner: [[.reset], plan])
                // Bytes of the response, but none of the text.
                try server.script("early", planner: [[.raw(": ping\n\n"), .cut], plan])
                let configuration = try server.configuration("retries: 2")
                for (goal, calls) in [("busy", 3), ("broken", 2), ("lost", 2), ("early", 2)] {
                    let run = try await place.goal(goal, with: configuration, "--join", "json")
                    #expect(run.code == 0, "\(goal): \(run.errors)")
                    #expect(run.output == "{\"t1\":{\"of\":1}}\n", "\(goal)")
                    #expect(try server.requests(for: goal).count == calls, "\(goal)")
                }
            }
        }

        @Test("Reports a permanent refusal at once, with the provider's message")
        func refusals() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let body = #"{"error":{"message":"no such key","type":"auth"}}"#
                let cases: [(String, Int, [String: String], String)] = [
                    ("key", 401, [:], "model_refused_key"),
                    ("later", 429, ["retry-after": "3600"], "3600.0 seconds, which is too long"),
                    ("never", 503, ["x-should-retry": "false"], "model_server_error"),
                ]
                for (goal, status, headers, _) in cases {
                    try server.script(goal, planner: [[.status(status, body, headers: headers)]])
                }
                try await place.startCluster(try server.configuration())
                for (goal, status, _, words) in cases {
                    let run = try await place.weft("run", goal)
                    #expect(run.code == 1)
                    #expect(run.output.isEmpty)
                    #expect(run.errors.contains("no such key"), "\(run.errors)")
                    #expect(run.errors.contains("HTTP \(status)"), "\(run.errors)")
                    #expect(run.errors.contains(words), "\(run.errors)")
                    #expect(try server.requests(for: goal).count == 1)
                }
            }
        }

        /// Ways in which a model fails in the middle of its plan.
        enum Fault: String, CaseIterable, Sendable {
            case error, reset, cut, silence

            var steps: Reply {
                switch self {
                case .error: [.raw("data: {\"error\":{\"code\":500,\"message\":\"oops\"}}\n\n")]
                case .reset: [.reset]
                case .cut: [.cut]
                case .silence: [.hang]
                }
            }

            var code: String {
                switch self {
                case .error: "model_server_error"
                case .silence: "model_timeout"
                case .reset, .cut: "model_bad_stream"
                }
            }
        }

        @Test("A model that fails in mid-plan ends the run; running nodes finish or are cancelled")
        func midPlan() async throws {
            try await atPlace { place in
                try place.tools(Self.slow)
                let server = try await ModelServer(place)
                let faults = Fault.allCases.flatMap { fault in
                    ["finish", "cancel"].map { (fault, $0, "\(fault)-\($0)") }
                }
                for (fault, _, goal) in faults {
                    let first = node("t1", "slow", #"{"name":"\#(goal)"}"#)
                    let start = ReplyStep.say("{\"tasks\":[\(first),{\"id\":\"t2\",\"tool_na")
                    let wait = ReplyStep.await("\(place.folder)/started-\(goal)")
                    try server.script(goal, planner: [[start, wait] + fault.steps])
                }
                let configuration = try server.configuration("idle_timeout: 300ms")
                let ours = try await place.startCluster(configuration, slots: faults.count)
                let runs = try faults.map { _, policy, goal in
                    try place.start(
                        "run",
                        goal,
                        "--on-model-failure",
                        policy,
                        "--repairs",
                        "0",
                        "--json"
                    )
                }
                for (fault, policy, goal) in faults where policy == "finish" {
                    try await eventually("the tool of \(fault) runs") {
                        FileManager.default.fileExists(atPath: "\(place.folder)/started-\(goal)")
                    }
                    try place.write("", to: "go-\(goal)")
                }
                for ((fault, policy, goal), run) in zip(faults, runs) {
                    let ended = try await run.end()
                    #expect(ended.code == 1)
                    let document = try ended.document
                    #expect(document["status"].text == "failed")
                    #expect(document["error"]["code"].text == fault.code, "\(ended.output)")
                    let status = policy == "finish" ? "succeeded" : "cancelled"
                    #expect(document["nodes"]["t1"]["status"].text == status, "\(goal)")
                    #expect(document["nodes"].keys == ["t1"])
                    #expect(try server.requests(for: goal).count == 1)
                }
                try await eventually("no tool is left: \(place.marked())") {
                    Set(place.marked(exceptKeepers: true)) == Set(ours + [server.process.pid])
                }
            }
        }

        @Test("Waits for a silent model no longer than allowed, in any state")
        func silence() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let whole = planText(node("t1", "echo", #"{"of":1}"#))
                try server.script("head", planner: [[.hang]])
                try server.script("first", planner: [[.raw(": hello\n\n"), .hang]])
                try server.script("stopped", planner: [[.say(whole), .finish(), .hang]])
                try server.script("complete", planner: [[.say(whole), .hang]])
                let configuration = try server.configuration("idle_timeout: 400ms, retries: 0")
                try await place.startCluster(configuration)
                let failing = try ["head", "first"].map { try place.start("run", $0) }
                // The plan is complete, even if the connection breaks.
                let working = try ["stopped", "complete"].map { goal in
                    try place.start("run", goal, "--join", "json")
                }
                for process in failing {
                    let run = try await process.end()
                    #expect(run.code == 1)
                    #expect(run.errors.contains("model_timeout"), "\(run.errors)")
                }
                for process in working {
                    let run = try await process.end()
                    #expect(run.code == 0, "\(run.errors)")
                    #expect(run.output == "{\"t1\":{\"of\":1}}\n")
                }
                #expect(try server.goneClients() == 4)
                #expect(try server.requests().count == 4)
            }
        }

        @Test("Uses a complete plan soon, although its call neither ends nor times out")
        func completeWithoutEnd() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let whole = planText(node("t1", "echo", #"{"of":1}"#))
                try server.script("complete", planner: [[.say(whole), .hang]])
                // The idle timeout is minutes.
                try await place.startCluster(try server.configuration("retries: 0"))
                let run = try await place.weft("run", "complete", "--join", "json")
                #expect(run.code == 0, "\(run.errors)")
                #expect(run.output == "{\"t1\":{\"of\":1}}\n")
                #expect(try server.goneClients() == 1)
            }
        }

        @Test("A joiner that fails, breaks off or is silent fails the run; outputs are kept")
        func joiner() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let planner = Reply.text(planText(node("t1", "echo", #"{"of":1}"#)))
                let half = ReplyStep.say(#"{"thought":"","action":"finish","answer":"half of"#)
                let whole = ReplyStep.say(#"{"thought":"","action":"finish","answer":"all"}"#)
                for (goal, reply) in [
                    ("reset", [half, .reset]), ("silence", [half, .hang]),
                    ("refusal", [.status(400, "no")]),
                    ("length", [half, .finish("length"), .done]),
                    ("late silence", [whole, .hang]), ("late reset", [whole, .reset]),
                ] as [(String, Reply)] {
                    try server.script(goal, planner: [planner], joiner: [reply])
                }
                let configuration = try server.configuration("idle_timeout: 300ms, retries: 0")
                try await place.startCluster(configuration)
                for (goal, code) in [
                    ("reset", "model_bad_stream"), ("silence", "model_timeout"),
                    ("refusal", "model_bad_configuration"), ("length", "bad_output"),
                ] {
                    let run = try await place.weft("run", goal, "--json")
                    #expect(run.code == 1)
                    let document = try run.document
                    #expect(document["error"]["code"].text == code, "\(run.output)")
                    #expect(document["nodes"]["t1"]["output"].description == "{\"of\":1}")
                }
                for goal in ["late silence", "late reset"] {
                    let run = try await place.weft("run", goal)
                    #expect(run.code == 0, "\(run.errors)")
                    #expect(run.output == "all\n")
                }
            }
        }

        @Test("Faults of one goal do not affect others at the same coordinator")
        func remote() async throws {
            try await atPlace { place in
                try place.tools(Self.slow)
                let server = try await ModelServer(place)
                let good = planText(node("t1", "echo", #"{"of":"$$1"}"#))
                try server.script("good", planner: [.text(good)], joiner: [.answer("fine")])
                let start = #"{"tasks":["# + node("t1", "slow", #"{"name":"bad"}"#) + ","
                let wait = ReplyStep.await("\(place.folder)/started-bad")
                try server.script("bad", planner: [[.say(start), wait, .reset]])
                try server.script("mute", planner: [[.hang]])
                let configuration = try server.configuration("retries: 0")
                try await place.startCluster(configuration)
                let mute = try place.start("run", "mute")
                try await eventually("the mute model is asked") {
                    try !server.requests(for: "mute").isEmpty
                }
                let bad = try place.start(
                    "run",
                    "bad",
                    "--on-model-failure",
                    "cancel",
                    "--repairs",
                    "0"
                )
                let run = try await place.weft("run", "good")
                #expect(run.code == 0, "\(run.errors)")
                #expect(run.output == "fine\n")
                let ended = try await bad.end()
                #expect(ended.code == 1)
                #expect(ended.errors.contains("model_bad_stream"), "\(ended.errors)")
                // A client can stop waiting for a model; the end of the connection tells the
                // provider.
                mute.signal(SIGINT)
                #expect(try await mute.end().code == 130)
                try await eventually("the model's call ends") { try server.goneClients() == 1 }
                let runs = try await place.weft("runs", "--json").document.list
                let states = runs.compactMap { $0["status"].text }.sorted()
                #expect(states == ["cancelled", "failed", "succeeded"])
            }
        }
    }
}
