// The files beside a manifest that belong to it: those that its commands and sandboxes name.
internal import Configuration
internal import FoundationEssentials
internal import Wire

extension Manifest {
    /// The folder of the manifest, an absolute path.
    public var folder: String { Self.absoluteFolder(of: path) }

    /// The files and folders in the manifest's folder that its commands and sandboxes name, without
    /// the folder; `.` for all of it.
    ///
    /// - Throws: If a command names a file by a way that leads out of the folder.
    public func filesBeside() throws(ManifestError) -> [String] {
        let folder = folder
        var names: Set<String> = []
        for path in files {
            let name = path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : ""
            guard !name.isEmpty, !name.split(separator: "/").contains("..") else {
                let problem = FileProblem(
                    field: "openapi",
                    message: "names \(path), which is not in the manifest's folder and so is not"
                        + " copied along. Move it there."
                )
                throw ManifestError(path: self.path, problems: [problem])
            }
            names.insert(name)
        }
        for tool in tools {
            for path in tool.sandbox.map({ ($0.readable ?? []) + $0.writable }) ?? [] {
                guard path == folder || path.hasPrefix(folder + "/") else { continue }
                guard FileManager.default.fileExists(atPath: path) else { continue }
                names.insert(Self.name(path.dropFirst(folder.count), isWhole: true) ?? ".")
            }
            for element in tool.command.elements {
                guard case .text(let text)? = element.pieces.first else { continue }
                // A program may stand in an element as `--file=/folder/name`.
                guard let place = text.firstRange(of: folder) else { continue }
                let name = Self.name(
                    text[place.upperBound...],
                    isWhole: element.pieces.count == 1
                )
                guard let name else { continue }
                guard !name.split(separator: "/").contains("..") else {
                    let problem = FileProblem(
                        entry: tool.description.name,
                        field: "command",
                        message: "names \(name), which is not in the manifest's folder and so is "
                            + "not copied along. Move it there."
                    )
                    throw ManifestError(path: path, problems: [problem])
                }
                if FileManager.default.fileExists(atPath: "\(folder)/\(name)") {
                    names.insert(name)
                }
            }
        }
        for server in servers { names.formUnion(server.files(in: folder)) }
        return names.sorted()
    }

    /// The name after the folder; nil if the text goes on with another folder's name.
    fileprivate static func name(_ rest: Substring, isWhole: Bool) -> String? {
        if rest.isEmpty { return "." }
        guard rest.first == "/" else { return nil }
        // What follows a placeholder is not known, only its folder.
        let path = isWhole ? rest : rest[..<(rest.lastIndex(of: "/") ?? rest.startIndex)]
        let name = path.split(separator: "/").joined(separator: "/")
        return name.isEmpty ? "." : name
    }
}

extension MCPServerEntry {
    /// The files in a manifest's folder that its program's words name, without the folder.
    fileprivate func files(in folder: String) -> [String] {
        guard case .program(let tool, let program) = place, program.folder == folder else {
            return []
        }
        return tool.command.elements.compactMap(\.literal).compactMap { word in
            guard !word.isEmpty, !word.hasPrefix("-") else { return nil }
            let path = word.hasPrefix("/") ? word : "\(folder)/\(word)"
            guard path == folder || path.hasPrefix(folder + "/"),
                !path.split(separator: "/").contains(".."),
                FileManager.default.fileExists(atPath: path)
            else { return nil }
            return word == "." ? "." : Manifest.name(path.dropFirst(folder.count), isWhole: true)
        }
    }
}
