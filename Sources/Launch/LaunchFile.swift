// What a file of hosts says: where the coordinator is and which workers run where. Not here:
// reading it (LaunchFileReader), what is done with it.
public import Configuration
internal import FoundationEssentials
public import Tools
internal import Wire

/// A file that says where workers run.
public struct LaunchFile: Sendable {
    /// The path of the file, as given.
    public var path: String
    /// The launch's name, which begins the names of its workers.
    public var name: String
    /// The coordinator; nil if the file names none.
    public var coordinator: CoordinatorEntry?
    /// The groups of workers, in the order of the file.
    public var groups: [GroupEntry]
    /// How long workers may finish what they run at the end; nil for the default.
    public var drainLimit: Duration?

    /// Reads a file.
    public static func load(path: String) throws(LaunchFileError) -> LaunchFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            let isThere = FileManager.default.fileExists(atPath: path)
            let message = isThere ? "The file cannot be read." : "There is no such file."
            throw LaunchFileError(path: path, problems: [FileProblem(message: message)])
        }
        return try parse(yaml: String(decoding: data, as: UTF8.self), path: path)
    }

    /// Reads the text of a file; paths in it start at the folder of `path`.
    public static func parse(yaml: String, path: String) throws(LaunchFileError) -> LaunchFile {
        var reader = LaunchFileReader(path: path)
        let file = reader.read(yaml)
        guard reader.problems.isEmpty else {
            throw LaunchFileError(path: path, problems: reader.problems)
        }
        return file
    }
}

extension LaunchFile {
    /// Lets the hosts of all ssh groups reach the coordinator through ssh; there must be some.
    public mutating func tunnel() throws(LaunchFileError) {
        var hasHosts = false
        for place in groups.indices {
            guard case .ssh(var entry) = groups[place].place else { continue }
            entry.isTunnelled = true
            groups[place].place = .ssh(entry)
            hasHosts = true
        }
        guard hasHosts else {
            let message = "--tunnel is for ssh groups, and there is none. Leave it out."
            throw LaunchFileError(path: path, problems: [FileProblem(message: message)])
        }
    }
}

/// The coordinator of a launch.
public struct CoordinatorEntry: Sendable, Equatable {
    /// Where to start one, `HOST:PORT`; nil to use a running one.
    public var listen: String?
    /// Where workers find it; nil for where it listens.
    public var address: String?
    /// The configuration of the one that is started.
    public var config: String?
    /// The state folder of the one that is started.
    public var state: String?
    /// Further arguments of the one that is started.
    public var arguments: [String] = []
}

/// A group of workers that are alike.
public struct GroupEntry: Sendable {
    /// Where the workers of a group run.
    public enum Place: Sendable, Equatable {
        /// On this host.
        case local
        /// On hosts, in turn.
        case ssh(SSHEntry)
        /// As batches of a Slurm cluster.
        case slurm(SlurmEntry)
        /// In containers on this host.
        case container(ContainerEntry)
    }

    /// The name by which it is scaled.
    public var name: String
    /// Where its workers run.
    public var place: Place
    /// How many workers it has at first.
    public var count: Int
    /// The manifest of its tools, if it has one.
    public var manifest: Manifest?
    /// Slots of each worker; nil for one a core.
    public var slots: Int?
    /// Labels of each worker.
    public var labels: [(key: String, value: String)] = []
    /// Variables of each worker's environment.
    public var environment: [(key: String, value: String)] = []
    /// Whether the workers have the diagnostic tools.
    public var hasDiagnostics = false
    /// The fewest and the most workers; nil if the group does not change by itself.
    public var range: ClosedRange<Int>?
    /// How long nodes wait before the group grows.
    public var scaleAfter: Duration = .seconds(30)
    /// How long workers beyond the fewest may be idle.
    public var idleTimeout: Duration?
    /// How long each worker runs at most.
    public var timeLimit: Duration?
}

extension GroupEntry {
    /// The names of the tools that its workers have.
    public var toolNames: Set<String> {
        let own = manifest?.tools.map(\.description.name) ?? []
        return Set(own + (hasDiagnostics ? DiagnosticTools.descriptions.map(\.name) : []))
    }
}

/// Hosts that are reached by ssh.
public struct SSHEntry: Sendable, Equatable {
    /// The hosts, as ssh takes them.
    public var hosts: [String] = []
    /// Further options of ssh.
    public var options: [String] = []
    /// Whether the hosts reach the coordinator through ssh.
    public var isTunnelled = false
}

/// A Slurm cluster.
public struct SlurmEntry: Sendable, Equatable {
    /// The partition; nil for the cluster's default.
    public var partition: String?
    /// The time limit of each batch.
    public var time: Duration?
    /// Further options of sbatch.
    public var options: [String] = []
}

/// Containers of one image.
public struct ContainerEntry: Sendable, Equatable {
    /// The image.
    public var image = ""
    /// `podman` or `docker`; nil for the one that is there.
    public var runtime: String?
    /// Further options of `run`.
    public var options: [String] = []
}

/// The error for an invalid file of hosts, with all its problems.
public struct LaunchFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path of the file.
    public var path: String
    /// The problems, in the order of the file; at least one.
    public var problems: [FileProblem]

    /// Makes an error with these problems.
    public init(path: String, problems: [FileProblem]) {
        self.path = path
        self.problems = problems
    }

    /// One line for each problem, `hosts.yaml:7: …`.
    public var lines: [String] {
        problems.map { problem in
            var rest = problem
            rest.line = nil
            return path + (problem.line.map { ":\($0)" } ?? "") + ": \(rest)"
        }
    }

    /// The lines.
    public var description: String { lines.joined(separator: "\n") }
}
