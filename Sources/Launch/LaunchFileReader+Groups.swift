// The groups of a file of hosts: each says in one field where its workers run, and in others what
// they are like.
internal import Configuration
internal import Core
internal import Tools
internal import Wire
internal import YAML

extension LaunchFileReader {
    static let places = ["local", "ssh", "slurm", "container"]
    static let slurmFields = ["nodes", "partition", "time", "sbatch"]
    static let containerFields = ["image", "count", "runtime", "args"]
    static let commonFields = [
        "name", "count", "tools", "slots", "labels", "env", "diagnostics", "min", "max",
        "scale_after", "idle_timeout", "time_limit", "tunnel", "ssh_options",
    ]
    private static let mostWorkers = 10_000

    mutating func readGroup(_ node: YAMLNode, into groups: inout [GroupEntry]) {
        guard let fields = node.mapping else {
            return report(
                node,
                field: "workers",
                "has an entry that is no group, such as local: 2."
            )
        }
        let kinds = Self.places.filter { fields[$0] != nil }
        entry = fields["name"]?.scalar?.string ?? kinds.first
        defer { entry = nil }
        checkNames(fields, Self.places + Self.commonFields)
        guard kinds.count == 1, let kind = kinds.first else {
            let problem = kinds.isEmpty ? "says nowhere where its workers run" : "says it twice"
            return report(
                node,
                field: nil,
                "This group \(problem). It has one of: \(Self.places.joined(separator: ", "))."
            )
        }
        guard var group = readPlace(kind, fields) else { return }
        group.name = name(kind, fields, groups)
        readCommon(fields, into: &group)
        readSize(fields, into: &group)
        let isSSH = kind == "ssh"
        for field in ["tunnel", "ssh_options"] where !isSSH && fields[field] != nil {
            report(fields[field], field: field, "is for ssh groups only. Remove it.")
        }
        groups.append(group)
    }

    // MARK: - Where

    private mutating func readPlace(_ kind: String, _ fields: YAMLNode.Mapping) -> GroupEntry? {
        switch kind {
        case "local":
            guard let count = integer(fields, "local", 0...Self.mostWorkers) else { return nil }
            return GroupEntry(name: "", place: .local, count: count)
        case "ssh": return readSSH(fields)
        case "slurm": return readSlurm(fields)
        default: return readContainer(fields)
        }
    }

    private mutating func readSSH(_ fields: YAMLNode.Mapping) -> GroupEntry? {
        let hosts =
            fields["ssh"]?.scalar.map { [$0.string] } ?? texts(fields, "ssh")
        for host in hosts where host.isEmpty || host.hasPrefix("-") || host.contains(" ") {
            report(fields["ssh"], field: "ssh", "holds \"\(host)\", which is no host of ssh.")
        }
        guard !hosts.isEmpty else {
            report(fields["ssh"], field: "ssh", "must be a list of hosts, such as [me@host-a].")
            return nil
        }
        if Set(hosts).count < hosts.count {
            report(
                fields["ssh"],
                field: "ssh",
                "names a host twice. For several workers a host give the number of all by count."
            )
        }
        let place = SSHEntry(
            hosts: hosts,
            options: texts(fields, "ssh_options"),
            isTunnelled: bool(fields, "tunnel") ?? false
        )
        return GroupEntry(name: "", place: .ssh(place), count: hosts.count)
    }

    private mutating func readSlurm(_ fields: YAMLNode.Mapping) -> GroupEntry? {
        guard let slurm = fields["slurm"]?.mapping else {
            report(fields["slurm"], field: "slurm", "must have fields, such as {nodes: 2}.")
            return nil
        }
        checkNames(slurm, Self.slurmFields)
        let place = SlurmEntry(
            partition: text(slurm, "partition"),
            time: duration(slurm, "time", .seconds(60) ... .seconds(36_000_000)),
            options: texts(slurm, "sbatch")
        )
        for option in place.options.compactMap({ SlurmOptions.refusedOption(in: $0) }) {
            report(slurm["sbatch"], field: "sbatch", "gives \(option), which weft sets. Remove it.")
        }
        let count = integer(slurm, "nodes", 0...Self.mostWorkers) ?? 1
        return GroupEntry(name: "", place: .slurm(place), count: count)
    }

    private mutating func readContainer(_ fields: YAMLNode.Mapping) -> GroupEntry? {
        guard let container = fields["container"]?.mapping else {
            report(
                fields["container"],
                field: "container",
                "must have fields, such as {image: \"weft:dev\", count: 2}."
            )
            return nil
        }
        checkNames(container, Self.containerFields)
        let place = ContainerEntry(
            image: text(container, "image") ?? "",
            runtime: text(container, "runtime"),
            options: texts(container, "args")
        )
        if place.image.isEmpty || place.image.hasPrefix("-") {
            report(fields["container"], field: "image", "is missing. Name it: {image: weft:dev}.")
        }
        if let runtime = place.runtime, !["podman", "docker"].contains(runtime) {
            report(container["runtime"], field: "runtime", "must be podman or docker.")
        }
        let count = integer(container, "count", 0...Self.mostWorkers) ?? 1
        return GroupEntry(name: "", place: .container(place), count: count)
    }

    // MARK: - What

    private mutating func name(
        _ kind: String,
        _ fields: YAMLNode.Mapping,
        _ groups: [GroupEntry]
    ) -> String {
        guard let name = text(fields, "name") else {
            var name = kind
            var number = 1
            while groups.contains(where: { $0.name == name }) {
                number += 1
                name = "\(kind)-\(number)"
            }
            return name
        }
        if !LaunchName.isValid(name) || name.utf8.count > 24 {
            report(
                fields["name"],
                field: "name",
                "must be \(LaunchName.rule); of a group, at most 24."
            )
        }
        if groups.contains(where: { $0.name == name }) {
            report(fields["name"], field: "name", "is used twice. Names of groups must differ.")
        }
        return name
    }

    /// Whether the text may be the name of a variable, so that it is no option of `env`.
    private static func isVariable(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
            default: false
            }
        }
    }

    private mutating func readCommon(_ fields: YAMLNode.Mapping, into group: inout GroupEntry) {
        group.slots = integer(fields, "slots", 1...Limits.largestSlots)
        group.labels = pairs(fields, "labels")
        group.environment = pairs(fields, "env")
        for (key, _) in group.environment where !Self.isVariable(key) {
            report(fields["env"], field: "env", "has \(key), which is no name of a variable.")
        }
        for (key, _) in group.labels where key.hasPrefix("-") {
            report(fields["labels"], field: "labels", "has \(key), which begins with a dash.")
        }
        group.hasDiagnostics = bool(fields, "diagnostics") ?? false
        group.idleTimeout = duration(fields, "idle_timeout")
        group.timeLimit = duration(fields, "time_limit")
        if let path = text(fields, "tools") {
            do throws(ManifestError) {
                group.manifest = try Manifest.load(path: resolve(path))
                if group.place != .local { _ = try group.manifest?.filesBeside() }
            } catch {
                for problem in error.problems {
                    report(fields["tools"], field: "tools", "\(error.path): \(problem)")
                }
            }
        } else if !group.hasDiagnostics {
            report(
                Array(fields).first?.key,
                field: "tools",
                "is missing. Name the manifest of the group's tools: tools: tools.yaml"
            )
        }
    }

    private mutating func readSize(_ fields: YAMLNode.Mapping, into group: inout GroupEntry) {
        let limit = 0...Self.mostWorkers
        if let count = integer(fields, "count", limit) {
            group.count = count
            if case .ssh = group.place {
            } else {
                report(
                    fields["count"],
                    field: "count",
                    "is for ssh groups; others have the number in the field that says where."
                )
            }
        }
        let scaleAfter = duration(fields, "scale_after")
        group.scaleAfter = scaleAfter ?? group.scaleAfter
        guard fields["min"] != nil || fields["max"] != nil else {
            if scaleAfter != nil {
                report(fields["scale_after"], field: "scale_after", "needs min and max.")
            }
            return
        }
        let least = integer(fields, "min", limit) ?? 0
        let most = integer(fields, "max", limit) ?? max(least, group.count)
        guard least <= most else {
            return report(fields["min"], field: "min", "is larger than max.")
        }
        group.range = least...most
        group.count = min(max(group.count, least), most)
        group.idleTimeout = group.idleTimeout ?? .seconds(300)
    }
}
