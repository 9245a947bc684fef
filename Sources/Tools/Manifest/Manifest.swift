// The tools and servers that a worker's manifest declares. Not here: reading the YAML
// (ManifestReader), running the tools.
public import Configuration
public import Core
internal import FoundationEssentials
public import JSON
internal import OrderedCollections
internal import UVLoop
public import Wire

/// The tools that a YAML file declares.
///
/// Paths: a program written with a slash (`bin/find.sh`) is relative to the manifest's folder. So
/// is every other element of a command that contains a slash or a dot, has no placeholder, and
/// names an existing file there, because tools run in an empty folder of their own.
/// `{manifest_dir}` is replaced by the manifest's folder anywhere in a command.
public struct Manifest: Sendable {
    /// The path of the file, as given.
    public let path: String
    /// The tools in the order of the file; their names differ.
    public let tools: [ManifestTool]
    /// The MCP servers whose tools are offered too, in the order of the file.
    public let servers: [MCPServerEntry]
    /// Other files that it is made of, by absolute path.
    let files: [String]

    /// Reads a file.
    public static func load(path: String) throws(ManifestError) -> Manifest {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ManifestError(
                path: path,
                problems: [
                    FileProblem(message: unreadable(path))
                ]
            )
        }
        guard let yaml = String(validating: data, as: UTF8.self) else {
            throw ManifestError(
                path: path,
                problems: [FileProblem(message: "The file is not UTF-8 text.")]
            )
        }
        return try parse(yaml: yaml, path: path)
    }

    private static func unreadable(_ path: String) -> String {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            return "There is no such file."
        }
        return isFolder
            ? "It is a folder, not a file. Name the manifest in it."
            : "The file cannot be read. Check that this user may read it."
    }

    /// Reads the text of a manifest; relative paths in it start at the folder of `path`.
    public static func parse(yaml: String, path: String) throws(ManifestError) -> Manifest {
        var reader = ManifestReader(folder: absoluteFolder(of: path))
        let tools = reader.read(yaml)
        guard reader.problems.isEmpty else {
            throw ManifestError(path: path, problems: reader.problems)
        }
        return Manifest(path: path, tools: tools, servers: reader.servers, files: reader.files)
    }

    /// Whether one of its servers may have a tool of that name.
    public func mayHave(_ tool: String) -> Bool { servers.contains { $0.mayHave(tool) } }

    /// The worker's variables that tools and servers get, by name.
    public var passedVariables: [String] {
        tools.flatMap(\.passedVariables) + servers.flatMap(\.passedVariables)
    }

    /// Things that are allowed but may prevent tools from working here, one sentence each.
    ///
    /// Programs that are not installed, variables to pass on that are not set, and limits that the
    /// system cannot set.
    public func warnings(environment: [String: String] = WorkerEnvironment.current) -> [String] {
        let lacking = unlimited().map { [$0] } ?? []
        let unset = servers.flatMap { $0.unsetVariables(environment) }
        return lacking + unset
            + tools.flatMap { tool in
                let name = tool.description.name
                var warnings: [String] = []
                let obstacle = tool.http?.obstacle(environment) ?? tool.obstacle(environment)
                if let obstacle {
                    warnings.append("\(name): \(obstacle); it cannot run until that has changed.")
                }
                for variable in tool.passedVariables where environment[variable] == nil {
                    warnings.append(
                        "\(name): pass_env names \(variable), which is not set in the worker's"
                            + " environment."
                    )
                }
                return warnings
            }
    }

    /// The warning that limits of processes do not hold here; nil if they do, or are not set.
    private func unlimited() -> String? {
        let names = tools.filter { $0.limits.processes != nil }.map(\.description.name)
        guard !names.isEmpty, !Confinement.canLimitProcesses() else { return nil }
        return "limits of processes do not hold here (\(names.joined(separator: ", "))): the worker"
            + " needs a control group that it may write or, if it is not root, user namespaces."
    }

    static func absoluteFolder(of path: String) -> String {
        var parts: [Substring] = []
        let start = path.hasPrefix("/") ? "" : FileManager.default.currentDirectoryPath + "/"
        // The last part is the file itself. `..` stays, because a link may come before it.
        for part in (start + path).split(separator: "/").dropLast() where part != "." {
            parts.append(part)
        }
        return "/" + parts.joined(separator: "/")
    }
}

/// A tool as a manifest declares it.
public struct ManifestTool: Sendable {
    /// What a worker announces of it.
    public internal(set) var description: ToolDescription
    /// Whether one process serves many invocations, one after the other.
    public internal(set) var isPersistent = false
    /// The most bytes of output of one invocation, if the manifest sets it.
    public internal(set) var maxOutput: Int?
    /// The program; without elements for an HTTP tool.
    var command = CommandTemplate()
    /// What a program gets on its standard input; nil for the arguments, where the command has no
    /// placeholders.
    var input: TextTemplate?
    /// The request of an HTTP tool.
    var http: HTTPTool?
    var output = OutputContract(format: .text)
    /// Whether outputs must fit their schema; otherwise it is for planners only.
    var checksOutput = true
    var successExitCodes: Set<Int> = [0]
    var exitRetries = ExitRetries()
    var variables: OrderedDictionary<String, String> = [:]
    /// The worker's variables that the tool gets, by name.
    public internal(set) var passedVariables: [String] = []
    var limits = ToolLimits()
    var sandbox: Sandbox?
    /// Whether programs with the set-user-ID bit work.
    var keepsPrivileges = false

    /// What is wrong with the arguments of a call beyond the schema: a value that would become an
    /// option, lead out of a folder, or be too large for a program.
    public func fault(ofArguments arguments: RawJSON) -> Failure? {
        do {
            if let http {
                _ = try http.template.render(arguments)
            } else {
                _ = try command.render(arguments)
            }
            return nil
        } catch {
            return error
        }
    }
}

/// The error for an invalid manifest, with all its problems.
public struct ManifestError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path of the manifest.
    public var path: String
    /// The problems, in the order of the file; at least one.
    public var problems: [FileProblem]

    /// Makes an error with these problems.
    public init(path: String, problems: [FileProblem]) {
        self.path = path
        self.problems = problems
    }

    /// One line for each problem.
    public var description: String {
        problems.map { "\(path): \($0)" }.joined(separator: "\n")
    }
}
