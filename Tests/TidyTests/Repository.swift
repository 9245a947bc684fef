// The files of the repository and what Package.swift says of them, found from this file's place.
import Foundation

/// The repository this test belongs to.
struct Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Every text file, by path.
    let files: [SourceFile]
    /// The modules and their dependencies, as Package.swift has them.
    let graph: ModuleGraph

    /// Reads everything; the tests share what it finds.
    static let shared = Result { try Repository() }

    private init() throws {
        files = try Self.paths().compactMap { path in
            let data = try Data(contentsOf: Self.root.appendingPathComponent(path))
            return String(data: data, encoding: .utf8).map { SourceFile(path: path, text: $0) }
        }
        graph = ModuleGraph(package: files.first { $0.path == "Package.swift" }?.text ?? "")
    }

    /// The paths of all files but those that building and tools leave behind.
    private static func paths() throws -> [String] {
        var found: [String] = []
        var folders = [""]
        while let folder = folders.popLast() {
            let here = root.appendingPathComponent(folder)
            for name in try FileManager.default.contentsOfDirectory(atPath: here.path).sorted() {
                let isOurs =
                    [".ci", ".swift-format", ".gitignore"].contains(name)
                    || !(name.hasPrefix(".") || name.hasPrefix("__") || name == "Package.resolved")
                guard isOurs else { continue }
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                let values = try root.appendingPathComponent(path)
                    .resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
                if values.isSymbolicLink == true { continue }
                if values.isDirectory == true { folders.append(path) } else { found.append(path) }
            }
        }
        return found.sorted()
    }

    /// Code under `Sources`.
    var sources: [SourceFile] { files.filter { $0.module != nil && $0.isCode } }

    /// Code under `Sources` and `Tests`.
    var code: [SourceFile] {
        files.filter { $0.isCode && ($0.path.hasPrefix("Sources/") || $0.path.hasPrefix("Tests/")) }
    }

    func file(_ path: String) -> SourceFile? { files.first { $0.path == path } }

    /// The names of the folders directly under a folder.
    func folders(under folder: String) -> Set<String> {
        Set(
            files.compactMap { file in
                let parts = file.path.split(separator: "/")
                return parts.count > 2 && parts[0] == folder ? String(parts[1]) : nil
            }
        )
    }
}
