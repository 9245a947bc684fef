// Remembered plans through the real program: `weft plans`, what planners are shown, a restart.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Plans that a coordinator remembers", .timeLimit(.minutes(Patience.factor)))
    struct PlanMemoryTests {
        private static let lima = planText(node("t1", "echo", #"{"of":"Lima"}"#))

        /// A coordinator and a worker, which are stopped before others take their place.
        private func restart(
            _ configuration: String,
            _ earlier: [WeftProcess],
            at place: Place
        ) async throws -> [WeftProcess] {
            for process in earlier {
                process.signal(SIGTERM)
                _ = try await process.end()
            }
            let coordinator = try await place.startCoordinator(with: ["--config", configuration])
            return [try await place.startWorker("w1"), coordinator]
        }

        @Test("Plans are added, shown to planners of similar goals after a restart, and forgotten")
        func memory() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                try server.script(
                    "Weather of Lima",
                    planner: [.text(Self.lima)],
                    joiner: [.answer("warm")]
                )
                try server.script(
                    "Weather of Rome",
                    planner: [.text(Self.lima)],
                    joiner: [.answer("warm")]
                )
                let configuration = try server.configuration()
                var processes = try await restart(configuration, [], at: place)
                let none = try await place.weft("plans")
                #expect(none.output.contains("weft plans add RUN"))

                let run = try await place.weft("run", "Weather of Lima", "--json")
                #expect(run.code == 0, "\(run.errors)")
                let id = try #require(try run.document["run"].text)
                let added = try await place.weft("plans", "add", id)
                #expect(added.code == 0, "\(added.errors)")
                #expect(added.output == "p1 is remembered: Weather of Lima\n  echo(of=\"Lima\")\n")
                let plan = try place.plan(
                    node("b", "echo", #"{"of":"$a"}"#),
                    node("a", "echo", #"{"of":1}"#)
                )
                let fromFile = try await place.weft(
                    "plans",
                    "add",
                    "--goal",
                    "Twice",
                    "--plan",
                    plan,
                    "--json"
                )
                #expect(fromFile.code == 0, "\(fromFile.errors)")
                #expect(
                    try fromFile.document["calls"].list.map(\.text) == [
                        "echo(of=1)", "echo(of=\"$1\")",
                    ]
                )

                processes = try await restart(configuration, processes, at: place)
                let listed = try await place.weft("plans", "list", "--json").document.list
                #expect(listed.map { $0["plan"].text } == ["p1", "p2"])
                #expect(listed[0]["run"].text == id)
                #expect(listed[0]["obstacle"].isAbsent)
                let near = try await place.weft("run", "Weather of Rome")
                #expect(near.code == 0, "\(near.errors)")
                let shown = try server.requests(for: "Weather of Rome").first?.text ?? ""
                #expect(shown.contains("Goal: Weather of Lima"))
                #expect(!shown.contains("Goal: Twice"))

                let forgotten = try await place.weft("plans", "forget", "p1")
                #expect(forgotten.output == "Forgotten: p1\n")
                let again = try await place.weft("plans", "forget", "p1")
                #expect(again.code == 2)
                #expect(again.errors.contains("No plan has the name p1"))
                let file = place.lines(of: "state/plans.jsonl")
                #expect(file.count == 1 && file[0].contains("Twice"))
                #expect(try await place.weft("plans", "forget", "--all").code == 0)
                // The file is written at most once a second.
                try await eventually("the file is empty") {
                    place.lines(of: "state/plans.jsonl").isEmpty
                }
                _ = processes
            }
        }

        @Test("What cannot be remembered is refused, and a damaged file is named with its line")
        func refusals() async throws {
            try await atPlace { place in
                let server = try await ModelServer(place)
                let configuration = try server.configuration()
                let processes = try await restart(configuration, [], at: place)
                let plan = try place.plan(node("a", "echo", #"{"of":1}"#))
                let run = try await place.weft("run", "--plan", plan, "--json").document
                for (arguments, code, words) in [
                    (["add"], 2, "Name a run, or give both --goal and --plan."),
                    (["add", "--goal", "x"], 2, "give both"),
                    (["add", "nosuchrun"], 2, "No run has the id nosuchrun"),
                    (["add", run["run"].text ?? ""], 2, "it has no goal"),
                    (["add", "--goal", "x", "--plan", configuration], 2, "weft.yaml"),
                    (["forget"], 2, "or --all"),
                ] as [([String], Int, String)] {
                    let refused = try await place.start(["plans"] + arguments).end()
                    #expect(refused.code == code, "\(arguments): \(refused.errors)")
                    #expect(refused.errors.contains(words), "\(refused.errors)")
                }
                for process in processes {
                    process.signal(SIGTERM)
                    _ = try await process.end()
                }
                let folder = "\(place.folder)/state/plans.jsonl"
                try FileManager.default.createDirectory(
                    atPath: folder,
                    withIntermediateDirectories: false
                )
                let noFile = try await place.weft("coordinator", "--listen", "127.0.0.1:0")
                #expect(noFile.code == 2)
                #expect(noFile.errors.contains("plans.jsonl is no file"))
                try FileManager.default.removeItem(atPath: folder)
                try place.write("\n{\"plan\":\"p1\"}\n", to: "state/plans.jsonl")
                let coordinator = try await place.weft(
                    "coordinator",
                    "--listen",
                    "127.0.0.1:0",
                    "--config",
                    configuration
                )
                #expect(coordinator.code == 2)
                #expect(coordinator.errors.contains("plans.jsonl:2 is no remembered plan"))
            }
        }
    }
}
