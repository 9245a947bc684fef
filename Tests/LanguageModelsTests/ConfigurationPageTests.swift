// The page about the configuration file has exactly the fields that the reader knows.
import Foundation
import JSON
import PlannerCore
import Testing

@testable import LanguageModels

@Suite("The page about the configuration")
struct ConfigurationPageTests {
    let page: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        page = try String(
            contentsOf: root.appending(path: "Sources/Weftline/Weftline.docc/Configuration.md"),
            encoding: .utf8
        )
    }

    /// The first column of the tables under a heading.
    private func tables(under heading: String) throws -> [[String]] {
        let parts = page.components(separatedBy: "\n### ")
        let part = try #require(parts.first { $0.hasPrefix(heading) })
        var tables: [[String]] = []
        var isTable = false
        for line in part.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("| field") { tables.append([]) }
            isTable = line.hasPrefix("|")
            guard isTable, line.hasPrefix("| `"), !tables.isEmpty else { continue }
            tables[tables.count - 1].append(String(line.dropFirst(3).prefix { $0 != "`" }))
        }
        return tables
    }

    @Test(
        "Each kind of model has a row for each of its fields",
        arguments: [
            ("Models of a provider", ModelConfigurationReader.providerFields),
            ("Recordings", ModelConfigurationReader.recordedFields),
            ("Programs", ModelConfigurationReader.commandFields),
        ]
    )
    func fields(heading: String, known: [String]) throws {
        let rows = try #require(tables(under: heading).first)
        #expect(Set(rows) == Set(known))
        #expect(rows.count == known.count, "none is there twice")
    }

    @Test("Reads the sample of the page without a problem")
    func sample() throws {
        let yaml = try #require(
            page.components(separatedBy: "```yaml\n").dropFirst().first?
                .components(separatedBy: "```").first
        )
        let models = try ModelConfiguration.parse(yaml: yaml, path: "/tmp/weft.yaml")
        #expect(models.planner != nil && models.joiner != nil)
    }

    @Test("The request of a program is as on the page")
    func request() throws {
        let rows = try #require(tables(under: "Programs").last)
        var request = ModelRequest(
            messages: [.user("How long is the Rhine?")],
            format: .jsonSchema(name: "plan", schema: .emptyObject),
            maxTokens: 7
        )
        request.temperature = 0.5
        let sent = request.encoded(CommandSettings(arguments: ["x"]))
        #expect(try names(in: sent) == Set(rows))
        let line = try #require(
            page.components(separatedBy: "```json\n").dropFirst().first?
                .components(separatedBy: "\n").first
        )
        #expect(try names(in: Array(line.utf8)) == Set(rows))
    }

    /// The names of an object's fields.
    private func names(in text: [UInt8]) throws -> Set<String> {
        var names: Set<String> = []
        try RawJSON(validating: text[...]).forEachField { name, _ in names.insert(name) }
        return names
    }
}
