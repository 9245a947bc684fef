// The default coordinator and key of a worker, and the exit code of each end.

internal import ArgumentParser
internal import Client
internal import Console
internal import FoundationEssentials
internal import Tools
internal import Transport
internal import Wire
internal import WorkerCore

enum WorkerDefaults {
    /// The coordinator of the flag, of WEFT_COORDINATOR, or the default one.
    static func endpoints(flag: String?) throws -> [Endpoint] {
        let named = flag ?? ConnectionChoice.environment("WEFT_COORDINATOR")
        guard let named, !named.isEmpty else { return [.default] }
        return try Endpoints.parse(named, flag == nil ? "WEFT_COORDINATOR" : "--coordinator")
    }

    /// Where a worker connects, and how.
    struct Access {
        var endpoints: [Endpoint]
        var key: HandshakeKey
        var tls: TLSPolicy
    }

    /// Where to connect and how, as the flags and the environment say.
    static func access(
        join: String?,
        coordinator: String?,
        keyFile: String?,
        state: String?,
        tls: TLSPolicy?
    ) throws -> Access {
        let isNamed = coordinator != nil || keyFile != nil
        if let join = join ?? (isNamed ? nil : ConnectionChoice.environment("WEFT_JOIN")) {
            let invitation = try JoinFlag.load(join)
            guard invitation.role == .worker else {
                throw CommandFailure(
                    .refused,
                    "\(join) is the join line of a \(invitation.role.rawValue). Use a worker's."
                )
            }
            let policy = invitation.isEncrypted ? TLSPolicy.always : .never
            EncryptionFlag.warn(of: invitation.endpoints, policy)
            return Access(endpoints: invitation.endpoints, key: invitation.key, tls: policy)
        }
        let endpoints = try endpoints(flag: coordinator)
        let policy = try EncryptionFlag.policy(tls)
        EncryptionFlag.warn(of: endpoints, policy)
        return Access(
            endpoints: endpoints,
            key: try key(file: keyFile, state: state, endpoint: endpoints[0]),
            tls: policy
        )
    }

    /// The worker's key: from the flag, from WEFT_KEY_FILE, or from the state folder.
    private static func key(
        file: String?,
        state: String?,
        endpoint: Endpoint
    ) throws(CommandFailure) -> HandshakeKey {
        let choice = KeyFileChoice(
            file: file,
            state: state,
            environment: ProcessInfo.processInfo.environment
        )
        let path = choice.path(for: .worker)
        if let role = choice.namedRole, role != .worker {
            let owner = role == .viewer ? "viewers" : "clients"
            throw CommandFailure(.refused, "\(path) is the key of \(owner). Use a worker.key.")
        }
        do {
            return path == "-" ? try KeyFile.readStandardInput() : try KeyFile.load(path: path)
        } catch {
            throw CommandFailure(error, toReach: endpoint)
        }
    }
}

extension CommandFailure {
    /// A manifest that cannot be used.
    init(_ error: ManifestError) {
        self.init(.usage, error.problems.map { "\(error.path): \($0)".asError })
    }

    /// The exit code and message for the end of a worker; nil when it ended as intended.
    init?(_ reason: WorkerMachine.ExitReason) {
        switch reason {
        case .drained: return nil
        case .stopped: self.init(.interrupted)
        case .noCoordinator: self.init(.unreachable, reason.description)
        case .refused, .nameTaken: self.init(.refused, reason.description)
        case .replaced, .unannounceable: self.init(.failed, reason.description)
        }
    }
}
