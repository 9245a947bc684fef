// Runs the public JSON-Schema-Test-Suite, whose folder `tests` is named by WEFT_SCHEMA_SUITE;
// without it there is nothing to run. Deploy/check --schemas brings the suite. What is known to
// fall short is in SchemaSuiteShortfalls.swift.

import Foundation
import JSON
import OrderedCollections
import Schemas
import Testing

@Suite(.serialized, .enabled(if: SchemaSuite.folder != nil, "WEFT_SCHEMA_SUITE names no folder"))
struct SchemaSuiteTests {
    @Test("Passes the public suite but for what is listed", arguments: ["draft2020-12", "draft7"])
    func suite(_ draft: String) throws {
        let suite = SchemaSuite(draft: draft)
        var passed = 0
        var all = 0
        for file in try suite.files() {
            let result = try suite.run(file)
            passed += result.passed
            all += result.all
            print("\(result.passed) of \(result.all)  \(draft)/\(file)")
        }
        print("\(passed) of \(all)  \(draft)")
        #expect(all > 500)
    }
}

/// The tests of one draft.
struct SchemaSuite {
    static let folder = ProcessInfo.processInfo.environment["WEFT_SCHEMA_SUITE"]

    let draft: String

    /// The files, without those of `format` as an assertion, which it is not.
    func files() throws -> [String] {
        let root = try #require(Self.folder) + "/" + draft
        return try FileManager.default.subpathsOfDirectory(atPath: root)
            .filter { $0.hasSuffix(".json") && !$0.hasPrefix("optional/format/") }
            .sorted()
    }

    func run(_ file: String) throws -> (passed: Int, all: Int) {
        let path = try #require(Self.folder) + "/\(draft)/\(file)"
        let groups = try JSONValue(parsing: String(contentsOfFile: path, encoding: .utf8))
        var passed = 0
        var all = 0
        for group in groups.arrayValue ?? [] {
            let name = group["description"]?.stringValue ?? ""
            let tests = group["tests"]?.arrayValue ?? []
            let failures = try failures(of: tests, against: schema(of: group))
            all += tests.count
            passed += tests.count - failures.count
            let isListed = SchemaSuite.shortfalls.contains {
                $0.file == "\(draft)/\(file)" && ($0.group == nil || $0.group == name)
            }
            #expect(failures.isEmpty != isListed, "\(draft)/\(file), \(name): \(failures)")
        }
        return (passed, all)
    }

    /// The schema of a group; the files of draft-07 leave it to the reader to know their draft.
    private func schema(of group: JSONValue) throws -> JSONValue {
        let schema = try #require(group["schema"])
        guard draft == "draft7", case .object(var keywords) = schema, keywords["$schema"] == nil
        else { return schema }
        keywords["$schema"] = "http://json-schema.org/draft-07/schema#"
        return .object(keywords)
    }

    private func failures(of tests: [JSONValue], against schema: JSONValue) throws -> [String] {
        do {
            let schema = try Schema(compiling: RawJSON(schema))
            return tests.compactMap { test in
                guard let value = test["data"], let isValid = test["valid"]?.boolValue else {
                    return "a test is malformed"
                }
                let problems = schema.problems(of: value)
                if problems.isEmpty == isValid { return nil }
                return "\(test["description"]?.stringValue ?? ""): \(problems)"
            }
        } catch {
            return tests.map { _ in "refused: \(error)" }
        }
    }
}
