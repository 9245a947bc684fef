// The arrows between modules: who may import whom. Arrows go down only.
import Foundation

enum ModuleRules {
    private static let numbers: Set<String> = ["JSON", "Plans", "Wire"]
    private static let loop: Set<String> = ["UVLoop", "Transport"]

    /// What each module may import; what is not listed, it may not.
    ///
    /// The pure modules come first: of the modules outside this package they see collections alone.
    static let allowed: [String: Set<String>] = [
        "JSON": ["CSimdJSON", "OrderedCollections"],
        "Schemas": ["JSON", "OrderedCollections"],
        "Plans": ["JSON", "OrderedCollections"],
        "Wire": [
            "COpenSSL", "CSimdJSON", "JSON", "Plans", "DequeModule", "OrderedCollections",
        ],
        "Scheduling": ["Plans", "DequeModule", "HeapModule"],
        "Joining": ["JSON", "Plans"],
        "Planning": ["JSON", "Schemas", "Plans", "Joining", "OrderedCollections"],
        "CoordinatorCore": numbers.union([
            "Schemas", "Scheduling", "Joining", "Planning", "DequeModule", "HeapModule",
            "OrderedCollections",
        ]),
        "WorkerCore": numbers.union(["DequeModule", "HeapModule", "OrderedCollections"]),

        "UVLoop": ["CLibuv", "CProcess", "Glibc"],
        "Transport": numbers.union(["UVLoop", "Glibc"]),
        "Tools": numbers.union([
            "UVLoop", "Schemas", "Configuration", "FoundationEssentials", "Glibc",
            "OrderedCollections", "Yams",
        ]),
        "Configuration": ["Plans", "Yams"],
        "HTTP": ["CCurl", "UVLoop", "Glibc"],
        "LanguageModels": [
            "HTTP", "UVLoop", "JSON", "Planning", "Configuration", "FoundationEssentials", "Glibc",
            "Yams",
        ],
        "Coordinator": numbers.union(loop).union([
            "CoordinatorCore", "LanguageModels", "Planning", "Configuration", "Glibc", "Logging",
            "Yams",
        ]),
        "Worker": numbers.union(loop).union([
            "WorkerCore", "Tools", "Logging", "OrderedCollections",
        ]),
        "Client": numbers.union(loop),

        "Weftline": numbers.union(loop).union([
            "Tools", "Coordinator", "CoordinatorCore", "Worker", "WorkerCore", "Client",
            "LanguageModels", "Planning", "Configuration", "FoundationEssentials", "Logging",
            "OrderedCollections",
        ]),
        "weft": numbers.union(loop).union([
            "Schemas", "Tools", "Coordinator", "CoordinatorCore", "Worker", "WorkerCore", "Client",
            "LanguageModels", "Planning", "Configuration", "ArgumentParser",
            "FoundationEssentials", "Glibc", "Logging", "OrderedCollections",
        ]),

        "CLibuv": [], "CSimdJSON": [], "COpenSSL": [], "CCurl": [], "CProcess": [],
    ]

    /// Modules that compute and do nothing else.
    static let pure: Set<String> = [
        "JSON", "Schemas", "Plans", "Wire", "Scheduling", "Joining", "Planning",
        "CoordinatorCore", "WorkerCore",
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

    static func findings(in file: SourceFile) -> [Finding] {
        guard file.isSwift, let module = file.module else { return [] }
        let mayImport = allowed[module] ?? []
        return imports(of: file).filter { !mayImport.contains($0.module) }
            .map { entry in
                Finding(
                    path: file.path,
                    line: entry.line,
                    message: "\(module) imports \(entry.module), use a module below it instead, or"
                        + " draw the arrow in ModuleRules and say why"
                )
            }
    }
}
