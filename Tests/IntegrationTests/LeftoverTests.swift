// For every end of a worker, its keeper, its coordinator or a run: no process of a tool, no folder
// and no descriptor remains.
import Foundation
import Glibc
import TestKit
import Testing

/// Tools that write the numbers of their processes to a file and run for long.
private let kinds = """
    tools:
      - name: plain
        description: Runs for long.
        command: [sh, -c, 'echo $$ >> FOLDER/pids; exec sleep 1000']
        idempotent: true
      - name: parent
        description: Has a child.
        command: [sh, -c, 'sh -c "echo \\$\\$ >> FOLDER/pids; exec sleep 1000" & sleep 1000']
        idempotent: true
      - name: deaf
        description: Ignores what asks it to end.
        command:
          - sh
          - -c
          - 'trap "" TERM INT HUP QUIT; echo $$ >> FOLDER/pids; while :; do sleep 1; done'
        idempotent: true
      - name: escaping
        description: Has a child in a session of its own, without a trace in its environment.
        command:
          - sh
          - -c
          - 'env -i setsid sh -c "echo \\$\\$ >> FOLDER/pids; exec sleep 1000" & sleep 1000'
        idempotent: true
      - name: daemon
        description: Leaves a daemon behind at once, and ends later.
        command:
          - sh
          - -c
          - '(setsid sh -c "cd /; echo \\$\\$ >> FOLDER/pids; exec sleep 1000" &) & sleep 1000'
        idempotent: true
      - name: staying
        description: A process that stays, with a child in a session of its own.
        command:
          - python3
          - -c
          - |
            import os, subprocess, sys, time
            pids = open("FOLDER/pids", "a")
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            open("left", "w").write("left")
            pids.write(str(os.getpid()) + chr(10) + str(child.pid) + chr(10))
            pids.flush()
            time.sleep(1000)
        persistent: true
        idempotent: true
    """

private let kindNames = ["plain", "parent", "deaf", "escaping", "daemon", "staying"]
/// Processes that write their numbers to a file; the persistent one also writes its child's.
private let writers = 7

/// The ways to end the tools of a worker.
private enum WorkerEnding: String, CaseIterable, CustomTestStringConvertible {
    case termTwice, intTwice, hangUpTwice, quit, kill, stopAndKill, abort
    case killKeeper, killKeeperAndWorker, killAllKeepers, killAllOfThem
    case killCoordinator
    case timeout, cancel, drainDeadline

    var testDescription: String { rawValue }

    /// Whether the worker continues.
    var sparesWorker: Bool {
        switch self {
        case .killKeeper, .killAllKeepers, .killCoordinator, .timeout, .cancel: true
        default: false
        }
    }
}

/// The ways to end a run with a cluster of its own.
private enum RunEnding: String, CaseIterable, CustomTestStringConvertible {
    case intTwice, termTwice, hangUpTwice, quit, kill, stopAndKill, abort, killWorkers, timeout

    var testDescription: String { rawValue }
}

extension Integration {
    @Suite("Nothing is left behind", .timeLimit(.minutes(3 * Patience.factor)))
    struct LeftoverTests {
        private func plan(_ place: Place, _ more: String = "") throws -> String {
            let nodes = kindNames.map { node($0, $0, "{}", #","max_attempts":1"# + more) }
            return try place.write(
                "{\"tasks\":[\(nodes.joined(separator: ","))]}",
                to: "plan.json"
            )
        }

        @Test("For every end of a worker", arguments: WorkerEnding.allCases)
        private func worker(_ ending: WorkerEnding) async throws {
            try await expectNothingIsLeft(after: ending)
        }

        @Test(
            "For every end of a worker that is not root",
            .enabled(if: OrdinaryUser.isAvailable, "\(OrdinaryUser.need)"),
            arguments: [WorkerEnding.kill, .termTwice, .killAllKeepers]
        )
        private func ordinaryWorker(_ ending: WorkerEnding) async throws {
            try await expectNothingIsLeft(after: ending, isOrdinaryUser: true)
        }

        private func expectNothingIsLeft(
            after ending: WorkerEnding,
            isOrdinaryUser: Bool = false
        ) async throws {
            try await atPlace { place in
                try place.tools(kinds)
                let config = try place.write(
                    "limits: {heartbeat: 300ms, lease: 1500ms, resume_window: 1s}\n",
                    to: "limits.yaml"
                )
                let coordinator = try await place.startCoordinator(with: ["--config", config])
                let worker = try await place.startWorker(
                    "w",
                    slots: 8,
                    isOrdinaryUser: isOrdinaryUser
                )
                let before = Set(descriptors(of: worker.pid))
                let timeout = ending == .timeout ? #","timeout_ms":2000"# : ""
                let run = try place.start("run", "--plan", try plan(place, timeout))
                try await place.wait(for: writers, linesOf: "pids")
                try await bringAbout(ending, place, coordinator, worker, run)
                try await expectNothingIsLeft(place, ending.rawValue)
                #expect(worker.isRunning == ending.sparesWorker)
                guard ending.sparesWorker else { return }
                try await eventually("the worker closes its descriptors") {
                    descriptors(of: worker.pid).count <= before.count + 1
                }
                guard ending != .killCoordinator else { return }
                try await expectWorks(place)
            }
        }

        private func bringAbout(
            _ ending: WorkerEnding,
            _ place: Place,
            _ coordinator: WeftProcess,
            _ worker: WeftProcess,
            _ run: WeftProcess
        ) async throws {
            func twice(_ signal: Int32) async throws {
                worker.signal(signal)
                try await worker.line(with: "draining")
                worker.signal(signal)
            }
            switch ending {
            case .termTwice: try await twice(SIGTERM)
            case .intTwice: try await twice(SIGINT)
            case .hangUpTwice: try await twice(SIGHUP)
            case .quit: worker.signal(SIGQUIT)
            case .kill: worker.signal(SIGKILL)
            case .abort: worker.signal(SIGABRT)
            case .stopAndKill:
                worker.signal(SIGSTOP)
                worker.signal(SIGKILL)
            case .killKeeper, .killKeeperAndWorker:
                let keepers = keepers(of: place).filter { parent(of: $0) == worker.pid }
                #expect(keepers.count == 1)
                if ending == .killKeeperAndWorker { worker.signal(SIGSTOP) }
                for keeper in keepers { kill(keeper, SIGKILL) }
                if ending == .killKeeperAndWorker { worker.signal(SIGKILL) }
            case .killAllKeepers, .killAllOfThem:
                let keepers = keepers(of: place)
                #expect(keepers.count == 1 + kindNames.count)
                // All at once, so that none has time to react.
                for keeper in keepers { kill(keeper, SIGSTOP) }
                if ending == .killAllOfThem { worker.signal(SIGKILL) }
                for keeper in keepers { kill(keeper, SIGKILL) }
            case .killCoordinator: coordinator.signal(SIGKILL)
            case .timeout: break
            case .cancel: run.signal(SIGINT)
            case .drainDeadline: _ = try await place.weft("drain", "w", "--deadline", "200ms")
            }
            guard !ending.sparesWorker else { return }
            try await eventually("the worker is gone") { !worker.isRunning }
            // Remains that only the next worker can find.
            guard ending == .killAllOfThem || ending == .killKeeperAndWorker else { return }
            try await place.startWorker("next")
        }

        @Test("For every end of a run with its own cluster", arguments: RunEnding.allCases)
        private func run(_ ending: RunEnding) async throws {
            try await atPlace { place in
                try place.tools(kinds)
                let timeout = ending == .timeout ? #","timeout_ms":2000"# : ""
                let run = try place.start(
                    "run",
                    "--plan",
                    try plan(place, timeout),
                    "--tools",
                    place.manifest,
                    "--workers",
                    "2",
                    "--slots",
                    "4"
                )
                try await place.wait(for: writers, linesOf: "pids")
                func twice(_ signal: Int32) async throws {
                    run.signal(signal)
                    try await run.line(with: "Cancelling run")
                    run.signal(signal)
                }
                switch ending {
                case .intTwice: try await twice(SIGINT)
                case .termTwice: try await twice(SIGTERM)
                case .hangUpTwice: try await twice(SIGHUP)
                case .quit: run.signal(SIGQUIT)
                case .kill: run.signal(SIGKILL)
                case .abort: run.signal(SIGABRT)
                case .stopAndKill:
                    run.signal(SIGSTOP)
                    run.signal(SIGKILL)
                case .killWorkers:
                    for pid in place.marked() where parent(of: pid) == run.pid {
                        kill(pid, SIGKILL)
                    }
                case .timeout: break
                }
                try await eventually("the run is gone", within: .seconds(40)) { !run.isRunning }
                try await expectNothingIsLeft(place, ending.rawValue)
                try await eventually("no process is left: \(place.marked())") {
                    place.marked().isEmpty
                }
                #expect(folders(of: place).isEmpty)
            }
        }

        @Test("After a run that ends by itself, with tools that leave processes and files")
        func normalEnd() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: litter
                        description: Leaves a daemon and a folder that it may not enter.
                        command:
                          - sh
                          - -c
                          - >-
                            setsid sh -c "echo \\$\\$ >> FOLDER/pids; exec sleep 1000" &
                            mkdir -p a/b; echo x > a/b/c; chmod 0 a;
                            while [ ! -s FOLDER/pids ]; do sleep 0.01; done; echo done
                      - name: stay
                        description: Stays.
                        persistent: true
                        command:
                          - python3
                          - -c
                          - |
                            import json, sys
                            for line in sys.stdin:
                                open("kept", "w").write("x")
                                call = json.loads(line)["id"]
                                print(json.dumps(dict(id=call, output="here")), flush=True)
                    """
                )
                let plan = try place.plan(node("a", "litter"), node("b", "stay"))
                let run = try await place.weft("run", "--plan", plan, "--tools", place.manifest)
                #expect(run.code == 0, "\(run.errors)")
                try await expectNothingIsLeft(place, "the end")
                #expect(place.marked().isEmpty)
                #expect(folders(of: place).isEmpty)
            }
        }

        @Test("A killed coordinator leaves neither its folder nor its model's program")
        func coordinator() async throws {
            try await atPlace { place in
                try place.tools(ClusterTests.greet)
                let config = try place.write(
                    """
                    models:
                      planner:
                        api: command
                        command: [sh, -c, 'echo $$ >> \(place.folder)/pids; setsid sleep 1000 & wait']
                    """,
                    to: "weft.yaml"
                )
                let coordinator = try await place.startCoordinator(
                    with: ["--config", config, "--ephemeral"],
                    environment: ["WEFT_STATE_DIR": ""]
                )
                let key = "\(place.folder)/tmp/\(folders(of: place).first ?? "")/client.key"
                // It does not wait for the coordinator to come back.
                let run = try place.start(
                    "run",
                    "--reconnect",
                    "0s",
                    "Wait.",
                    environment: ["WEFT_KEY_FILE": key]
                )
                try await place.wait(for: 1, linesOf: "pids")
                coordinator.signal(SIGKILL)
                try await expectNothingIsLeft(place, "the kill")
                try await eventually("no folder is left") { folders(of: place).isEmpty }
                _ = try await run.end()
            }
        }

        // MARK: - What is left

        /// Waits until no recorded process runs, and no working folder exists.
        private func expectNothingIsLeft(_ place: Place, _ what: String) async throws {
            let pids = place.lines(of: "pids").compactMap { pid_t($0) }
            #expect(!pids.isEmpty)
            try await eventually("after \(what) no process is left: \(pids.filter(isRunning))") {
                !pids.contains(where: isRunning)
            }
            try await eventually("after \(what) no folder is left: \(workingFolders(of: place))") {
                workingFolders(of: place).isEmpty
            }
        }

        /// A worker that continues still runs tools.
        private func expectWorks(_ place: Place) async throws {
            let file = "\(place.folder)/again"
            let plan = try place.plan(node("again", "plain", "{}", #","timeout_ms":1500"#))
            try await eventually("the worker is back") {
                try await place.workers().contains { $0["state"].text == "ready" }
            }
            let count = place.lines(of: "pids").count
            let run = try await place.weft("run", "--plan", plan)
            #expect(run.errors.contains("timeout"), "\(file) \(run.errors)")
            #expect(place.lines(of: "pids").count > count)
        }

        private func folders(of place: Place) -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: "\(place.folder)/tmp")) ?? []
        }

        /// The contents of workers' folders, and folders of ended workers.
        private func workingFolders(of place: Place) -> [String] {
            let keeping = keepers(of: place).map { text(of: "/proc/\($0)/cmdline") }
            return folders(of: place).flatMap { name in
                let path = "\(place.folder)/tmp/\(name)"
                let inside = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
                return keeping.contains { $0.contains(name) } ? inside : inside + [name]
            }
        }

        /// Keepers and supervisors.
        private func keepers(of place: Place) -> [pid_t] {
            place.marked().filter { text(of: "/proc/\($0)/cmdline").hasPrefix("weft-keeper\0") }
        }

        private func descriptors(of pid: pid_t) -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        }

        private func text(of path: String) -> String {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        }

        /// State, parent and so on; they follow the name, which is in parentheses.
        private func fields(of pid: pid_t) -> [Substring] {
            text(of: "/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        }

        private func parent(of pid: pid_t) -> pid_t? {
            fields(of: pid).dropFirst().first.flatMap { pid_t($0) }
        }

        private func isRunning(_ pid: pid_t) -> Bool {
            guard let state = fields(of: pid).first else { return false }
            return state != "Z" && state != "X"
        }
    }
}
