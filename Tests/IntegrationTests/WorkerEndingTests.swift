// How workers end by themselves: with their standard input, after idleness, at a time limit; and
// how they find one of several coordinators.
import Foundation
import Testing

extension Integration {
    @Suite("Ends of workers")
    struct WorkerEndingTests {
        /// Starts a worker behind a pipe whose writer lives until the file `open` is removed.
        private func startBehindPipe(_ place: Place, _ orders: String = "") throws -> WeftProcess {
            try place.write("", to: "open")
            let script = """
                { \(orders) while [ -e '\(place.folder)/open' ]; do sleep 0.05; done; } |
                '\(Place.weft)' worker --diagnostics --name w1 --slots 2 --exit-with-stdin
                """
            return try place.start("-c", script, program: "/bin/sh")
        }

        private func waitForWorker(_ place: Place) async throws {
            try await eventually("the worker is ready") {
                try await place.workers().contains { $0["state"].text == "ready" }
            }
        }

        @Test("A worker ends when its standard input does, and with it what it runs")
        func endOfInput() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let worker = try startBehindPipe(place)
                try await waitForWorker(place)
                let plan = try place.plan(
                    #"{"id":"a","tool_name":"sleep","args":{"ms":600000},"max_attempts":1}"#
                )
                let run = try place.start("run", "--plan", plan, "--coordinator", place.address)
                try await eventually("the node runs") {
                    try await place.workers().first?["in_flight"].number == 1
                }
                try FileManager.default.removeItem(atPath: "\(place.folder)/open")
                try await eventually("the worker has ended", within: .seconds(15)) {
                    !worker.isRunning
                }
                #expect(worker.errors.contains("What started the worker has ended."))
                run.signal(SIGINT)
            }
        }

        @Test("The line drain on standard input drains, although the input goes on")
        func drainLine() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let go = "\(place.folder)/go"
                let worker = try startBehindPipe(
                    place,
                    "while [ ! -e '\(go)' ]; do sleep 0.05; done; echo drain;"
                )
                try await waitForWorker(place)
                try place.write("", to: "go")
                try await worker.line(with: "The worker was asked to end.")
                try await eventually("the worker has left") { try await place.workers().isEmpty }
                try FileManager.default.removeItem(atPath: "\(place.folder)/open")
                try await worker.end()
            }
        }

        @Test("An input that is a file or empty ends the worker too")
        func emptyInput() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let worker = try place.start("worker", "--diagnostics", "--exit-with-stdin")
                #expect(try await worker.end().code == 0)
            }
        }

        @Test("An idle worker leaves by itself, and so does one whose time is over")
        func leaves() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let idle = try place.start(
                    ["worker", "--diagnostics", "--name", "idle", "--idle-timeout", "300ms"]
                )
                try await idle.line(with: "has run nothing")
                #expect(try await idle.end().code == 0)
                let limited = try place.start(
                    ["worker", "--diagnostics", "--name", "limited", "--time-limit", "2s"]
                )
                try await limited.line(with: "time limit is near")
                #expect(try await limited.end().code == 0)
            }
        }

        @Test("Of several coordinators the one that is there gets the worker")
        func severalCoordinators() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let list = "127.0.0.1:1,\(place.address)"
                _ = try place.start(
                    ["worker", "--diagnostics", "--name", "w1", "--coordinator", list]
                )
                try await waitForWorker(place)
                let bad = try await place.weft("worker", "--diagnostics", "--coordinator", "a:1,b")
                #expect(bad.code == 2)
                #expect(bad.errors.contains("--coordinator: \"b\" has no port"))
            }
        }
    }
}
