// What makes sandboxes on this worker: bubblewrap, or Landlock where that is not to be had. Found out
// once, when a worker starts. Not here: what a tool reaches (Sandbox).
internal import FoundationEssentials
internal import UVLoop

/// The way to make sandboxes here.
public enum SandboxMeans: Sendable, Hashable {
    /// Namespaces of the system, made by this program.
    case bubblewrap(program: String)
    /// Rules of the system for files, and a filter for sockets; with why there is no bubblewrap.
    case landlock(lack: String)
    /// None, with what is missing, as a sentence without its period.
    case none(reason: String)

    /// A variable of the worker that leaves out some means: `landlock` for no bubblewrap, `none`.
    public static let variable = "WEFT_SANDBOX"

    /// The first version that can protect files from being cut short.
    private static let neededVersion = 3

    /// Tries what there is; waits for a few milliseconds.
    public static func find(_ environment: [String: String]) -> SandboxMeans {
        let wanted = environment[variable] ?? ""
        guard ["", "bubblewrap", "landlock", "none"].contains(wanted) else {
            return .none(reason: "\(variable) must be bubblewrap, landlock or none")
        }
        guard wanted != "none" else { return .none(reason: "\(variable) is none") }
        var lack = "\(variable) is landlock"
        if wanted != "landlock" {
            let path = environment["PATH"] ?? ProcessEnvironment.defaultPath
            if let program = ManifestTool.executable("bwrap", in: path) {
                let trial = BubblewrapCommand.trial(program)
                if Confinement.succeeds(trial, within: .seconds(5)) {
                    return .bubblewrap(program: program)
                }
                lack = "bubblewrap may not make namespaces here"
            } else {
                lack = "bubblewrap is not installed"
            }
        }
        let version = Confinement.fenceVersion
        if wanted != "bubblewrap", version >= neededVersion { return .landlock(lack: lack) }
        if wanted == "bubblewrap" { return .none(reason: lack) }
        return .none(
            reason: version == 0
                ? "\(lack), and the system has no Landlock"
                : "\(lack), and the Landlock of the system (version \(version)) cannot protect"
                    + " files from being cut short, which needs Linux 6.2"
        )
    }
}

extension SandboxMeans: CustomStringConvertible {
    /// What makes sandboxes here, for a log.
    public var description: String {
        switch self {
        case .bubblewrap(let program): "sandboxes are made by bubblewrap (\(program))"
        case .landlock(let lack): "sandboxes are made by Landlock, since \(lack)"
        case .none(let reason): "no sandboxes can be made, since \(reason)"
        }
    }
}

/// How the processes of one tool are confined.
struct ToolConfinement {
    private let confinement: Confinement
    private let sandbox: Sandbox?
    private let means: SandboxMeans?
    private let named: [String]

    init(_ tool: ManifestTool, environment: [String: String], means: SandboxMeans?) {
        var confinement = tool.limits.confinement
        confinement.keepsPrivileges = tool.keepsPrivileges
        sandbox = tool.sandbox
        self.means = sandbox == nil ? nil : means ?? .find(environment)
        named = sandbox == nil ? [] : tool.commandPaths(environment)
        if case .bubblewrap? = self.means { confinement.isWrapped = true }
        self.confinement = confinement
    }

    /// Whether the process that is started is bubblewrap's.
    var isWrapped: Bool { confinement.isWrapped }

    /// Why the tool cannot run here, as a sentence without its period; nil if it can.
    var obstacle: String? {
        guard case .none(let reason)? = means else { return nil }
        return "it may only run in a sandbox, and there is none here: \(reason)"
    }

    /// Confines a child that works in a folder.
    func confine(_ options: inout ChildProcess.Options, folder: String) {
        options.confinement = confinement
        guard let sandbox, let means else { return }
        switch means {
        case .bubblewrap(let program):
            let command = BubblewrapCommand(program: program, sandbox: sandbox, named: named)
            options.arguments = command.words(folder: folder) + options.arguments
        case .landlock:
            options.confinement.fence = fence(sandbox, folder)
            options.confinement.lacksNetwork = !sandbox.hasNetwork
        case .none:
            preconditionFailure("a tool with an obstacle is not started")
        }
    }

    private func fence(_ sandbox: Sandbox, _ folder: String) -> Confinement.Fence {
        var readable: [String]
        if let paths = sandbox.readable {
            readable = Sandbox.systemPaths + paths
        } else {
            let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/")) ?? []
            readable = entries.filter { !Sandbox.ownFolders.contains($0) }.map { "/\($0)" }
        }
        if sandbox.hasNetwork { readable += Sandbox.resolverPaths }
        return Confinement.Fence(
            readable: readable + ["/proc"] + named,
            writable: Sandbox.devices + sandbox.writable + [folder]
        )
    }
}
