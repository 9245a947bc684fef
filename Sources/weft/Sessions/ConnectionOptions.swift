// The coordinator of a command, and the key for it.
internal import ArgumentParser
internal import Client
internal import Console
internal import FoundationEssentials
internal import Transport
internal import UVLoop
internal import Wire

/// The flags of every command that talks to a coordinator.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The coordinator (default: WEFT_COORDINATOR; else 127.0.0.1:7420, but for run a cluster "
                + "of its own).",
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

    func validate() throws {
        if let coordinator { try Self.check(coordinator, "--coordinator") }
    }

    /// The coordinator named by flag or environment.
    func namedEndpoint() throws -> Endpoint? {
        if let coordinator { return try Self.check(coordinator, "--coordinator") }
        guard let text = Self.environment("WEFT_COORDINATOR") else { return nil }
        return try Self.check(text, "WEFT_COORDINATOR")
    }

    /// How to connect; a viewer's key is enough for a command that only reads.
    func clientOptions(readsOnly: Bool = false) throws -> CoordinatorClient.Options {
        let endpoint = try namedEndpoint() ?? .default
        let (role, path) = keyPath(readsOnly: readsOnly)
        guard readsOnly || role != .viewer else {
            throw CommandFailure(
                .refused,
                "\(path) is the key of viewers, who may only watch and ask. Use a client.key."
            )
        }
        guard role != .worker else {
            throw CommandFailure(.refused, "\(path) is the key of workers. Use a client.key.")
        }
        do throws(KeyFileError) {
            return .client(to: endpoint, role: role, key: try KeyFile.load(path: path))
        } catch {
            throw CommandFailure(error, toReach: endpoint)
        }
    }

    /// The role and key file: the named file, else the one in the state folder.
    private func keyPath(readsOnly: Bool) -> (Role, String) {
        let choice = KeyFileChoice(
            file: keyFile,
            state: state,
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

    @discardableResult
    private static func check(_ text: String, _ source: String) throws -> Endpoint {
        do throws(EndpointError) {
            return try Endpoint.parse(text)
        } catch {
            throw ValidationError("\(source): \(error.message)")
        }
    }

    static func environment(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
