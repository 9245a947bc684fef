// Package.swift, the folders and the README name the same modules; the protocol's messages and the
// documented states are those of the code; samples of manifests can be read.
import Foundation
import Scheduling
import Testing
import Tools
import Wire

@Suite("Structure")
struct StructureTests {
    let repository: Repository

    init() throws { repository = try Repository.shared.get() }

    @Test("Every folder of sources is a target, and every target has its folder")
    func targets() {
        compare(repository.graph.modules, repository.folders(under: "Sources"))
        let folders = repository.folders(under: "Tests").filter { folder in
            repository.files.contains {
                $0.path.hasPrefix("Tests/\(folder)/") && $0.isSwift
            }
        }
        compare(repository.graph.testFolders, folders)
    }

    private func compare(_ targets: Set<String>, _ folders: Set<String>) {
        for name in targets.subtracting(folders).sorted() {
            Issue.record(
                "Package.swift:1: the target \(name) has no folder, use those there are instead"
            )
        }
        for name in folders.subtracting(targets).sorted() {
            Issue.record("Package.swift:1: the folder \(name) is no target, declare it instead")
        }
    }

    @Test("The README lists the modules of Package.swift")
    func readme() throws {
        guard let readme = repository.file("README.md") else { return }
        let listed = try #require(
            ModuleTable.names(in: readme.text),
            "README.md:1: no table of modules, use \"| module | what |\" under \"## Modules\" instead"
        )
        for name in repository.graph.modules.subtracting(listed).sorted() {
            Issue.record("README.md:1: the module \(name) is missing, use a row for each instead")
        }
        for name in listed.subtracting(repository.graph.modules).sorted() {
            Issue.record(
                "README.md:1: there is no module \(name), use those of Package.swift instead"
            )
        }
    }

    @Test("Every message of the protocol has an example", arguments: MessageKind.allCases)
    func examples(kind: MessageKind) throws {
        let page = try #require(repository.file("Sources/Wire/Wire.docc/Protocol.md"))
        #expect(page.text.contains("{\"type\":\"\(kind.rawValue)\""))
    }

    @Test("The documented life of a node is that of the code")
    func states() throws {
        let page = try #require(
            repository.file("Sources/Scheduling/Scheduling.docc/LifeOfANode.md")
        )
        let documented = StateTable.transitions(in: page.text)
        let actual = Dictionary(
            uniqueKeysWithValues: NodeStateKind.allCases.map { state in
                (state.rawValue, Set(state.successors.map(\.rawValue)))
            }
        )
        for state in Set(documented.keys).union(actual.keys).sorted() {
            #expect(documented[state] == actual[state], "state \(state)")
        }
    }

    @Test("Manifests in the documentation can be read")
    func manifests() throws {
        var count = 0
        for page in repository.files where page.path.hasSuffix(".md") {
            for sample in page.text.components(separatedBy: "```yaml\n").dropFirst() {
                let yaml = try #require(sample.components(separatedBy: "```").first)
                guard yaml.hasPrefix("tools:") else { continue }
                count += 1
                #expect(throws: Never.self, "\(page.path)") {
                    try Manifest.parse(yaml: yaml, path: page.path)
                }
            }
        }
        #expect(count >= 2)
    }
}

/// The README's table of modules.
enum ModuleTable {
    /// The names in the first column, one or several a row; nil without such a table.
    static func names(in text: String) -> Set<String>? {
        guard let section = text.components(separatedBy: "\n## Modules\n").dropFirst().first else {
            return nil
        }
        let rows = section.components(separatedBy: "\n## ").first?.split(separator: "\n") ?? []
        let table = rows.filter { $0.hasPrefix("|") }
        guard table.first?.split(separator: "|").first?.contains("module") == true else {
            return nil
        }
        return Set(
            table.dropFirst(2).flatMap { row in
                (row.split(separator: "|").first ?? "").split { !$0.isLetter && !$0.isNumber }
                    .map(String.init)
            }
        )
    }
}

/// The table of states in the page about nodes.
enum StateTable {
    /// For each state in the first column, the states named in the last.
    static func transitions(in text: String) -> [String: Set<String>] {
        var transitions: [String: Set<String>] = [:]
        for row in text.split(separator: "\n") where row.hasPrefix("| `") {
            let cells = row.split(separator: "|", omittingEmptySubsequences: false)
            guard cells.count == 6, let state = names(in: cells[1]).first else { continue }
            transitions[state] = Set(names(in: cells[4]))
        }
        return transitions
    }

    private static func names(in cell: Substring) -> [String] {
        // Every second piece stands between backticks.
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .compactMap { $0.offset.isMultiple(of: 2) ? nil : String($0.element) }
    }
}
