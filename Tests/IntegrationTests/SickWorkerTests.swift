// One worker that cannot start tools, or that a node kills, next to healthy workers; and two
// workers of one name. Not here: workers that lack descriptors or processes (ShortageTests).
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("Sick workers", .timeLimit(.minutes(Patience.factor)))
    struct SickWorkerTests {
        /// Starts a worker in an environment of its own and waits until it is registered.
        func startWorker(
            _ name: String,
            at place: Place,
            slots: Int = 4,
            tools: String? = nil,
            shell: String = "",
            environment: [String: String] = [:]
        ) async throws -> WeftProcess {
            let command =
                "\(shell) exec \(Place.weft) worker --coordinator \(place.address) --name \(name)"
                + " --slots \(slots) --tools \(tools ?? place.manifest)"
            let process = try place.start(
                ["-c", command],
                program: "sh",
                environment: environment
            )
            try await eventually("the coordinator has \(name): \(process.errors)") {
                try await place.workers().contains { $0["name"].text == name }
            }
            return process
        }

        func worker(_ name: String, at place: Place) async throws -> Document {
            try await place.workers().first { $0["name"].text == name } ?? Document(parsing: "{}")
        }

        func manyNodes(_ count: Int, _ tool: String, at place: Place) throws -> String {
            let nodes = (0..<count).map { node("n\($0)", tool) }.joined(separator: ",")
            return try place.write("{\"tasks\":[\(nodes)]}", to: "many-\(tool).json")
        }

        func outcomes(_ run: Outcome) throws -> [String: Int] {
            let nodes = try run.document["nodes"]
            return nodes.keys.reduce(into: [:]) {
                $0[nodes[$1]["status"].text ?? "?", default: 0] += 1
            }
        }

        /// A tool with effects: it must not be started twice.
        static let job = """
            tools:
              - name: job
                description: Takes a moment.
                command: [sh, -c, 'sleep 0.02; echo x >> FOLDER/starts']
            """

        @Test("A worker without a temporary folder does not fail nodes that another one can run")
        func noTemporaryFolder() async throws {
            try await atPlace { place in
                try place.tools(Self.job)
                try await place.startCoordinator()
                _ = try await startWorker(
                    "sick",
                    at: place,
                    environment: ["TMPDIR": "\(place.folder)/absent"]
                )
                _ = try await startWorker("well", at: place)
                let plan = try manyNodes(100, "job", at: place)
                let run = try await place.weft("run", "--plan", plan, "--json")
                #expect(try outcomes(run) == ["succeeded": 100])
                #expect(place.lines(of: "starts").count == 100)
                let sick = try await worker("sick", at: place)
                #expect(sick["cooling_tools"][0]["name"].text == "job")
                let table = try await place.weft("workers")
                #expect(table.output.contains("sick: its tool job could not be started"))
            }
        }

        @Test("A single worker that cannot start a tool ends the run at once, and says why")
        func alone() async throws {
            try await atPlace { place in
                try place.tools(Self.job)
                try await place.startCoordinator()
                let absent = "\(place.folder)/absent"
                _ = try await startWorker("sick", at: place, environment: ["TMPDIR": absent])
                let plan = try manyNodes(20, "job", at: place)
                let run = try await place.weft("run", "--plan", plan, "--json")
                #expect(run.code == 1)
                let error = try run.document["nodes"]["n0"]["error"]
                #expect(error["code"].text == "spawn_failed")
                #expect(error["message"].text?.contains(absent) == true)
                #expect(error["message"].text?.contains("worker sick could not start it") == true)
            }
        }

        @Test("A worker with few descriptors has only as many slots as they allow")
        func fewDescriptors() async throws {
            try await atPlace { place in
                try place.tools(Self.job)
                try await place.startCoordinator()
                let sick = try await startWorker(
                    "sick",
                    at: place,
                    slots: 32,
                    shell: "ulimit -n 40;"
                )
                let slots = try await worker("sick", at: place)["slots"].number ?? 0
                #expect(slots >= 1 && slots < 12)
                #expect(sick.errors.contains("fewer slots than asked for"))
                let plan = try manyNodes(100, "job", at: place)
                let run = try await place.weft("run", "--plan", plan, "--json")
                #expect(try outcomes(run) == ["succeeded": 100])
                #expect(place.lines(of: "starts").count == 100)
            }
        }

        @Test("A tool whose program is missing is not offered until it exists")
        func missingProgram() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: job
                        description: Comes later.
                        command: [FOLDER/program]
                        idempotent: true
                    """
                )
                try await place.startCoordinator()
                _ = try await startWorker("w1", at: place)
                #expect(try await worker("w1", at: place)["tools"].list.isEmpty)
                let table = try await place.weft("workers")
                #expect(table.output.contains("w1: its tool job is not offered: the program"))
                let plan = try place.plan(node("a", "job"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await eventually("it waits and says why") {
                    let runs = try await place.weft("runs", "--json").document
                    guard let id = runs[0]["run"].text else { return false }
                    return try await place.weft("explain", id).output.contains("on w1: the program")
                }
                try place.write("#!/bin/sh\necho late\n", to: "program")
                chmod("\(place.folder)/program", 0o755)
                let end = try await run.end(within: .seconds(20))
                #expect(try end.document["nodes"]["a"]["output"].text == "late")
                // It is removed again: the next node is refused, and after that the tool is not
                // offered.
                try FileManager.default.removeItem(atPath: "\(place.folder)/program")
                let refused = try await place.weft("run", "--plan", plan, "--json")
                #expect(try refused.document["nodes"]["a"]["error"]["code"].text == "spawn_failed")
                try await eventually("it is withdrawn") {
                    try await worker("w1", at: place)["tools"].list.isEmpty
                }
            }
        }

        @Test(
            "A tool whose program cannot start is not offered, for any reason",
            arguments: ["not executable", "no interpreter", "no program for env", "a folder"]
        )
        func obstacles(_ kind: String) async throws {
            try await atPlace { place in
                let program = "\(place.folder)/program"
                switch kind {
                case "not executable": try place.write("#!/bin/sh\n", to: "program")
                case "a folder":
                    try FileManager.default.createDirectory(
                        atPath: program,
                        withIntermediateDirectories: false
                    )
                case "no interpreter": try place.write("#!/no/such/shell\n", to: "program")
                default: try place.write("#!/usr/bin/env no-such-program\n", to: "program")
                }
                if kind != "not executable" { chmod(program, 0o755) }
                try place.tools(
                    """
                    tools:
                      - name: job
                        description: Cannot start.
                        command: [FOLDER/program]
                    """
                )
                try await place.startCoordinator()
                _ = try await startWorker("w1", at: place)
                let worker = try await worker("w1", at: place)
                #expect(worker["withheld_tools"][0]["name"].text == "job")
                #expect(worker["withheld_tools"][0]["reason"].text?.contains(program) == true)
            }
        }

        @Test("A persistent tool that does not start on one worker runs on another")
        func persistentDoesNotComeUp() async throws {
            try await atPlace { place in
                try place.write(
                    """
                    import json, os, sys
                    if os.environ.get("SICK"):
                        sys.exit("no module named torch")
                    for line in sys.stdin:
                        print(json.dumps({"id": json.loads(line)["id"], "output": 1}), flush=True)
                    """,
                    to: "serve.py"
                )
                try place.tools(
                    """
                    tools:
                      - name: serve
                        description: Serves.
                        command: [python3, FOLDER/serve.py]
                        persistent: true
                        pass_env: [SICK]
                    """
                )
                try await place.startCoordinator()
                _ = try await startWorker("sick", at: place, environment: ["SICK": "1"])
                let alone = try await place.weft(
                    "run",
                    "--plan",
                    try manyNodes(8, "serve", at: place),
                    "--json"
                )
                let error = try alone.document["nodes"]["n0"]["error"]
                #expect(error["code"].text == "spawn_failed")
                #expect(error["message"].text?.contains("no module named torch") == true)
                _ = try await startWorker("well", at: place)
                let run = try await place.weft(
                    "run",
                    "--plan",
                    try manyNodes(100, "serve", at: place),
                    "--json"
                )
                #expect(try outcomes(run) == ["succeeded": 100])
            }
        }

        @Test("A tool that fails on one worker only is tried on another before it fails")
        func failsOnOneWorker() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: job
                        description: Fails where SICK is set.
                        command: [sh, -c, '[ -z "$SICK" ] || exit 3; sleep 0.02; echo fine']
                        idempotent: true
                        max_attempts: 2
                        pass_env: [SICK]
                    """
                )
                try await place.startCoordinator()
                _ = try await startWorker("sick", at: place, environment: ["SICK": "1"])
                _ = try await startWorker("well", at: place, slots: 2)
                let plan = try manyNodes(60, "job", at: place)
                let run = try await place.weft("run", "--plan", plan, "--json")
                #expect(try outcomes(run) == ["succeeded": 60])
            }
        }

        @Test("A node that kills its worker fails alone; a long one beside it succeeds")
        func killer() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: kill
                        description: Takes its worker down.
                        command: [sh, -c, 'sleep 0.3; kill -9 $(cat FOLDER/pids) ; sleep 5']
                        idempotent: true
                      - name: long
                        description: Takes its time.
                        command: [sh, -c, 'sleep 3; echo done']
                        idempotent: true
                    """
                )
                try await place.startCoordinator()
                // Each is started again whenever it has ended. A kill affects only the worker that
                // runs the node: its name is in the folder of that attempt.
                for name in ["w1", "w2"] {
                    let tools = try place.write(
                        String(contentsOfFile: place.manifest, encoding: .utf8)
                            .replacingOccurrences(of: "/pids", with: "/pid-\(name)"),
                        to: "tools-\(name).yaml"
                    )
                    _ = try place.start(
                        [
                            "-c",
                            "while :; do \(Place.weft) worker --coordinator \(place.address)"
                                + " --name \(name) --slots 4 --tools \(tools) & echo $! >"
                                + " \(place.folder)/pid-\(name); wait $!; sleep 0.2; done",
                        ],
                        program: "sh"
                    )
                }
                try await eventually("both are there") { try await place.workers().count == 2 }
                let plan = try place.plan(
                    node("k", "kill"),
                    node("l1", "long"),
                    node("l2", "long"),
                    node("l3", "long")
                )
                let run = try place.start("run", "--plan", plan, "--json")
                let end = try await run.end(within: .seconds(60))
                let nodes = try end.document["nodes"]
                #expect(nodes["k"]["error"]["code"].text == "worker_lost")
                for name in ["l1", "l2", "l3"] {
                    #expect(nodes[name]["output"].text == "done", "\(nodes[name])")
                }
            }
        }

        @Test("A second worker of a live name ends with a sentence; the first continues")
        func twins() async throws {
            try await atPlace { place in
                try place.tools(Self.job)
                try await place.startCoordinator()
                let first = try await startWorker("w1", at: place)
                let second = try await place.weft(
                    "worker",
                    "--name",
                    "w1",
                    "--tools",
                    place.manifest
                )
                #expect(second.code == 4)
                #expect(second.errors.contains("A worker named w1 is connected already"))
                #expect(second.errors.contains("--replace"))
                #expect(first.isRunning)
                let run = try await place.weft("run", "--plan", try manyNodes(4, "job", at: place))
                #expect(run.code == 0)
                let third = try place.start(
                    "worker",
                    "--name",
                    "w1",
                    "--replace",
                    "--tools",
                    place.manifest
                )
                #expect(try await first.end().code == 1)
                try await eventually("the third one is there") {
                    try await worker("w1", at: place)["pid"].number == Double(third.pid)
                }
                // A killed worker frees its name at once.
                third.killGroup()
                _ = try await startWorker("w1", at: place)
            }
        }

        @Test("A silent worker loses its name to a new one")
        func silentTwin() async throws {
            try await atPlace { place in
                try place.tools(Self.job)
                let limits = "limits: {heartbeat: 300ms, lease: 1500ms, resume_window: 1s}\n"
                let config = try place.write(limits, to: "limits.yaml")
                try await place.startCoordinator(with: ["--config", config])
                let first = try await startWorker("w1", at: place)
                first.signal(SIGSTOP)
                let second = try place.start(
                    "worker",
                    "--name",
                    "w1",
                    "--tools",
                    place.manifest
                )
                try await eventually("the second one is there", within: .seconds(5)) {
                    try await worker("w1", at: place)["pid"].number == Double(second.pid)
                }
                let run = try await place.weft("run", "--plan", try manyNodes(4, "job", at: place))
                #expect(run.code == 0)
                // The first one learns of it and does not take the name back.
                first.signal(SIGCONT)
                try await eventually("the first one ends") { !first.isRunning }
                #expect(try await worker("w1", at: place)["pid"].number == Double(second.pid))
            }
        }

        @Test("A drain's deadline moves idempotent attempts to another worker")
        func drainDeadline() async throws {
            try await atPlace { place in
                try place.tools(FaultTests.slowAtFirst(idempotent: true))
                try await place.startCoordinator()
                let first = try await startWorker("w1", at: place)
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                _ = try await startWorker("w2", at: place)
                let drain = try await place.weft("drain", "w1", "--deadline", "200ms")
                #expect(drain.code == 0)
                let end = try await run.end()
                #expect(end.code == 0)
                #expect(try end.document["nodes"]["a"]["output"].text == "again")
                #expect(try end.document["nodes"]["a"]["worker"].text == "w2")
                #expect(try await first.end().code == 0)
            }
        }

        @Test("A drain's deadline fails other attempts with an unknown outcome")
        func drainDeadlineWithEffects() async throws {
            try await atPlace { place in
                try place.tools(FaultTests.slowAtFirst(idempotent: false))
                try await place.startCoordinator()
                _ = try await startWorker("w1", at: place)
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                _ = try await place.weft("drain", "w1", "--deadline", "200ms")
                let end = try await run.end()
                #expect(
                    try end.document["nodes"]["a"]["error"]["code"].text == "outcome_unknown"
                )
            }
        }
    }
}
