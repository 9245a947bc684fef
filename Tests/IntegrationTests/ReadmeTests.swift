// The commands in the README and the help work as printed.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("The README", .timeLimit(.minutes(2 * Patience.factor)))
    struct ReadmeTests {
        let root: URL
        let text: String

        init() throws {
            root = URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            text = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        }

        /// The fenced blocks of a language.
        private func blocks(_ language: String) -> [String] {
            text.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
                $0.components(separatedBy: "```").first
            }
        }

        /// The lines that start `weft`, with continued lines joined, as arguments.
        private var commands: [[String]] {
            let lines = blocks("sh").joined().replacingOccurrences(of: "\\\n", with: " ")
            return lines.split(separator: "\n").compactMap { line in
                let command = line.components(separatedBy: "  #")[0]
                guard command.hasPrefix("weft ") else { return nil }
                // Only goals have quotes.
                var words: [String] = []
                for (place, part) in command.split(
                    separator: "\"",
                    omittingEmptySubsequences: false
                )
                .enumerated() {
                    words +=
                        place % 2 == 1
                        ? [String(part)] : part.split(separator: " ").map(String.init)
                }
                return words.dropFirst().map {
                    $0.hasPrefix("Deploy/") ? root.appending(path: $0).path : $0
                }
            }
        }

        @Test("Every line that starts weft ends well when it is pasted")
        func commandsWork() async throws {
            try await atPlace { place in
                let tree = ["SURVEY_TREE": root.path]
                // Lines of the second part need the coordinator that one of them starts.
                let written = commands.filter { $0.contains("--tools") && $0[0] != "worker" }
                // One needs MCP servers, which a line before it installs.
                let installed = root.appending(path: ".build/python/legacy/installed").path
                let local = written.filter {
                    !$0.contains { $0.hasSuffix("mcp.yaml") }
                        || FileManager.default.fileExists(atPath: installed)
                }
                // Launches are run on hosts of their own, by Tests/Hosts.
                let rest = commands.filter {
                    !written.contains($0) && $0.last != "&" && $0[0] != "launch"
                }
                #expect(written.count == 5 && rest.count == 1, "\(commands)")
                for arguments in local {
                    let outcome = try await place.start(arguments, environment: tree).end()
                    #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
                    #expect(!outcome.output.isEmpty)
                }
                try await place.startCoordinator()
                _ = try place.start(
                    [
                        "worker", "--coordinator", place.address, "--tools",
                        root.appending(path: "Deploy/demo/tools.yaml").path,
                    ],
                    environment: tree
                )
                for arguments in rest {
                    let here = arguments.map { $0 == "127.0.0.1:7420" ? place.address : $0 }
                    let outcome = try await place.start(here).end()
                    #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
                }
            }
        }

        @Test("The plan of the README is the file that it names")
        func plan() throws {
            let file = try String(
                contentsOf: root.appending(path: "Deploy/demo/plan.json"),
                encoding: .utf8
            )
            #expect(blocks("json").contains(file))
        }

        @Test("Reads its configuration with only the missing key as a problem")
        func configuration() async throws {
            try await atPlace { place in
                let yaml = try #require(blocks("yaml").first)
                let path = try place.write(yaml, to: "weft.yaml")
                let check = try await place.weft(
                    "config",
                    "check",
                    "--config",
                    path,
                    environment: ["OPENAI_API_KEY": "sk-none"]
                )
                #expect(check.code == 0, "\(check.errors)")
            }
        }

        @Test("Links to files of the project are valid")
        func links() throws {
            for part in text.components(separatedBy: "](").dropFirst() {
                let target = String(part.prefix { $0 != ")" && $0 != "#" })
                guard !target.isEmpty, !target.contains("://") else { continue }
                let path = root.appending(path: target).path
                #expect(FileManager.default.fileExists(atPath: path), "\(target)")
            }
        }

        @Test("The lines for a package contain the name of this one")
        func package() throws {
            let manifest = try String(
                contentsOf: root.appending(path: "Package.swift"),
                encoding: .utf8
            )
            #expect(manifest.contains("name: \"weftline\""))
            #expect(manifest.contains(".library(name: \"Weftline\""))
            #expect(text.contains(".product(name: \"Weftline\", package: \"weftline\")"))
        }

        @Test("There are completions for each shell", arguments: ["bash", "zsh", "fish"])
        func completions(shell: String) async throws {
            try await atPlace { place in
                let script = try await place.weft("--generate-completion-script", shell)
                #expect(script.code == 0)
                #expect(script.output.contains("coordinator") && script.errors.isEmpty)
            }
        }
    }
}
