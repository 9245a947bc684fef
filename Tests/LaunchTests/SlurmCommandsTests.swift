// The commands for a Slurm cluster.
import Foundation
import LaunchCore
import Testing
import Tools

@testable import Launch

@Suite("Commands for Slurm")
struct SlurmCommandsTests {
    private let entry = SlurmEntry(partition: "debug", time: .seconds(60), options: ["--mem=1G"])

    private func plan() -> MemberPlan {
        var group = GroupEntry(name: "slurm", place: .slurm(entry), count: 1)
        group.hasDiagnostics = true
        return MemberPlan(id: .init(group: 0, number: 1), name: "w", group: group)
    }

    @Test("A batch has the options of the file, a signal before its end, and no secret")
    func submission() {
        let commands = SlurmCommands(entry: entry, name: "hosts-1", folder: "/shared/x")
        let words = commands.submission(plan())
        for word in ["--mem=1G", "--partition=debug", "--time=1", "--signal=TERM@15"] {
            #expect(words.contains(word))
        }
        let script = commands.script(plan())
        #expect(script.hasPrefix("#!/bin/sh\nexec < /shared/x/w.join || exit 1\nrm -f "))
        #expect(script.contains("exec srun --kill-on-bad-exit=0 /shared/x/weft worker"))
        #expect(!script.contains("--exit-with-stdin"))
    }

    @Test("Program and tools are copied; keys and private folders are not")
    func preparation() throws {
        let place = FileManager.default.temporaryDirectory
            .appending(path: "weft-slurm-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: place) }
        func write(_ name: String, _ text: String = "") throws -> String {
            let file = place.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try text.write(to: file, atomically: true, encoding: .utf8)
            return file.path
        }
        for name in ["a.txt", "a.key", "st*te/journal", "stete/b.txt"] {
            _ = try write("tools/data/" + name)
        }
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: try write("bin/sbatch")
        )
        let path = try write(
            "tools/tools.yaml",
            "tools: [{name: a, description: A., command: [cat, ./data]}]"
        )
        let folder = place.appending(path: "shared").path
        let commands = SlurmCommands(entry: entry, name: "hosts-1", folder: folder)
        let package = ToolPackage(
            try Manifest.load(path: path),
            ["data"],
            without: ["data/st*te"]
        )
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = Array(commands.preparation(try write("program"), package).dropFirst())
        process.environment = ["PATH": "\(place.path)/bin:/usr/bin:/bin"]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() == [
                "tools", "tools/data", "tools/data/a.txt", "tools/data/stete",
                "tools/data/stete/b.txt", "tools/tools.yaml", "weft",
            ]
        )
    }
}
