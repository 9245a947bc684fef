// The coordinator of a command, and the key for it.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import FoundationEssentials
internal import Transport
internal import UVLoop
internal import Wire

/// The flags that name a coordinator and a key, without a join line.
struct CoordinatorFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The coordinator, or several that are tried in turn, with commas (default: "
                + "WEFT_COORDINATOR; else 127.0.0.1:7420, but for run a cluster of its own).",
            valueName: "host:port"
        )
    )
    var coordinator: String?

    @Option(
        help: ArgumentHelp(
            "The key file (default: WEFT_KEY_FILE, else client.key in the state folder).",
            valueName: "file"
        )
    )
    var keyFile: String?

    @Option(
        help: ArgumentHelp(
            "The state folder (default: WEFT_STATE_DIR, else ~/.local/state/weftline).",
            valueName: "folder"
        )
    )
    var state: String?

    @Option(help: EncryptionFlag.help)
    var tls: TLSPolicy?

    func validate() throws {
        if let coordinator { try Endpoints.parse(coordinator, "--coordinator") }
    }

    /// Refuses flags that say how to reach a coordinator, for a command that needs none.
    func checkUnused() throws {
        guard let flag = keyFile.map({ _ in "--key-file" }) ?? tls.map({ _ in "--tls" }) else {
            return
        }
        throw ValidationError("\(flag) is for a run at a --coordinator.")
    }
}

/// The flags of a command that talks to a coordinator.
struct ConnectionOptions: ParsableArguments {
    @OptionGroup var flags: CoordinatorFlags

    @Option(
        help: ArgumentHelp(
            "A file with a join line, which names coordinator and key; - for a line of standard "
                + "input (default: WEFT_JOIN).",
            valueName: "file"
        )
    )
    var join: String?

    private var choice: ConnectionChoice { ConnectionChoice(flags, join: join) }

    func validate() throws { try choice.validate() }

    /// Whether a coordinator is named by a flag or the environment.
    func namesCoordinator() throws -> Bool { try choice.namesCoordinator() }

    /// How to connect; a viewer's key is enough for a command that only reads.
    func clientOptions(readsOnly: Bool = false) throws -> CoordinatorClient.Options {
        try choice.clientOptions(readsOnly: readsOnly)
    }
}

/// Which coordinator and key a command uses, by its flags and the environment.
struct ConnectionChoice {
    private let flags: CoordinatorFlags
    private let join: String?

    /// What these flags choose, with a file that has a join line.
    init(_ flags: CoordinatorFlags, join: String?) {
        self.flags = flags
        self.join = join
    }

    /// Refuses flags that contradict each other.
    func validate() throws {
        try JoinFlag.check(
            join,
            coordinator: flags.coordinator,
            keyFile: flags.keyFile,
            tls: flags.tls
        )
    }

    /// Whether a coordinator is named by a flag or the environment.
    func namesCoordinator() throws -> Bool {
        try joinFile != nil || namedEndpoints() != nil
    }

    /// How to connect; a viewer's key is enough for a command that only reads.
    func clientOptions(readsOnly: Bool = false) throws -> CoordinatorClient.Options {
        if let joinFile { return try options(joining: joinFile, readsOnly: readsOnly) }
        let endpoints = try namedEndpoints() ?? [.default]
        let (role, path) = keyPath(readsOnly: readsOnly)
        try check(role, may: readsOnly, path)
        let policy = try EncryptionFlag.policy(flags.tls)
        EncryptionFlag.warn(of: endpoints, policy)
        do throws(KeyFileError) {
            return .client(
                to: endpoints,
                role: role,
                key: try KeyFile.load(path: path),
                tls: policy
            )
        } catch {
            throw CommandFailure(error, toReach: endpoints[0])
        }
    }

    /// The join file of the flag, or of the environment unless other flags name a coordinator.
    private var joinFile: String? {
        if let join { return join }
        guard flags.coordinator == nil, flags.keyFile == nil else { return nil }
        return Self.environment("WEFT_JOIN")
    }

    private func options(
        joining path: String,
        readsOnly: Bool
    ) throws -> CoordinatorClient.Options {
        let invitation = try JoinFlag.load(path)
        try check(invitation.role, may: readsOnly, path)
        let policy = invitation.isEncrypted ? TLSPolicy.always : .never
        EncryptionFlag.warn(of: invitation.endpoints, policy)
        var options = CoordinatorClient.Options.client(
            to: invitation.endpoints,
            role: invitation.role,
            key: invitation.key,
            tls: policy
        )
        options.isJoining = true
        return options
    }

    private func check(_ role: Role, may readsOnly: Bool, _ path: String) throws {
        guard readsOnly || role != .viewer else {
            throw CommandFailure(
                .refused,
                "\(path) is the key of viewers, who may only watch and ask. Use a client's."
            )
        }
        guard role != .worker else {
            throw CommandFailure(.refused, "\(path) is the key of workers. Use a client's.")
        }
    }

    private func namedEndpoints() throws -> [Endpoint]? {
        if let coordinator = flags.coordinator {
            return try Endpoints.parse(coordinator, "--coordinator")
        }
        guard let text = Self.environment("WEFT_COORDINATOR") else { return nil }
        return try Endpoints.parse(text, "WEFT_COORDINATOR")
    }

    /// The role and key file: the named file, else the one in the state folder.
    private func keyPath(readsOnly: Bool) -> (Role, String) {
        let choice = KeyFileChoice(
            file: flags.keyFile,
            state: flags.state,
            environment: ProcessInfo.processInfo.environment
        )
        let client = choice.path(for: .client)
        if choice.named != nil { return (choice.namedRole ?? .client, client) }
        let viewer = choice.path(for: .viewer)
        let files = FileManager.default
        let viewsOnly =
            readsOnly && !files.fileExists(atPath: client) && files.fileExists(atPath: viewer)
        return viewsOnly ? (.viewer, viewer) : (.client, client)
    }

    static func environment(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// How long a command that follows a run tries to connect again.
struct ReconnectFlag: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long to try again when the connection is lost; 0s for not at all (default: 60s).",
            valueName: "duration"
        ),
        transform: duration
    )
    var reconnect: Duration?

    static let standard = Duration.seconds(60)

    var limit: Duration { reconnect ?? Self.standard }
}

/// Lists of coordinators in flags and variables.
enum Endpoints {
    /// Reads `HOST:PORT[,HOST:PORT]…`; the source is named in the error.
    @discardableResult
    static func parse(_ text: String, _ source: String) throws -> [Endpoint] {
        do throws(EndpointError) {
            return try text.split(separator: ",", omittingEmptySubsequences: false)
                .map { (part) throws(EndpointError) in try Endpoint.parse(String(part)) }
        } catch {
            throw ValidationError("\(source): \(error.message)")
        }
    }
}

/// The flag `--join`.
enum JoinFlag {
    /// What it says where it also tells how outputs are joined.
    enum Value: ExpressibleByArgument {
        case kind(JoinKind)
        /// A file with a join line.
        case file(String)

        init?(argument: String) {
            self = JoinKind(rawValue: argument).map(Self.kind) ?? .file(argument)
        }
    }

    /// Refuses a second value of a kind, and a file that is not there.
    static func check(_ values: [Value]) throws {
        var files: [String] = []
        for case .file(let path) in values { files.append(path) }
        guard files.count <= 1, values.count - files.count <= 1 else {
            throw ValidationError(
                "--join says twice how outputs are joined, or where the coordinator is; drop one."
            )
        }
        guard let file = files.first, file != "-", !FileManager.default.fileExists(atPath: file)
        else { return }
        let kinds = ["concat", "json", "llm"]
        throw ValidationError(
            "--join \(file) is neither concat, json, llm or tool:NAME nor a file with a join line."
                + Suggestions.sentence(for: file, among: kinds)
        )
    }

    /// Refuses flags that say again what the join line says.
    static func check(
        _ join: String?,
        coordinator: String?,
        keyFile: String?,
        tls: TLSPolicy?
    ) throws {
        guard join != nil else { return }
        let other =
            coordinator != nil ? "--coordinator" : keyFile != nil ? "--key-file" : "--tls"
        guard coordinator == nil, keyFile == nil, tls == nil else {
            throw ValidationError(
                "--join names the coordinator, the key and the encryption; drop \(other)."
            )
        }
    }

    /// The join line in a file.
    static func load(_ path: String) throws(CommandFailure) -> Invitation {
        do throws(KeyFileError) {
            return try Invitation.load(path: path)
        } catch {
            throw CommandFailure(.refused, error.description)
        }
    }
}

/// The flag `--tls`.
enum EncryptionFlag {
    static let help = ArgumentHelp(
        "Encrypt connections always, never, or off-host: unless the coordinator's address is one "
            + "of this host alone (default: WEFT_TLS, else off-host).",
        valueName: "when"
    )

    /// Says on standard error that others on the network can read along, if they can.
    static func warn(of endpoints: [Endpoint], _ policy: TLSPolicy) {
        let open = endpoints.filter {
            !policy.encrypts(host: $0.host) && !TLSPolicy.isLoopback($0.host)
        }
        guard !open.isEmpty else { return }
        let places = open.map(\.description).joined(separator: ",")
        Shell.tell(
            "warning: the connection to \(places) is not encrypted (--tls never, or a join line "
                + "that begins with weft://); the network sees plans, arguments and results"
        )
    }

    /// What the flag says, or the environment.
    static func policy(_ flag: TLSPolicy?) throws -> TLSPolicy {
        if let flag { return flag }
        guard let text = ConnectionChoice.environment("WEFT_TLS") else { return .offHost }
        guard let policy = TLSPolicy(rawValue: text) else {
            let values = TLSPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("WEFT_TLS is \"\(text)\"; it may be one of \(values).")
        }
        return policy
    }
}
