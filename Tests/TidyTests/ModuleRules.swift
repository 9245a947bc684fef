// Who may import whom: what Package.swift declares, and a few modules of the system.
import Foundation

enum ModuleRules {
    /// The modules of the system, and who may import each; nil for every module that is not pure.
    static let system: [String: Set<String>?] = [
        "Glibc": nil,
        "FoundationEssentials": [
            "Tools", "LanguageModels", "Launch", "Weftline", "Console", "Bench", "weft",
        ],
    ]

    /// What pure modules may depend on beside each other: collections, and C code that computes.
    static let pureDependencies: Set<String> = [
        "CSimdJSON", "COpenSSL", "CYAML", "HeapModule", "DequeModule", "OrderedCollections",
    ]

    /// The module of the loop, where code of C is wrapped.
    static let loopModule = "UVLoop"

    /// What the file imports, with lines from 1.
    static func imports(of file: SourceFile) -> [(module: String, line: Int)] {
        let kinds = "(?:struct|class|enum|protocol|typealias|func|let|var)"
        let modifiers = "(?:@\\w+\\s+)*(?:(?:public|package|internal|fileprivate|private)\\s+)?"
        guard let expression = try? Regex("^\\s*\(modifiers)import\\s+(?:\(kinds)\\s+)?(\\w+)")
        else {
            return []
        }
        return file.lines.enumerated().compactMap { index, line in
            guard line.code.contains("import"), let match = line.code.firstMatch(of: expression),
                let name = match.output[1].substring
            else { return nil }
            return (String(name), index + 1)
        }
    }

    static func findings(in file: SourceFile, _ graph: ModuleGraph) -> [Finding] {
        guard file.isSwift, let module = file.module, let target = graph.targets[module] else {
            return []
        }
        return imports(of: file).filter { !mayImport($0.module, module, target) }
            .map { entry in
                Finding(
                    path: file.path,
                    line: entry.line,
                    message: "\(module) imports \(entry.module), use a module below it instead, or"
                        + " declare the dependency in Package.swift and say why"
                )
            }
    }

    private static func mayImport(
        _ imported: String,
        _ module: String,
        _ target: ModuleGraph.Target
    ) -> Bool {
        if target.dependencies.contains(imported) { return true }
        guard target.kind != .pure, let importers = system[imported] else { return false }
        return importers?.contains(module) ?? true
    }

    /// What pure modules depend on and should not.
    static func impureDependencies(_ graph: ModuleGraph) -> [Finding] {
        let allowed = graph.pure.union(pureDependencies)
        return graph.pure.sorted().flatMap { module in
            (graph.targets[module]?.dependencies ?? []).subtracting(allowed).sorted().map {
                Finding(
                    path: "Package.swift",
                    line: 1,
                    message: "\(module) is pure and depends on \($0), use pure modules instead"
                )
            }
        }
    }

    /// Dependencies of modules that no file of the module imports.
    static func unusedDependencies(_ graph: ModuleGraph, _ sources: [SourceFile]) -> [Finding] {
        var imported: [String: Set<String>] = [:]
        for file in sources where file.isSwift {
            imported[file.module ?? "", default: []].formUnion(imports(of: file).map(\.module))
        }
        return graph.modules.sorted().flatMap { module in
            (graph.targets[module]?.dependencies ?? []).subtracting(imported[module] ?? [])
                .sorted().map {
                    Finding(
                        path: "Package.swift",
                        line: 1,
                        message: "\(module) does not import \($0), use the dependencies that it"
                            + " needs instead"
                    )
                }
        }
    }
}
