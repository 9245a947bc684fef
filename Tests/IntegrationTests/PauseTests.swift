// Processes that are stopped for a while and continue: none of them counts its own absence as the
// silence of others. (SIGSTOP and SIGCONT.)
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("Pauses", .timeLimit(.minutes(2 * Patience.factor)))
    struct PauseTests {
        /// Runs as long as the test wants and must not run twice.
        static let effect = """
            tools:
              - name: work
                description: Waits for a word of the test.
                command:
                  - sh
                  - -c
                  - 'echo $$ >> FOLDER/starts; until [ -e FOLDER/go ]; do sleep 0.05; done; echo done'
            """

        @Test("A coordinator stopped for longer than a lease loses no worker and no outcome")
        func stoppedCoordinator() async throws {
            try await atPlace { place in
                try place.tools(Self.effect)
                let coordinator = try await place.startCoordinator()
                try await place.startWorker("w1")
                try await place.startWorker("w2")
                let plan = try place.plan(
                    node("a", "work"),
                    node("b", "work"),
                    node("c", "echo", #"{"of":["$a","$b"]}"#)
                )
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 2, linesOf: "starts")
                coordinator.signal(SIGSTOP)
                try place.write("", to: "go")
                try await Task.sleep(for: .seconds(12))
                coordinator.signal(SIGCONT)
                let end = try await run.end(within: .seconds(30))
                #expect(end.code == 0, "\(end.errors)")
                #expect(try end.document["nodes"]["c"]["output"]["of"].list.count == 2)
                #expect(place.lines(of: "starts").count == 2)
                try await eventually("both workers are there") {
                    try await place.workers().filter { $0["state"].text == "ready" }.count == 2
                }
            }
        }

        @Test("A worker stopped within its lease reads before it decides")
        func stoppedWorker() async throws {
            try await atPlace { place in
                try place.tools(Self.effect)
                try await place.startCoordinator()
                let worker = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                worker.signal(SIGSTOP)
                try await Task.sleep(for: .seconds(8))
                worker.signal(SIGCONT)
                try await eventually("it is heard again") {
                    try await place.workers().allSatisfy { $0["state"].text == "ready" }
                }
                try place.write("", to: "go")
                let end = try await run.end(within: .seconds(30))
                #expect(end.code == 0, "\(end.errors)")
                #expect(!worker.errors.contains("silent"), "\(worker.errors)")
                #expect(!place.hasSaid("worker resumed"))
                #expect(!place.hasSaid("worker left"))
            }
        }

        @Test("A client stopped within its lease follows its run to the end")
        func stoppedClient() async throws {
            try await atPlace { place in
                try place.tools(Self.effect)
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan, "--json")
                try await place.wait(for: 1, linesOf: "starts")
                run.signal(SIGSTOP)
                try await Task.sleep(for: .seconds(8))
                try place.write("", to: "go")
                run.signal(SIGCONT)
                let end = try await run.end(within: .seconds(30))
                #expect(end.code == 0, "\(end.errors)")
            }
        }

        @Test("A client that does not connect again says how to follow its run")
        func endedCoordinator() async throws {
            try await atPlace { place in
                try place.tools(Self.effect)
                let coordinator = try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("a", "work"))
                let run = try place.start("run", "--plan", plan, "--reconnect", "0s")
                try await place.wait(for: 1, linesOf: "starts")
                coordinator.signal(SIGTERM)
                let end = try await run.end()
                #expect(end.code == 3)
                #expect(end.errors.contains("also when the coordinator is started again"))
                #expect(end.errors.contains("weft watch"), "\(end.errors)")
            }
        }
    }
}
