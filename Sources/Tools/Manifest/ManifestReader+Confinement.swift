// What a manifest says of a tool's limits, its sandbox and its privileges. Not here: what is made of
// that (Confinement).
internal import Configuration
internal import YAML

extension ManifestReader {
    private static let limitNames = ["cpu", "memory", "files", "processes", "file_size"]
    private static let sandboxNames = ["network", "read", "write"]

    mutating func readConfinement(_ tool: inout ManifestTool, _ fields: YAMLNode.Mapping) {
        tool.limits = limits(fields)
        tool.sandbox = sandbox(fields)
        guard let node = fields["privileges"] else { return }
        guard node.plainText == "keep" else {
            return report(
                node,
                field: "privileges",
                "must be keep, for programs such as sudo that get the rights of another user."
                    + " Without the field no program does."
            )
        }
        if tool.sandbox != nil {
            report(node, field: "privileges", "cannot be kept in a sandbox. Remove one of both.")
        }
        tool.keepsPrivileges = true
    }

    private mutating func limits(_ fields: YAMLNode.Mapping) -> ToolLimits {
        var limits = ToolLimits()
        guard let node = fields["limits"] else { return limits }
        guard let inner = node.mapping else {
            report(node, field: "limits", "must be names with values: {cpu: 10s, memory: 512MiB}.")
            return limits
        }
        checkNames(inner, Self.limitNames)
        limits.cpu = duration(inner, "cpu", .seconds(1) ... .seconds(36_000_000))
        if let cpu = limits.cpu, cpu.components.attoseconds != 0 {
            report(inner["cpu"], field: "cpu", "must be whole seconds, which the system counts.")
        }
        // A process needs some of each to start.
        limits.memory = size(inner, "memory", 1 << 20...1 << 50)
        limits.files = integer(inner, "files", 8...1_048_576)
        limits.processes = integer(inner, "processes", 1...4_194_304)
        limits.fileSize = size(inner, "file_size", 1...1 << 50)
        return limits
    }

    private mutating func sandbox(_ fields: YAMLNode.Mapping) -> Sandbox? {
        guard let node = fields["sandbox"] else { return nil }
        guard let inner = node.mapping else {
            report(
                node,
                field: "sandbox",
                "must be fields such as {network: none, read: [/srv/data]}, or {} for no network and nothing to write."
            )
            return nil
        }
        checkNames(inner, Self.sandboxNames)
        var sandbox = Sandbox()
        if let network = inner["network"] {
            sandbox.hasNetwork = network.plainText == "host"
            if !["host", "none"].contains(network.plainText) {
                report(network, field: "network", "must be none or host.")
            }
        }
        if inner["read"] != nil { sandbox.readable = paths(inner, "read") }
        if inner["write"]?.plainText != "workdir" { sandbox.writable = paths(inner, "write") }
        return sandbox
    }

    /// A list of paths; relative ones start at the manifest's folder.
    private mutating func paths(_ fields: YAMLNode.Mapping, _ name: String) -> [String] {
        guard let node = fields[name] else { return [] }
        guard let list = node.sequence else {
            let alternative = name == "write" ? "workdir or " : ""
            report(node, field: name, "must be \(alternative)a list of paths, such as [/srv/data].")
            return []
        }
        return list.compactMap { entry in
            let text = entry.plainText
            guard !text.isEmpty, !text.utf8.contains(0), !text.hasPrefix("~") else {
                report(entry, field: name, "contains something that is not a path.")
                return nil
            }
            let parts = (text.hasPrefix("/") ? text : "\(folder)/\(text)").split(separator: "/")
            guard !parts.contains("..") else {
                report(entry, field: name, "names \(text). Write the path without \"..\".")
                return nil
            }
            return "/" + parts.filter { $0 != "." }.joined(separator: "/")
        }
    }
}
