// Workers with too few resources: descriptors, processes, sizes of files.
import Foundation
import Glibc
import Testing

extension Integration.SickWorkerTests {
    /// Limits under which a worker runs but no tool starts.
    private static let shortages: [String] =
        OrdinaryUser.isAvailable
        ? ["nofile=14", "nofile=18", "nproc=1", "nproc=2", "nproc=3"]
        : ["nofile=14", "nofile=18"]

    /// A tool that needs no other process, and must not be started twice.
    private static let mark = """
        tools:
          - name: job
            description: Leaves a mark.
            command: [sh, -c, 'echo x >> FOLDER/starts']
        """

    private func startShortWorker(_ limit: String, at place: Place) async throws -> WeftProcess {
        let limited = "prlimit --\(limit):\(limit.split(separator: "=")[1]) sh -c '\"$@\"' sh"
        // Limits of processes do not apply to root.
        guard limit.contains("nproc") else {
            return try await startWorker("sick", at: place, shell: "exec \(limited)")
        }
        // What the tool writes to is there for both users.
        try place.write("", to: "starts")
        chmod("\(place.folder)/starts", 0o666)
        return try await startWorker(
            "sick",
            at: place,
            shell: "exec \(OrdinaryUser.command) \(limited)",
            environment: place.openToOrdinaryUser()
        )
    }

    @Test("A worker that can start nothing soon gives its nodes to others", arguments: shortages)
    func shortage(_ limit: String) async throws {
        try await atPlace { place in
            try place.tools(Self.mark)
            try await place.startCoordinator()
            _ = try await startShortWorker(limit, at: place)
            _ = try await startWorker("well", at: place)
            let plan = try manyNodes(40, "job", at: place)
            let run = try await place.start("run", "--plan", plan, "--json")
                .end(within: .seconds(5))
            #expect(try outcomes(run) == ["succeeded": 40])
            #expect(place.lines(of: "starts").count == 40)
            let sick = try await worker("sick", at: place)
            #expect(sick["cooling_tools"][0]["name"].text == "job")
            #expect(sick["cooling_tools"][0]["reason"].text?.contains("reached its limit") == true)
        }
    }

    @Test(
        "If no other worker can run them, nodes wait for the end of a shortage",
        arguments: shortages
    )
    func shortageAlone(_ limit: String) async throws {
        try await atPlace { place in
            try place.tools(Self.mark)
            try await place.startCoordinator()
            _ = try await startShortWorker(limit, at: place)
            let plan = try manyNodes(20, "job", at: place)
            let run = try place.start("run", "--plan", plan, "--json")
            try await eventually("two trials have failed") {
                let tool = try await worker("sick", at: place)["cooling_tools"][0]
                return (tool["refusals"].number ?? 0) >= 2
            }
            #expect(run.isRunning)
            _ = try await startWorker("well", at: place)
            #expect(try outcomes(try await run.end(within: .seconds(5))) == ["succeeded": 20])
        }
    }

    @Test(
        "A file size limit ends none of our processes, but kills tools",
        .disabled(
            if: ProcessInfo.processInfo.environment["TSAN_OPTIONS"] != nil,
            "the thread sanitizer writes a file before a program begins"
        )
    )
    func fileSize() async throws {
        try await atPlace { place in
            try place.tools(
                """
                tools:
                  - name: job
                    description: Shows which signals it ignores.
                    command: [sh, -c, 'grep SigIgn /proc/self/status']
                  - name: large
                    description: Writes a file.
                    command: [sh, -c, 'echo x > file']
                """
            )
            try await place.startCoordinator()
            // Its log is a file to which it may not write.
            let sick = try await startWorker("sick", at: place, shell: "ulimit -f 0;")
            let plan = try place.plan(node("a", "job"), node("b", "large"))
            let run = try await place.weft("run", "--plan", plan, "--json")
            let nodes = try run.document["nodes"]
            let mask = nodes["a"]["output"].text?.split(separator: "\t").last
            // The C library uses some of the numbers beyond 31 itself.
            let ignored = mask.flatMap { UInt64($0, radix: 16) }.map { $0 & 0x7FFF_FFFF }
            #expect(ignored == 0, "\(nodes)")
            #expect(nodes["b"]["error"]["message"].text?.contains("SIGXFSZ") == true)
            #expect(sick.isRunning)
            let list = try place.start(
                ["-c", "ulimit -f 0; exec \(Place.weft) workers"],
                program: "sh"
            )
            #expect(try await list.end().code == 1)
        }
    }
}
