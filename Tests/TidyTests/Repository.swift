// The files of the repository and what Package.swift says of them, found from this file's place.
import Foundation

/// The repository this test belongs to.
struct Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Every text file, by path.
    let files: [SourceFile]
    /// The text of Package.swift.
    let package: String

    /// Reads everything; the tests share what it finds.
    static let shared = Result { try Repository() }

    private init() throws {
        files = try Self.paths().compactMap { path in
            let data = try Data(contentsOf: Self.root.appendingPathComponent(path))
            return String(data: data, encoding: .utf8).map { SourceFile(path: path, text: $0) }
        }
        package = files.first { $0.path == "Package.swift" }?.text ?? ""
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

    /// The names of the targets in Package.swift that a function of this name declares.
    func targets(_ pattern: String) -> Set<String> { Self.targets(pattern, in: package) }

    static func targets(_ pattern: String, in package: String) -> Set<String> {
        guard let expression = try? Regex(pattern + #"\(\s*(?:name:\s*)?"(\w+)""#) else {
            return []
        }
        return Set(
            package.matches(of: expression).compactMap { $0.output[1].substring.map(String.init) }
        )
    }

    /// The targets that live in a folder of their own choice, with its path.
    static func placed(in package: String) -> [String: String] {
        let pattern = #"name:\s*"(\w+)",(?:(?!name:)[\s\S])*?\bpath:\s*"([^"]+)""#
        guard let expression = try? Regex(pattern) else { return [:] }
        let pairs = package.matches(of: expression).compactMap { match in
            match.output[1].substring.flatMap { name in
                match.output[2].substring.map { (String(name), String($0)) }
            }
        }
        return Dictionary(pairs) { $1 }
    }

    /// The targets whose path is their own choice; programs and helpers of the tests.
    var placed: [String: String] { Self.placed(in: package) }

    /// The targets that live under `Sources`.
    var modules: Set<String> {
        targets(#"(?:\bmodule|\.target|\.systemLibrary|\.executableTarget)"#)
            .subtracting(placed.keys)
    }
}
