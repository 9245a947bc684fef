// `weft explain` with a real cluster: every waiting node has a reason.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Explaining", .timeLimit(.minutes(Patience.factor)))
    struct ExplainTests {
        private static func on(_ part: String) -> String { #","requires":{"part":"\#(part)"}"# }

        /// Starts a detached run, and returns its id.
        private func detach(_ place: Place, _ nodes: String...) async throws -> String {
            let name = "plan-\(UUID().uuidString).json"
            try place.write("{\"tasks\":[\(nodes.joined(separator: ","))]}", to: name)
            let run = try await place.weft(
                "run",
                "--plan",
                "\(place.folder)/\(name)",
                "--on-missing-tool",
                "wait",
                "--detach"
            )
            #expect(run.code == 0, "\(run.errors)")
            return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        /// The first reason of each waiting node.
        private func reasons(_ place: Place, _ run: String) async throws -> [String: Document] {
            let explained = try await place.weft("explain", run, "--json").document
            var reasons: [String: Document] = [:]
            for node in explained["nodes"].list {
                reasons[node["id"].text ?? ""] = node["reasons"][0]
            }
            return reasons
        }

        @Test("Reports each reason to wait, with what the node waits for")
        func each() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1", slots: 1, labels: ["part=one"])
                try await place.startWorker("w2", slots: 1, labels: ["part=two"])
                let long = #"{"ms":600000}"#
                let first = try await detach(place, node("hold", "sleep", long, Self.on("one")))
                try await eventually("hold runs") {
                    try await reasons(place, first)["hold"]?["code"].text == "running"
                }
                let run = try await detach(
                    place,
                    node("busy", "echo", "{}", Self.on("one")),
                    node("behind", "echo", #"{"of":"$busy"}"#),
                    node("nobody", "nothing"),
                    node("labelled", "echo", "{}", Self.on("three")),
                    node(
                        "again",
                        "fail",
                        #"{"times":50,"retryable":true}"#,
                        #","max_attempts":100"# + Self.on("two")
                    )
                )
                let expected = [
                    "busy": ("slots_busy", "w1"), "behind": ("dependencies", "busy"),
                    "nobody": ("tool_missing", "nothing"), "labelled": ("labels_missing", "three"),
                    "again": ("backing_off", "ms"),
                ]
                try await eventually("again is tried again") {
                    try await reasons(place, run)["again"]?["code"].text == "backing_off"
                }
                let found = try await reasons(place, run)
                for (id, (code, word)) in expected where id != "again" {
                    #expect(found[id]?["code"].text == code, "\(id): \(found)")
                    #expect(found[id]?["message"].text?.contains(word) == true, "\(id): \(found)")
                }
                let told = try await place.weft("explain", run)
                for (_, word) in expected.values { #expect(told.output.contains(word)) }

                let held = try await detach(place, node("hold", "sleep", long, Self.on("two")))
                try await eventually("w2 is taken") {
                    try await reasons(place, held)["hold"]?["code"].text == "running"
                }
                #expect(try await place.weft("drain", "w2").code == 0)
                let late = try await detach(place, node("late", "echo", "{}", Self.on("two")))
                let why = try await reasons(place, late)["late"]
                #expect(why?["code"].text == "workers_draining")
                #expect(why?["message"].text?.contains("w2") == true)
            }
        }

        @Test("Counts every node of hundreds that wait, and lists failed ones first")
        func many() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                try await place.startWorker("w1", slots: 4)
                let waiting = (0..<300).map { node("n\($0)", "sleep", #"{"ms":60000}"#) }
                let failing = node("bad", "fail", #"{"message":"no luck"}"#)
                let tasks = ([failing] + waiting).joined(separator: ",")
                let path = try place.write("{\"tasks\":[\(tasks)]}", to: "many.json")
                let submitted = try await place.weft("run", "--plan", path, "--detach")
                let run = submitted.output.trimmingCharacters(in: .newlines)
                var explained = try await place.weft("explain", run, "--json")
                try await eventually("bad has failed and four nodes run") {
                    explained = try await place.weft("explain", run, "--json")
                    return try explained.document["total"].number == 300
                        && explained.document["groups"].list.contains {
                            $0["status"].text == "running" && $0["count"].number == 4
                        }
                }
                let document = try explained.document
                let counted = document["groups"].list.compactMap { $0["count"].number }
                    .reduce(0, +)
                #expect(counted + (document["left_out"].number ?? 0) == 300)
                let told = try await place.weft("explain", run)
                #expect(told.output.contains(" × sleep (ready): all slots are busy on w1"))
                #expect(told.output.contains("300 nodes do not go on"), "\(told.output)")
                #expect(told.output.split(separator: "\n").count < 10)
                let shown = try await place.weft("show", run, "--limit", "3")
                let rows = shown.output.components(separatedBy: "NODE ").last ?? ""
                let names = rows.split(separator: "\n").dropFirst().map { $0.prefix { $0 != " " } }
                #expect(names.first == "bad", "\(shown.output)")
                let failed = try await place.weft("show", run, "--status", "failed")
                #expect(failed.output.contains("no luck") && !failed.output.contains("n1 "))
                #expect(try await place.weft("cancel", run).code == 0)
            }
        }
    }
}
