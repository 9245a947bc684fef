// Which sites a launch has: one for each host, however many groups use it, one for this host, and
// one for each group of batches or containers.
internal import LaunchCore
internal import Tools

struct LaunchPlaces {
    private(set) var sites: [any LaunchSite] = []
    private(set) var groups: [GroupSettings] = []

    /// What makes two mentions of a host the same connection.
    private struct HostKey: Hashable {
        var host: String
        var options: [String]
        var isTunnelled: Bool
    }

    init(_ file: LaunchFile, _ context: LaunchContext, stateFolder: String) {
        var hosts: [HostKey: Int] = [:]
        var local: Int?
        for (place, group) in file.groups.enumerated() {
            var own: [Int] = []
            switch group.place {
            case .local:
                if local == nil { local = add(LocalSite(context)) }
                own = local.map { [$0] } ?? []
            case .ssh(let entry):
                for host in entry.hosts {
                    let key = HostKey(
                        host: host,
                        options: entry.options,
                        isTunnelled: entry.isTunnelled
                    )
                    let number =
                        hosts[key]
                        ?? add(
                            SSHSite(
                                context,
                                host: host,
                                entry: entry,
                                number: sites.count + 1,
                                manifests: Self.manifests(of: key, in: file)
                            )
                        )
                    hosts[key] = number
                    own.append(number)
                }
            case .slurm(let entry):
                let folder = "\(stateFolder)/\(context.id)-\(place)"
                own = [add(SlurmSite(context, entry: entry, group: (place, group), folder: folder))]
            case .container(let entry): own = [add(ContainerSite(context, entry: entry))]
            }
            groups.append(Self.settings(of: group, sites: own))
        }
    }

    private mutating func add(_ site: any LaunchSite) -> Int {
        sites.append(site)
        return sites.count - 1
    }

    /// The manifests of all groups that use a host.
    private static func manifests(
        of key: HostKey,
        in file: LaunchFile
    ) -> [(group: Int, manifest: Manifest)] {
        file.groups.enumerated().compactMap { place, group in
            guard case .ssh(let entry) = group.place, let manifest = group.manifest,
                entry.hosts.contains(key.host), entry.options == key.options,
                entry.isTunnelled == key.isTunnelled
            else { return nil }
            return (place, manifest)
        }
    }

    private static func settings(of group: GroupEntry, sites: [Int]) -> GroupSettings {
        GroupSettings(
            name: group.name,
            sites: sites,
            count: group.count,
            // A worker has one for each core; what hosts have is known when their workers tell.
            slots: group.slots ?? System.coreCount,
            elastic: group.range.map { ElasticSettings(range: $0, scaleAfter: group.scaleAfter) }
        )
    }
}
