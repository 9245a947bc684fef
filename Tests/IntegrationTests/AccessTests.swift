// Access control, listening addresses, and secrets.
import Foundation
import Glibc
import TestKit
import Testing

extension Integration {
    @Suite("Access", .timeLimit(.minutes(Patience.factor)))
    struct AccessTests {
        @Test("A wrong key gives exit code 4")
        func wrongKey() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let key = try place.write(
                    String(repeating: "ab", count: 32) + "\n",
                    to: "other.key"
                )
                chmod(key, 0o600)
                let plan = try place.plan(node("a", "echo"))
                let client = try await place.weft("run", "--plan", plan, "--key-file", key)
                #expect(client.code == 4)
                #expect(client.output.isEmpty && !client.errors.isEmpty)
                let status = try await place.weft(
                    "status",
                    environment: ["WEFT_KEY_FILE": key]
                )
                #expect(status.code == 4)
                let worker = try await place.weft("worker", "--diagnostics", "--key-file", key)
                #expect(worker.code == 4)
                // The key of another role is wrong, too.
                let viewer = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--key-file",
                    "\(place.state)/viewer.key"
                )
                #expect(viewer.code == 4)
                let missing = try await place.weft("status", "--state", "\(place.folder)/none")
                #expect(missing.code == 4 && missing.errors.contains("client.key"))
            }
        }

        @Test("Refuses a key file that others may read")
        func openKey() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                chmod("\(place.state)/client.key", 0o644)
                let status = try await place.weft("status")
                #expect(status.code == 4 && status.errors.contains("chmod 600"))
            }
        }

        @Test("A missing coordinator gives exit code 3")
        func unreachable() async throws {
            try await atPlace { place in
                let coordinator = try await place.startCoordinator()
                coordinator.signal(SIGTERM)
                try await coordinator.end()
                let plan = try place.plan(node("a", "echo"))
                let run = try await place.weft("run", "--plan", plan)
                #expect(run.code == 3)
                #expect(run.errors.contains(place.address))
                #expect(try await place.weft("workers").code == 3)
                let worker = try await place.weft(
                    "worker",
                    "--diagnostics",
                    "--exit-after",
                    "300ms"
                )
                #expect(worker.code == 3)
            }
        }

        @Test("A viewer's key is enough for reading")
        func viewer() async throws {
            try await atPlace { place in
                try await place.startCoordinator()
                let folder = "\(place.folder)/viewer"
                mkdir(folder, 0o700)
                try FileManager.default.copyItem(
                    atPath: "\(place.state)/viewer.key",
                    toPath: "\(folder)/viewer.key"
                )
                chmod("\(folder)/viewer.key", 0o600)
                #expect(try await place.weft("status", "--state", folder).code == 0)
                #expect(try await place.weft("runs", "--state", folder).code == 0)
                let cancel = try await place.weft("cancel", "abc", "--state", folder)
                #expect(cancel.code == 4)
            }
        }

        @Test("Only coordinators listen, and only on the loopback interface")
        func listeners() async throws {
            try await atPlace { place in
                try place.tools(EmbeddedTests.slow)
                let coordinator = try await place.startCoordinator(on: "localhost:0")
                let worker = try await place.startWorker("w1")
                let plan = try place.plan(node("a", "slow"))
                let run = try place.start(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    environment: ["WEFT_COORDINATOR": ""]
                )
                try await place.wait(for: 1, linesOf: "pids")
                for (process, count) in [(coordinator, 1), (run, 1), (worker, 0)] {
                    let addresses = try Self.listeners(of: process.pid)
                    #expect(addresses.count == count, "\(process.name): \(addresses)")
                    #expect(addresses.allSatisfy { $0 == "0100007F" || $0 == Self.loopback6 })
                }
                var open = 0
                for pid in place.marked() { open += try Self.listeners(of: pid).count }
                #expect(open == 2, "no other process listens")
            }
        }

        private static let loopback6 = "00000000000000000000000001000000"

        /// The addresses a process listens on, as the kernel writes them.
        private static func listeners(of pid: pid_t) throws -> [String] {
            let files = FileManager.default
            let links = try files.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
            let inodes = Set(
                links.compactMap { link in
                    try? files.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(link)")
                }
                .filter { $0.hasPrefix("socket:[") }.map { $0.dropFirst(8).dropLast() }
                .map(String.init)
            )
            return ["tcp", "tcp6"].flatMap { table -> [String] in
                let text = files.contents(atPath: "/proc/\(pid)/net/\(table)") ?? Data()
                return String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst()
                    .compactMap { row in
                        let columns = row.split(separator: " ")
                        guard columns.count > 9, columns[3] == "0A",
                            inodes.contains(String(columns[9]))
                        else { return nil }
                        return String(columns[1].prefix { $0 != ":" })
                    }
            }
        }

        @Test("The default address is on the loopback interface")
        func defaultListener() async throws {
            try await atPlace { place in
                let coordinator = try place.start("coordinator")
                try await eventually("it listens, or its port is taken") {
                    coordinator.errors.contains("127.0.0.1:7420")
                }
            }
        }

        @Test("A tool gets only the intended variables of the worker's environment")
        func toolEnvironment() async throws {
            try await atPlace { place in
                try place.tools(
                    """
                    tools:
                      - name: show
                        description: Shows its environment.
                        command: [env]
                    """
                )
                let plan = try place.plan(node("a", "show"))
                let run = try await place.weft(
                    "run",
                    "--plan",
                    plan,
                    "--tools",
                    place.manifest,
                    environment: ["SECRET_TOKEN": "canary-4711"]
                )
                #expect(run.code == 0)
                #expect(run.output.contains("PATH="))
                #expect(run.output.contains("WEFT_NODE=a"))
                #expect(!run.output.contains("canary"))
                #expect(!run.output.contains(".key"))
            }
        }
    }
}
