// Tools of a manifest in a run: their output while they run, persistent ones, failures.
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("Tools of a manifest", .timeLimit(.minutes(Patience.factor)))
    struct ToolTests {
        @Test("Shows a tool's output while it runs")
        func streams() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: talk
                        description: Waits for a file, talks, waits for another.
                        command:
                          - sh
                          - -c
                          - 'until [ -e FOLDER/heard ]; do sleep 0.02; done; echo one; printf tw
                            ; sleep 0.05; echo o; echo oh >&2
                            ; until [ -e FOLDER/go ]; do sleep 0.02; done; printf end'
                    """
                )
                try await place.startCoordinator()
                try await place.startWorker("w1")
                let plan = try place.plan(node("t", "talk"))
                let run = try place.start("run", "--plan", plan)
                var id = ""
                try await eventually("the run is known") {
                    id = try await place.weft("runs", "--json").document[0]["run"].text ?? ""
                    return !id.isEmpty
                }
                let watch = try place.start("watch", id)
                let events = try place.start("watch", id, "--json")
                for watcher in [watch, events] { try await watcher.outputLine(with: "snapshot") }
                try place.write("", to: "heard")
                try await watch.outputLine(with: "t | one")
                try await watch.outputLine(with: "t | two")
                try await watch.outputLine(with: "t ! oh")
                #expect(watch.isRunning && run.isRunning)
                try place.write("", to: "go")
                let end = try await run.end()
                #expect(end.code == 0)
                #expect(end.output == "[talk] one\ntwo\nend\n")
                let watched = try await watch.end()
                #expect(watched.code == 0)
                #expect(watched.output.contains("t | end"))
                #expect(watched.output.contains("run_succeeded"))
                let lines = try await events.end().output.split(separator: "\n")
                let kinds = try lines.map { try Document(parsing: String($0))["kind"].text }
                #expect(kinds.last == "run_succeeded")
                #expect(kinds.filter { $0 == "run_succeeded" }.count == 1)
                #expect(kinds.contains("chunk"))
            }
        }

        @Test("A persistent tool serves one call after the other in one process")
        func persistent() async throws {
            try await atPlace { place in
                try place.write(
                    """
                    import json, os, sys
                    calls = 0
                    for line in sys.stdin:
                        request = json.loads(line)
                        calls += 1
                        output = {"pid": os.getpid(), "calls": calls, "args": request["args"]}
                        print(json.dumps({"id": request["id"], "output": output}), flush=True)
                    """,
                    to: "serve.py"
                )
                try place.tools(
                    """
                    tools:
                      - name: serve
                        description: Counts its calls.
                        command: [python3, FOLDER/serve.py]
                        persistent: true
                        concurrency: 1
                    """
                )
                let plan = try place.plan(
                    node("a", "serve", #"{"n":1}"#),
                    node("b", "serve", #"{"of":"${a.calls}"}"#),
                    node("c", "serve", #"{"of":"${b.calls}"}"#)
                )
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    "--workers",
                    "1",
                    "--join",
                    "json"
                )
                #expect(run.code == 0)
                let answer = try run.document
                #expect(["a", "b", "c"].map { answer[$0]["calls"].number } == [1, 2, 3])
                #expect(answer["c"]["args"]["of"].number == 2)
                #expect(answer["a"]["pid"].number == answer["c"]["pid"].number)
                #expect(place.marked().isEmpty, "the tool's process ended with its worker")
            }
        }

        @Test("Reports how a tool failed: exit code, signal, the end of standard error")
        func failures() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: exits
                        description: Fails.
                        command: [sh, -c, 'echo no network >&2; exit 3']
                      - name: dies
                        description: Dies.
                        command: [sh, -c, 'kill -9 $$']
                      - name: hangs
                        description: Takes too long.
                        command: [sleep, "60"]
                        timeout: 200ms
                    """
                )
                let plan = try place.plan(
                    node("a", "exits"),
                    node("b", "dies"),
                    node("c", "hangs")
                )
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    "--json"
                )
                #expect(run.code == 1)
                let nodes = try run.document["nodes"]
                #expect(nodes["a"]["error"]["exit_code"].number == 3)
                #expect(nodes["a"]["error"]["stderr_tail"].text == "no network\n")
                #expect(nodes["b"]["error"]["signal"].number == 9)
                #expect(nodes["c"]["error"]["code"].text == "timeout")
            }
        }

        @Test("Passes arguments to a program unchanged")
        func hostileArguments() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: say
                        description: Says a text.
                        parameters: {type: object, properties: {text: {type: string}}}
                        command: [printf, "%s|", "{text}", "<{text}>"]
                    """
                )
                let text = #"$(touch FOLDER/owned) `id` ; rm -rf x && "q" 'p' \\ {text} * ~ ä"#
                let quoted = String(
                    decoding: try JSONEncoder().encode(["text": text]),
                    as: UTF8.self
                )
                let plan = try place.plan(node("a", "say", quoted))
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    "--join",
                    "json"
                )
                #expect(run.code == 0)
                #expect(try run.document["a"].text == "\(text)|<\(text)>|")
            }
        }
    }
}
