// Variables and folders that the processes of tools find.
import Foundation
import JSON
import Testing

@testable import Tools

/// Variables and folders that the processes of tools find.
@Suite struct SurroundingsTests {
    private let worker = [
        "PATH": "/usr/bin:/bin", "LANG": "de_DE.UTF-8", "USER": "weaver", "CANARY": "secret",
        "API_KEY": "42", "HOME": "/root",
    ]

    private func variables(_ fields: String, number: Int = 1) async throws -> [String: String] {
        let record = try await outcome(
            "command: [/usr/bin/env]\n\(fields)",
            number: number,
            environment: worker
        )
        let text = try #require(record.text)
        let pairs = text.split(separator: "\n").map { line in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), String(parts[1]))
        }
        return Dictionary(pairs, uniquingKeysWith: { _, _ in "given twice" })
    }

    @Test func `little of the worker's environment is passed on`() async throws {
        var variables = try await variables("", number: 3)
        let home = variables.removeValue(forKey: "HOME") ?? ""
        #expect(home.hasPrefix("/tmp/weft-"))
        #expect(variables.removeValue(forKey: "TMPDIR") == home)
        #expect(variables.removeValue(forKey: "TRACEPARENT")?.hasPrefix("00-") == true)
        #expect(
            variables == [
                "PATH": "/usr/bin:/bin", "LANG": "de_DE.UTF-8", "USER": "weaver",
                "WEFT_RUN": "r1", "WEFT_NODE": "n1", "WEFT_ATTEMPT": "3",
            ]
        )
    }

    @Test func `variables are passed on and set by name`() async throws {
        let variables = try await variables(
            "pass_env: [API_KEY, NOT_SET, LANG]\nenv: {LANG: C.UTF-8, PORT: 80, HOME: /}"
        )
        #expect(variables["API_KEY"] == "42")
        #expect(variables["CANARY"] == nil)
        #expect(variables["NOT_SET"] == nil)
        #expect(variables["LANG"] == "C.UTF-8")
        #expect(variables["PORT"] == "80")
        #expect(variables["HOME"] == "/")
    }

    @Test func `each call has an empty folder of its own`() async throws {
        let fields = "command: [sh, -c, 'pwd; ls -A; stat -c %a .; touch left']"
        let first = try #require(try await outcome(fields).text)
        let second = try #require(try await outcome(fields).text)
        let folders = [first, second].map { $0.split(separator: "\n") }
        #expect(folders.map { $0.dropFirst() } == [["700"], ["700"]])
        #expect(folders[0][0] != folders[1][0])
        for folder in folders {
            #expect(!FileManager.default.fileExists(atPath: String(folder[0])))
        }
    }

    @Test func `a folder with unusual files is removed without its link targets`() async throws {
        let record = try await outcome("command: [./litters.sh]")
        let folder = try #require(record.text)
        #expect(folder.hasPrefix("/"))
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(FileManager.default.fileExists(atPath: "/usr"))
    }

    @Test func `the folder is made where TMPDIR says`() async throws {
        let base = NSTemporaryDirectory() + "tools-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: base) }
        let record = try await outcome(
            "command: [pwd]",
            environment: ["TMPDIR": base, "PATH": "/usr/bin:/bin"]
        )
        #expect(record.text?.hasPrefix(base + "/weft-") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: base).isEmpty)
    }

    @Test func `programs are looked up in the PATH of the tool`() async throws {
        let fields = "command: [litters.sh]\nenv: {PATH: '\(fixtures):/bin:/usr/bin'}"
        #expect(try await outcome(fields).text?.hasPrefix("/") == true)
    }
}
