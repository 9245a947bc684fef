// Workers, coordinators and clients that die, stop and come back.
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("Faults", .timeLimit(.minutes(Patience.factor)))
    struct FaultTests {
        /// Its first start runs for long, every later one ends at once.
        static func slowAtFirst(idempotent: Bool) -> String {
            """
            tools:
              - name: work
                description: Is slow the first time.
                command:
                  - sh
                  - -c
                  - 'echo $$ >> FOLDER/starts; [ $(wc -l < FOLDER/starts) -gt 1 ] && echo again && exit
                    ; until [ -e FOLDER/go ]; do sleep 0.05; done; echo first'
                idempotent: \(idempotent)
            """
        }

        @Test("A worker is killed during a call: an idempotent tool runs elsewhere")
        func killedWorker() async throws {
            try await atPlace { place in
                try place.tools(Self.slowAtFirst(idempotent: true))
                try await place.startCoordinator()
                let first = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "work"), node("b", "echo", #"{"of":"$a"}"#))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                try await place.startWorker("w2")
                first.killGroup()
                let end = try await run.end()
                #expect(end.code == 0)
                let nodes = try end.document["nodes"]
                #expect(nodes["a"]["output"].text == "again")
                #expect(nodes["a"]["attempts"].number == 2)
                #expect(nodes["a"]["worker"].text == "w2")
                #expect(nodes["b"]["output"]["of"].text == "again")
                #expect(place.lines(of: "starts").count == 2)
            }
        }

        @Test("A worker is killed during a call: any other tool is not started again")
        func killedWorkerWithEffects() async throws {
            try await atPlace { place in
                try place.tools(Self.slowAtFirst(idempotent: false))
                try await place.startCoordinator()
                let first = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "work"), node("b", "echo", #"{"of":"$a"}"#))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                try await place.startWorker("w2")
                first.killGroup()
                let end = try await run.end()
                #expect(end.code == 1)
                let nodes = try end.document["nodes"]
                #expect(nodes["a"]["status"].text == "failed")
                #expect(nodes["a"]["error"]["code"].text == "outcome_unknown")
                #expect(nodes["b"]["status"].text == "skipped")
                #expect(place.lines(of: "starts").count == 1)
            }
        }

        @Test("Replaces a worker stopped for longer than its lease; its results are stale")
        func stoppedWorker() async throws {
            try await atPlace { place in
                try place.tools(Self.slowAtFirst(idempotent: true))
                try await place.startCoordinator()
                let first = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                try await place.startWorker("w2")
                first.signal(SIGSTOP)
                let end = try await run.end(within: .seconds(25))
                #expect(end.code == 0)
                #expect(try end.document["nodes"]["a"]["output"].text == "again")
                // Now its tool ends too, and its result is not needed.
                try place.write("", to: "go")
                first.signal(SIGCONT)
                try await eventually("w1 is back with nothing to do") {
                    try await place.workers().contains {
                        $0["name"].text == "w1" && $0["state"].text == "ready"
                            && $0["in_flight"].number == 0
                    }
                }
                let id = try #require(try end.document["run"].text)
                let shown = try await place.weft("show", id, "a", "--json").document
                #expect(shown["output"].text == "again")
                #expect(shown["attempts"].number == 2)
                #expect(shown["worker"].text == "w2")
            }
        }

        @Test("A restarted coordinator finds its workers and its runs again, and their clients it")
        func restartedCoordinator() async throws {
            try await atPlace { place in
                try place.tools(Self.slowAtFirst(idempotent: true))
                let first = try await place.startCoordinator()
                try await place.startWorker("w1")
                try await place.startWorker("w2")
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan)
                try await place.wait(for: 1, linesOf: "starts")
                let before = try await place.weft("status", "--json").document["epoch"].number
                first.killGroup()
                try await run.line(with: "connection lost")
                try await place.startCoordinator(on: place.address)
                try await eventually("both workers are back") {
                    try await place.workers().filter { $0["state"].text == "ready" }.count == 2
                }
                let after = try await place.weft("status", "--json").document["epoch"].number
                #expect(after == before.map { $0 + 1 })
                try await run.line(with: "connected again")
                // The tool runs on: nothing is started a second time.
                try place.write("", to: "go")
                let end = try await run.end()
                #expect(end.code == 0 && end.output == "[work] first\n", "\(end.errors)")
                #expect(place.lines(of: "starts").count == 1)
                let again = try await place.weft("run", "--plan", plan)
                #expect(again.code == 0 && again.output == "[work] again\n")
            }
        }

        @Test("Two coordinators cannot share a state folder")
        func sharedState() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let second = try await place.weft("coordinator", "--listen", "127.0.0.1:0")
                #expect(second.code == 2)
                #expect(second.errors.contains(place.state))
            }
        }

        @Test("A stopping coordinator sends bye, and clients report it")
        func stoppedCoordinator() async throws {
            try await atPlace { place in
                let coordinator = try await place.startCoordinator()
                let worker = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "sleep", #"{"ms":60000}"#))
                let run = try place.start("run", "--plan", plan, "--reconnect", "0s")
                try await eventually("the node runs") {
                    try await place.workers().first?["in_flight"].number == 1
                }
                coordinator.signal(SIGTERM)
                #expect(try await coordinator.end().code == 0)
                #expect(try await run.end().code == 3)
                #expect(worker.isRunning, "it waits for the next coordinator")
            }
        }

        @Test("Ctrl-C cancels a run at a coordinator that continues")
        func remoteInterrupt() async throws {
            try await atPlace { place in
                try place.tools(EmbeddedTests.slow)
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "slow"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "pids")
                run.signal(SIGINT)
                let end = try await run.end()
                #expect(end.code == 130)
                #expect(try end.document["status"].text == "cancelled")
                let group = try #require(place.lines(of: "pids").first.flatMap { pid_t($0) })
                #expect(!Place.isAlive(group: group), "the tool's group is gone")
                let runs = try await place.weft("runs", "--json").document.list
                #expect(runs.first?["status"].text == "cancelled")
            }
        }

        @Test("A second Ctrl-C leaves a run that does not end")
        func secondRemoteInterrupt() async throws {
            try await atPlace { place in
                try place.tools(EmbeddedTests.slow)
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "stubborn"))
                let run = try place.start("run", "--plan", plan)
                try await place.wait(for: 1, linesOf: "pids")
                run.signal(SIGINT)
                try await run.line(with: "Cancelling")
                run.signal(SIGINT)
                #expect(try await run.end(within: .seconds(2)).code == 130)
            }
        }

        @Test("A second signal ends a worker at once, with its tools")
        func impatientWorker() async throws {
            try await atPlace { place in
                try place.tools(EmbeddedTests.slow)
                try await place.startCoordinator()
                let worker = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "stubborn"))
                _ = try await place.weft("run", "--plan", plan, "--detach")
                try await place.wait(for: 1, linesOf: "pids")
                worker.signal(SIGTERM)
                try await eventually("it drains") {
                    try await place.workers().first?["state"].text == "draining"
                }
                worker.signal(SIGTERM)
                #expect(try await worker.end(within: .seconds(5)).code == 130)
                let group = try #require(place.lines(of: "pids").first.flatMap { pid_t($0) })
                try await eventually("its tool is gone") { !Place.isAlive(group: group) }
            }
        }
    }
}
