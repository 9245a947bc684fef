// The samples of the page about adding a tool: they work as the page says, together in one cluster.
import Core
import Foundation
import TestKit
import Testing
import Weftline

/// Copied from the page; a test compares.
let countWords = FunctionTool(
    name: "count_words",
    description: "Count the words of a text.",
    parameters: RawJSON(["type": "object", "properties": ["text": ["type": "string"]]]),
    isIdempotent: true
) { arguments, context in
    let words = (arguments["text"]?.stringValue ?? "").split(separator: " ")
    context.report(progress: 0.5, note: "\(words.count) so far")
    try Task.checkCancellation()
    return .integer(Int64(words.count))
}

@Suite("Samples of the documentation", .timeLimit(.minutes(Patience.factor)))
struct DocumentationTests {
    let page: String
    let source: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        page = try String(
            contentsOf: root.appendingPathComponent("Sources/Tools/Tools.docc/AddingATool.md"),
            encoding: .utf8
        )
        source = try String(contentsOfFile: #filePath, encoding: .utf8)
    }

    /// The fenced blocks of a language.
    private func samples(_ language: String) -> [String] {
        page.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
            $0.components(separatedBy: "```\n").first
        }
    }

    @Test("The Swift sample is compiled here exactly as on the page")
    func swiftSample() throws {
        let sample = try #require(samples("swift").first)
        #expect(samples("swift").count == 1)
        #expect(source.contains(sample))
    }

    @Test("The tools of the page work")
    func toolsWork() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("weft-samples-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = try #require(samples("python").first)
        try script.write(
            to: folder.appendingPathComponent("measure.py"),
            atomically: true,
            encoding: .utf8
        )
        let text = folder.appendingPathComponent("text")
        try "weft\nwarp\n-weft\n".write(to: text, atomically: true, encoding: .utf8)
        // Two manifests on the page, one list of tools here.
        let yaml = try samples("yaml").enumerated().map { index, sample in
            let tools = try #require(sample.components(separatedBy: "tools:\n").last)
            return index == 0 ? sample : tools
        }
        let manifest = try Manifest.parse(
            yaml: yaml.joined(),
            path: folder.appendingPathComponent("tools.yaml").path
        )
        let result = try await LocalCluster.with(tools: [countWords], manifest: manifest) {
            try await $0.run(
                plan(
                    ("all", "count_matches", ["pattern": "weft", "file": .string(text.path)]),
                    ("dashed", "count_matches", ["pattern": "-w", "file": .string(text.path)]),
                    ("none", "count_matches", ["pattern": "x", "file": .string(text.path)]),
                    ("letters", "measure", ["text": "warp and weft"]),
                    ("nothing", "measure", [:]),
                    ("words", "count_words", ["text": "${letters.letters} letters, $all lines"])
                )
            )
        }
        #expect(try result.output(of: "all") == 2)
        #expect(try result.output(of: "dashed") == 1)
        #expect(try result.output(of: "none") == 0)
        #expect(try result.output(of: "letters") == ["letters": 13])
        #expect(result["nothing"]?.failure?.code.rawValue == "no_text")
        #expect(try result.output(of: "words") == 4)
    }
}
