// Launches of workers on this host: their life, orders from other commands, and what is said about
// mistakes. Other hosts are in Tests/Hosts.
import Foundation
import Glibc
import Testing

extension Integration {
    @Suite("Launches")
    struct LaunchTests {
        private func hosts(_ place: Place, _ workers: String = "local: 2") throws -> String {
            try place.write(
                """
                coordinator: {listen: "127.0.0.1:0"}
                workers: [{\(workers), diagnostics: true, slots: 2}]
                """,
                to: "hosts.yaml"
            )
        }

        /// The workers of the running launch by name, with their states.
        private func states(_ place: Place) async throws -> [String: String] {
            let outcome = try await place.weft("launch", "--status", "--json")
            guard outcome.code == 0 else { return [:] }
            var states: [String: String] = [:]
            for worker in try outcome.document["workers"].list {
                states[worker["name"].text ?? ""] = worker["state"].text
            }
            return states
        }

        private func wait(_ place: Place, for expected: [String: String]) async throws {
            try await eventually("the workers are \(expected)") {
                try await states(place) == expected
            }
        }

        /// Workers and launches of a place.
        private func processes(_ place: Place) -> [pid_t] { place.marked() }

        private func isWorker(_ process: pid_t) -> Bool {
            let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline")
            return String(decoding: line ?? Data(), as: UTF8.self).contains("worker\0--join")
        }

        @Test("Workers start, are scaled, started again, and drained; nothing is left")
        func life() async throws {
            try await atPlace { place in
                let launch = try place.start("launch", try hosts(place))
                try await wait(
                    place,
                    for: ["hosts-local-1": "running", "hosts-local-2": "running"]
                )
                let scaled = try await place.weft("launch", "--scale", "local=1")
                #expect(scaled.code == 0, "\(scaled.errors)")
                try await wait(place, for: ["hosts-local-1": "running", "hosts-local-2": "ended"])
                let worker = try #require(processes(place).first { isWorker($0) })
                kill(worker, SIGKILL)
                try await launch.line(with: "hosts-local-1 ended: it ended with status 137")
                // A quick start may be over before it is shown; the pause before it is not.
                try await launch.outputLine(with: "hosts-local-1 waiting")
                try await wait(place, for: ["hosts-local-1": "running", "hosts-local-2": "ended"])
                let down = try await place.weft("launch", "--down")
                #expect(down.output == "The launch hosts has ended.\n")
                #expect(try await launch.end().code == 0)
                #expect(launch.output.contains("hosts-local-1 ended this host"))
                #expect(processes(place).isEmpty)
                #expect(place.lines(of: "state/launches/hosts/status.json").isEmpty)
            }
        }

        @Test("An interrupt drains, and a second one stops")
        func interrupts() async throws {
            try await atPlace { place in
                let launch = try place.start("launch", try hosts(place), "--json")
                try await launch.outputLine(with: #""state":"running""#)
                launch.signal(SIGINT)
                #expect(try await launch.end().code == 0)
                let second = try place.start("launch", try hosts(place))
                try await wait(
                    place,
                    for: ["hosts-local-1": "running", "hosts-local-2": "running"]
                )
                second.signal(SIGQUIT)
                #expect(try await second.end().code == 130)
                #expect(processes(place).isEmpty)
            }
        }

        @Test("A third interrupt leaves what does not end; that ends by itself later")
        func thirdInterrupt() async throws {
            try await atPlace { place in
                let launch = try place.start("launch", try hosts(place, "local: 1"))
                try await wait(place, for: ["hosts-local-1": "running"])
                let worker = try #require(processes(place).first { isWorker($0) })
                kill(worker, SIGSTOP)
                defer { kill(worker, SIGCONT) }
                launch.signal(SIGINT)
                try await launch.line(with: "draining; a second Ctrl-C stops at once")
                launch.signal(SIGINT)
                try await launch.line(with: "stopping; another Ctrl-C leaves what has not ended")
                launch.signal(SIGINT)
                #expect(try await launch.end(within: .seconds(5)).code == 130)
                kill(worker, SIGCONT)
                try await eventually("all processes end") { processes(place).isEmpty }
            }
        }

        @Test("--detach does not wait for ever, and tells what does not run")
        func detachLimit() async throws {
            try await atPlace { place in
                let path = try place.write(
                    """
                    coordinator: {listen: "127.0.0.1:0", address: "127.0.0.1:1"}
                    workers: [{local: 1, diagnostics: true}, {local: 0, min: 0, max: 1,
                        name: none, diagnostics: true}]
                    """,
                    to: "hosts.yaml"
                )
                let begun = try await place.weft("launch", path, "--detach", "--wait", "1s")
                #expect(begun.code == 0, "\(begun.errors)")
                #expect(begun.errors.contains("after 1s 1 of 1 workers do not run yet;"))
                #expect(try await states(place) == ["hosts-local-1": "starting"])
                #expect(try await place.weft("launch", "--down").code == 0)
                let waiting = try place.start("launch", path, "--detach")
                try await wait(place, for: ["hosts-local-1": "starting"])
                waiting.signal(SIGINT)
                let interrupted = try await waiting.end()
                #expect(interrupted.code == 130)
                #expect(interrupted.errors.contains("The launch goes on in the background."))
                #expect(try await place.weft("launch", "--down").code == 0)
            }
        }

        @Test("A launch in the background goes on, and when it is killed its workers end")
        func background() async throws {
            try await atPlace { place in
                let begun = try await place.weft("launch", try hosts(place), "--detach")
                #expect(begun.code == 0, "\(begun.errors)")
                #expect(begun.output.contains("hosts-local-2  running"))
                let again = try await place.weft("launch", try hosts(place))
                #expect(again.code == 2)
                #expect(again.errors.contains("The launch hosts runs already."))
                let log = place.lines(of: "state/launches/hosts.log")
                #expect(!log.isEmpty)
                let behind = try await place.weft("launch", try hosts(place), "--detach")
                #expect(behind.code == 1)
                #expect(behind.errors.contains("The launch hosts runs already."))
                #expect(place.lines(of: "state/launches/hosts.log") == log, "it keeps its log")
                let names = try FileManager.default.contentsOfDirectory(
                    atPath: "\(place.folder)/state/launches"
                )
                #expect(names.sorted() == ["hosts", "hosts.log"])
                let launcher = try #require(
                    processes(place).first { pid in
                        let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
                        return String(decoding: line ?? Data(), as: UTF8.self)
                            .contains("--in-background")
                    }
                )
                kill(launcher, SIGKILL)
                try await eventually("all processes end") { processes(place).isEmpty }
                let status = try await place.weft("launch", "--status")
                #expect(status.code == 2)
                #expect(
                    status.errors == "error: No launch runs. Start one: weft launch hosts.yaml\n"
                )
            }
        }

        @Test("A group grows while nodes wait for its slots, and shrinks when they are done")
        func elastic() async throws {
            try await atPlace { place in
                let group =
                    "local: 1, min: 1, max: 3, scale_after: 500ms, idle_timeout: 1s, name: pool, "
                    + "labels: {kind: pool}"
                try place.write(
                    """
                    coordinator: {listen: "127.0.0.1:0"}
                    workers: [{\(group), diagnostics: true, slots: 1}]
                    """,
                    to: "hosts.yaml"
                )
                let path = "\(place.folder)/hosts.yaml"
                let launch = try place.start("launch", path)
                let line = try await launch.line(with: "the coordinator listens on ")
                let address = String(line.split(separator: " ").last ?? "")
                try await wait(place, for: ["hosts-pool-1": "running"])
                let nodes = (1...3).map {
                    #"{"id":"n\#($0)","tool_name":"sleep","args":{"ms":8000},"#
                        + #""requires":{"kind":"pool"}}"#
                }
                let scaled = try await place.weft("launch", "--scale", "pool=4")
                #expect(scaled.code == 2)
                #expect(scaled.errors.contains("The group pool has from 1 to 3 workers"))
                let plan = try place.write("{\"tasks\":[\(nodes.joined(separator: ","))]}", to: "p")
                let run = try place.start("run", "--plan", plan, "--coordinator", address)
                try await launch.line(with: "pool has 3 workers from now on, because nodes wait")
                try await wait(
                    place,
                    for: [
                        "hosts-pool-1": "running", "hosts-pool-2": "running",
                        "hosts-pool-3": "running",
                    ]
                )
                #expect(try await run.end(within: .seconds(30)).code == 0)
                try await wait(
                    place,
                    for: [
                        "hosts-pool-1": "running", "hosts-pool-2": "ended", "hosts-pool-3": "ended",
                    ]
                )
                #expect(try await place.weft("launch", "--down").code == 0)
                try await launch.end()
            }
        }

        @Test("A worker whose tools are wrong is named with the reason, and is not tried again")
        func wrongTools() async throws {
            try await atPlace { place in
                try place.write("tools: [{name: a}]", to: "bad.yaml")
                try place.write(
                    "workers: [{local: 1, tools: bad.yaml}]",
                    to: "hosts.yaml"
                )
                let outcome = try await place.weft("launch", "\(place.folder)/hosts.yaml")
                #expect(outcome.code == 2)
                #expect(outcome.errors.contains("bad.yaml: line 1: a: command: is missing."))
            }
        }

        @Test("A dry run shows every command, also as JSON, and runs none")
        func dryRun() async throws {
            try await atPlace { place in
                let path = try place.write(
                    """
                    coordinator: {listen: "127.0.0.1:0"}
                    workers:
                      - {local: 1, diagnostics: true}
                      - {ssh: [me@a], diagnostics: true}
                      - {slurm: {nodes: 1}, diagnostics: true, min: 0, max: 1}
                      - {container: {image: weft, runtime: podman}, diagnostics: true}
                    """,
                    to: "hosts.yaml"
                )
                let shown = try await place.weft("launch", path, "--dry-run", "--tunnel")
                #expect(shown.code == 0, "\(shown.errors)")
                for words in [
                    "weft coordinator --listen", "\nssh ", "-O forward", "sbatch --parsable",
                    "squeue --noheader", "scontrol --oneliner show job NUMBER",
                    "scancel --state=PENDING NUMBER", "scancel --signal=TERM NUMBER",
                    "scancel --me --name=hosts-", "podman --version", "podman run --rm",
                    "podman rm --force hosts-container-1-",
                ] {
                    #expect(shown.output.contains(words), "\(words)")
                }
                let json = try await place.weft("launch", path, "--dry-run", "--tunnel", "--json")
                let commands = try json.document["commands"].list
                #expect(commands.first?["host"].text == "the coordinator")
                #expect(commands.contains { $0["when"].text == "to start hosts-local-1" })
                #expect(
                    commands.allSatisfy { shown.output.contains("# \($0["when"].text ?? ""):\n") }
                )
                #expect(!FileManager.default.fileExists(atPath: "\(place.folder)/state/launches"))
            }
        }

        @Test("Mistakes on the command line say what to write")
        func mistakes() async throws {
            try await atPlace { place in
                let file = try hosts(place)
                for (arguments, words) in [
                    (["launch"], "Name the file that says where workers run"),
                    (["launch", "nothing.yaml"], "nothing.yaml: There is no such file."),
                    (["launch", file, "--now"], "--now is for --down."),
                    (["launch", "--scale", "local"], "write it as group=number"),
                    (["launch", file, "--status", "--down"], "are for one command each"),
                    (["launch", file, "--tunnel"], "--tunnel is for ssh groups"),
                    (["launch", file, "--wait", "1s"], "--wait is for --detach."),
                    (["launch", file, "--scale", "local=1"], "No launch hosts runs."),
                ] {
                    let outcome = try await place.start(arguments).end()
                    #expect(outcome.code == 2, "\(arguments)")
                    #expect(outcome.errors.contains(words), "\(arguments): \(outcome.errors)")
                }
            }
        }
    }
}
