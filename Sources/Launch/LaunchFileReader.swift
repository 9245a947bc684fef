// Reads the YAML of a file of hosts and collects all problems. Not here: groups
// (LaunchFileReader+Groups).
internal import Configuration
internal import Core
internal import YAML

/// Reads one file of hosts.
struct LaunchFileReader: FieldReading {
    /// The path of the file; other files are named from its folder.
    let path: String
    /// All problems so far, in the order of the file.
    var problems: [FileProblem] = []
    /// The group that is being read, for problems.
    var entry: String?

    static let fields = ["name", "coordinator", "workers", "drain_limit"]
    static let coordinatorFields = ["listen", "address", "config", "state", "args"]
    private static let example = "workers: [{local: 2, tools: tools.yaml}]"

    init(path: String) {
        self.path = path
    }

    /// What the file says; incomplete when there are problems.
    mutating func read(_ yaml: String) -> LaunchFile {
        var file = LaunchFile(path: path, name: defaultName, groups: [])
        let root: YAMLNode?
        do {
            root = try YAMLNode.parse(yaml)
        } catch {
            problems.append(FileProblem(yaml: error))
            return file
        }
        guard let fields = root?.mapping else {
            report(root, field: nil, "The file must say where workers run: \(Self.example)")
            return file
        }
        checkNames(fields, Self.fields)
        if let name = text(fields, "name") {
            file.name = name
            if !LaunchName.isValid(name) {
                report(fields["name"], field: "name", "must be \(LaunchName.rule).")
            }
        }
        file.drainLimit = duration(fields, "drain_limit", .zero ... .seconds(36_000_000))
        file.coordinator = readCoordinator(fields["coordinator"])
        guard let list = fields["workers"] else {
            report(root, field: "workers", "is missing. Say where workers run: \(Self.example)")
            return file
        }
        guard let entries = list.sequence, !entries.isEmpty else {
            report(list, field: "workers", "must be a list of groups: \(Self.example)")
            return file
        }
        for node in entries { readGroup(node, into: &file.groups) }
        return file
    }

    /// The file's name without folder and ending.
    private var defaultName: String {
        let name = path.split(separator: "/").last.map(String.init) ?? "launch"
        let stem = name.split(separator: ".").first.map(String.init) ?? "launch"
        return LaunchName.make(of: stem)
    }

    private mutating func readCoordinator(_ node: YAMLNode?) -> CoordinatorEntry? {
        guard let node else { return nil }
        if let text = node.scalar?.string, !node.isNull {
            return CoordinatorEntry(address: text)
        }
        guard let fields = node.mapping else {
            report(
                node,
                field: "coordinator",
                "must be the address of a running one, or {listen: \"10.0.0.1:7420\"} to start one."
            )
            return nil
        }
        checkNames(fields, Self.coordinatorFields)
        var coordinator = CoordinatorEntry(
            listen: text(fields, "listen"),
            address: text(fields, "address"),
            config: text(fields, "config").map(resolve),
            state: text(fields, "state").map(resolve)
        )
        coordinator.arguments = texts(fields, "args")
        if coordinator.listen == nil, coordinator.address == nil {
            report(
                node,
                field: "coordinator",
                "needs listen, to start one, or address, to use a running one."
            )
        }
        return coordinator
    }

    // MARK: - Shared

    /// A path of the file, from the folder of the file.
    func resolve(_ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = self.path.lastIndex(of: "/") else { return path }
        return String(self.path[...slash]) + path
    }

    /// A list of texts; empty if there is none.
    mutating func texts(_ fields: YAMLNode.Mapping, _ name: String) -> [String] {
        guard let node = fields[name] else { return [] }
        guard let list = node.sequence, list.allSatisfy({ $0.scalar != nil }) else {
            report(node, field: name, "must be a list of texts.")
            return []
        }
        return list.compactMap(\.scalar?.string)
    }

    /// Names with their values; empty if there are none.
    mutating func pairs(
        _ fields: YAMLNode.Mapping,
        _ name: String
    ) -> [(key: String, value: String)] {
        guard let node = fields[name] else { return [] }
        guard let mapping = node.mapping else {
            report(node, field: name, "must be names with their values, such as {zone: a}.")
            return []
        }
        return mapping.compactMap { key, value in
            guard let text = value.scalar?.string, !key.plainText.isEmpty else {
                report(value, field: name, "must give \(key.plainText) a text as its value.")
                return nil
            }
            if key.plainText.contains("=") {
                report(key, field: name, "has a name with an = in it: \(key.plainText).")
            }
            return (key.plainText, text)
        }
    }

    mutating func report(_ node: YAMLNode?, field: String?, _ message: String) {
        problems.append(
            FileProblem(line: node?.line, entry: entry, field: field, message: message)
        )
    }
}
