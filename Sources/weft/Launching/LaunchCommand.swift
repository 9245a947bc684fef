// `weft launch`: starts workers on many hosts, watches them, and ends them. Not here: how each flag
// is followed (LaunchUp, LaunchOrders, LaunchInBackground).
internal import ArgumentParser
internal import Client
internal import Console
internal import FoundationEssentials
internal import Launch
internal import Transport
internal import Wire

struct LaunchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launch",
        abstract: "Starts workers on this and other hosts, watches them, and ends them.",
        discussion: """
            A file says where workers run: on this host, on hosts by ssh, as batches of a Slurm \
            cluster, in containers. The program and the tools are copied along; a worker that \
            fails is started again. The first Ctrl-C drains all workers, the second stops them, a \
            third one leaves those that have not ended. \
            When this command is killed, its workers end by themselves, and nothing is left.

            Examples:
              weft launch hosts.yaml
              weft launch hosts.yaml --dry-run
              weft launch hosts.yaml --detach
              weft launch --status
              weft launch --scale ssh=4
              weft launch --down
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The file that says where workers run; with --status, --scale and --down it may be left "
                + "out when one launch runs.",
            valueName: "hosts.yaml"
        )
    )
    var file: String?

    @Flag(help: "Print every command that would be run, and run none.")
    var dryRun = false
    @Flag(help: "Go on in the background when all workers have started.")
    var detach = false
    @Option(
        help: ArgumentHelp(
            "With --detach: how long to wait for workers before the launch is left to itself "
                + "(default: 2m).",
            valueName: "duration"
        ),
        transform: positiveDuration
    )
    var wait: Duration?
    @Flag(help: "Show the workers of a running launch.")
    var status = false
    @Option(
        help: ArgumentHelp(
            "Give a group of a running launch another size. May be repeated.",
            valueName: "group=number"
        )
    )
    var scale: [String] = []
    @Flag(help: "End a running launch: its workers drain, then stop.")
    var down = false
    @Flag(help: "With --down: do not drain, stop at once.")
    var now = false
    @Option(help: "The name of the launch (default: the name field, else the file's name).")
    var name: String?
    @Flag(
        help: ArgumentHelp(
            "Print workers as JSON: one document for --status, else one a change; of --dry-run the "
                + "commands."
        )
    )
    var json = false

    @Option(help: "Write the log as lines for people (text) or as a JSON object each (json).")
    var logFormat = LogFormat.text

    @Option(
        help: ArgumentHelp(
            "The coordinator, if the file names none (default: WEFT_COORDINATOR, else "
                + "127.0.0.1:7420).",
            valueName: "host:port"
        )
    )
    var coordinator: String?
    @Option(
        help: ArgumentHelp(
            "A file with the join line of workers, which names coordinator and key (default: "
                + "WEFT_JOIN, else the keys in the state folder).",
            valueName: "file"
        )
    )
    var join: String?
    @Flag(
        help: ArgumentHelp(
            "Let all hosts of ssh groups reach the coordinator through ssh, as tunnel: true does."
        )
    )
    var tunnel = false
    @Option(help: EncryptionFlag.help)
    var tls: TLSPolicy?
    @Option(help: "The state folder (default: WEFT_STATE_DIR, else ~/.local/state/weftline).")
    var state: String?
    @Option(
        help: ArgumentHelp(
            "Run as the process in the background, whose outputs go to this file.",
            visibility: .hidden
        )
    )
    var inBackground: String?

    func validate() throws {
        let orders = [status, !scale.isEmpty, down].count { $0 }
        if orders > 1 {
            throw ValidationError("--status, --scale and --down are for one command each.")
        }
        if wait != nil, !detach { throw ValidationError("--wait is for --detach.") }
        if now, !down { throw ValidationError("--now is for --down.") }
        if orders > 0, dryRun || detach || tunnel {
            throw ValidationError(
                "--dry-run, --detach and --tunnel are for starting a launch; leave them out here."
            )
        }
        if dryRun, detach { throw ValidationError("--dry-run starts nothing to detach from.") }
        if join != nil, coordinator != nil || tls != nil {
            throw ValidationError("--join says all; leave --coordinator and --tls out.")
        }
        if join == "-" {
            throw ValidationError("--join must be a file here: its line is read again and again.")
        }
        if orders == 0, file == nil {
            throw ValidationError(
                "Name the file that says where workers run, such as weft launch hosts.yaml."
            )
        }
        if let name, !LaunchName.isValid(name) {
            throw ValidationError("--name must be \(LaunchName.rule).")
        }
        _ = try sizes()
    }

    func run() throws {
        logFormat.use()
        if status { return try orders().showStatus(json: json) }
        if !scale.isEmpty { return try orders().scale(sizes(), json: json) }
        if down { return try orders().down(isUrgent: now, json: json) }
        let file = try loadedFile()
        let place = LaunchSurroundings(
            file: file,
            stateFolder: stateFolder,
            coordinator: coordinator,
            invitation: try invitation(for: file),
            tls: try EncryptionFlag.policy(tls)
        )
        if dryRun { return try LaunchRehearsal(place).run(json: json) }
        if detach {
            let background = LaunchInBackground(place)
            return try background.run(
                arguments: childArguments + ["--in-background", background.draft],
                limit: wait ?? .seconds(120),
                json: json
            )
        }
        try LaunchUp(place, json: json, log: inBackground).run()
    }

    // MARK: - Parts

    private var stateFolder: String {
        StateDirectory.resolve(flag: state, environment: ProcessInfo.processInfo.environment)
    }

    /// The join line of the flag, or of the environment unless something else names a coordinator.
    private func invitation(for file: LaunchFile) throws -> Invitation? {
        let isNamed = coordinator != nil || file.coordinator != nil
        guard let path = join ?? (isNamed ? nil : ConnectionChoice.environment("WEFT_JOIN")) else {
            return nil
        }
        if file.coordinator?.listen != nil {
            throw CommandFailure(
                .usage,
                "\(file.path) starts a coordinator, so its workers cannot join another one by "
                    + "--join. Leave one of them out."
            )
        }
        let invitation = try JoinFlag.load(path)
        guard invitation.role == .worker else {
            throw CommandFailure(
                .refused,
                "\(path) is the join line of a \(invitation.role.rawValue). Use a worker's."
            )
        }
        return invitation
    }

    private func loadedFile() throws -> LaunchFile {
        do throws(LaunchFileError) {
            var file = try LaunchFile.load(path: file ?? "")
            file.name = name ?? file.name
            if tunnel { try file.tunnel() }
            return file
        } catch {
            throw CommandFailure(.usage, error.lines.map(\.asError))
        }
    }

    private func orders() throws -> LaunchOrders {
        let named = try name ?? file.map { _ in try loadedFile().name }
        return try LaunchOrders(stateFolder: stateFolder, name: named)
    }

    private func sizes() throws -> [(group: String, count: Int)] {
        try scale.map { text in
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let count = Int(parts[1]), (0...10_000).contains(count) else {
                throw ValidationError("--scale \(text): write it as group=number, such as ssh=4.")
            }
            return (String(parts[0]), count)
        }
    }

    /// The arguments of the same launch in the background.
    private var childArguments: [String] {
        var arguments = ["launch", file ?? "", "--state", stateFolder]
        if let name { arguments += ["--name", name] }
        if let coordinator { arguments += ["--coordinator", coordinator] }
        if let join { arguments += ["--join", join] }
        if tunnel { arguments.append("--tunnel") }
        if let tls { arguments += ["--tls", tls.rawValue] }
        if logFormat != .text { arguments += ["--log-format", logFormat.rawValue] }
        return arguments
    }
}
