// The page about launching has exactly the fields that the reader knows, and its sample is read.
import Foundation
import Testing
import Tools

@testable import Launch

@Suite("The page about launching")
struct LaunchPageTests {
    let page: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        page = try String(
            contentsOf: root.appending(path: "Sources/Weftline/Weftline.docc/Launching.md"),
            encoding: .utf8
        )
    }

    /// The first column of the table with a title.
    private func rows(_ title: String) throws -> [String] {
        let table = try #require(page.components(separatedBy: "\n| \(title) |").dropFirst().first)
        return table.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            .prefix { $0.hasPrefix("|") }
            .filter { $0.hasPrefix("| `") }
            .map { String($0.dropFirst(3).prefix { $0 != "`" }) }
    }

    @Test("Each table has a row for each field")
    func fields() throws {
        // The first table with the title is that of the file, the second that of groups.
        let tables = page.components(separatedBy: "\n| field |").count - 1
        #expect(tables == 2)
        #expect(try Set(rows("field")) == Set(LaunchFileReader.fields))
        #expect(
            try Set(rows("field of `coordinator`")) == Set(LaunchFileReader.coordinatorFields)
        )
        #expect(try Set(rows("field of `slurm`")) == Set(LaunchFileReader.slurmFields))
        #expect(try Set(rows("field of `container`")) == Set(LaunchFileReader.containerFields))
        let groups = try #require(page.components(separatedBy: "### Groups").last)
        let names = groups.components(separatedBy: "### Hosts")[0]
            .split(separator: "\n").filter { $0.hasPrefix("| `") }
            .map { String($0.dropFirst(3).prefix { $0 != "`" }) }
        #expect(Set(names) == Set(LaunchFileReader.places + LaunchFileReader.commonFields))
        #expect(names.count == Set(names).count, "none is there twice")
    }

    @Test("The sample of the page is read, and its manifest found beside it")
    func sample() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "weft-launch-page-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try """
        tools:
          - {name: a, description: A., command: [bin/a.sh, data.txt, "--at={manifest_dir}/more/x"],
             sandbox: {read: [lib, /etc/hosts, missing]}}
        """.write(to: folder.appending(path: "tools.yaml"), atomically: true, encoding: .utf8)
        for name in ["bin/a.sh", "data.txt", "lib/b", "more/x", "unused"] {
            let file = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try "".write(to: file, atomically: true, encoding: .utf8)
        }
        let yaml = try #require(
            page.components(separatedBy: "```yaml\n").dropFirst().first?
                .components(separatedBy: "```").first
        )
        let file = try LaunchFile.parse(
            yaml: yaml,
            path: folder.appending(path: "hosts.yaml").path
        )
        #expect(file.groups.count == 4)
        #expect(
            try file.groups[0].manifest?.filesBeside()
                == ["bin/a.sh", "data.txt", "lib", "more/x"]
        )
    }

    @Test("A manifest that names files outside of its folder cannot be copied along")
    func outside() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "weft-launch-page-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "in"),
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(at: folder) }
        try "tools: [{name: a, description: A., command: [../a.sh]}]"
            .write(to: folder.appending(path: "in/tools.yaml"), atomically: true, encoding: .utf8)
        let path = folder.appending(path: "in/hosts.yaml").path
        let error = #expect(throws: LaunchFileError.self) {
            try LaunchFile.parse(yaml: "workers: [{ssh: [a], tools: tools.yaml}]", path: path)
        }
        #expect(error?.lines.first?.contains("is not in the manifest's folder") ?? false)
        // A worker on this host uses it where it is.
        _ = try LaunchFile.parse(yaml: "workers: [{local: 1, tools: tools.yaml}]", path: path)
    }
}
