// What a launch gets from its command line and this host: the state folder, the coordinator, the key.
internal import ArgumentParser
internal import Client
internal import Console
internal import FoundationEssentials
internal import Launch
internal import Transport
internal import Wire

/// Where a launch is started, and for which coordinator.
struct LaunchSurroundings {
    let file: LaunchFile
    let stateFolder: String
    let coordinator: String?
    /// The join line that was given, which names coordinator and key.
    let invitation: Invitation?
    /// When connections are encrypted, if there is no join line to say so.
    let tls: TLSPolicy

    /// The environment of every process of a launch: this one's without what is meant for this
    /// command alone.
    static var environment: [(String, String)] {
        ProcessInfo.processInfo.environment
            .filter { !Self.ownVariables.contains($0.key) }
            .sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static let ownVariables = [
        "WEFT_COORDINATOR", "WEFT_JOIN", "WEFT_KEY_FILE", "WEFT_PARENT",
    ]

    /// Where workers find the coordinator, as far as it is known before one is started.
    func address() throws -> Endpoint {
        if let invitation { return invitation.endpoints[0] }
        let entry = file.coordinator
        if let address = entry?.address {
            return try Self.parse(address, "\(file.path): coordinator")
        }
        if let listen = entry?.listen {
            return try Self.parseListen(listen, "\(file.path): coordinator")
        }
        if let coordinator { return try Self.parse(coordinator, "--coordinator") }
        guard let named = ConnectionChoice.environment("WEFT_COORDINATOR") else { return .default }
        return try Self.parse(named, "WEFT_COORDINATOR")
    }

    /// Refuses hosts that could never reach the coordinator.
    func checkReach(of address: Endpoint) throws {
        guard TLSPolicy.isLoopback(address.host) else { return }
        for group in file.groups {
            guard case .ssh(let place) = group.place, !place.isTunnelled else { continue }
            throw CommandFailure(
                .usage,
                "\(file.path): the hosts of \(group.name) cannot reach \(address), which is this "
                    + "host for each of them. Add tunnel: true to the group or --tunnel here, or let the coordinator "
                    + "listen on an address of the network."
            )
        }
    }

    private static func parse(_ text: String, _ source: String) throws -> Endpoint {
        do throws(EndpointError) {
            return try Endpoint.parse(text)
        } catch {
            throw CommandFailure(.usage, "\(source): \(error)")
        }
    }

    /// Unlike a coordinator's address, this one may have port 0, but no host that stands for all.
    private static func parseListen(_ text: String, _ source: String) throws -> Endpoint {
        let isAny = text.hasSuffix(":0")
        var address = try parse(isAny ? "\(text.dropLast())1" : text, source)
        if ["0.0.0.0", "::"].contains(address.host) {
            throw CommandFailure(
                .usage,
                "\(source): workers cannot find \(address.host). Add where they find this host: "
                    + "{listen: \"\(text)\", address: \"10.0.0.1:\(address.port)\"}."
            )
        }
        if isAny { address.port = 0 }
        return address
    }

    /// The folder that holds the keys of the coordinator.
    var keyFolder: String { file.coordinator?.state ?? stateFolder }

    /// The log of the launch when it runs in the background.
    var log: String { "\(LaunchState.base(stateFolder))/\(file.name).log" }

    /// The folders of which nothing is copied to hosts.
    var privateFolders: [String] { [stateFolder, keyFolder] }

    /// The arguments of the coordinator that the launch starts; nil if it uses a running one.
    func coordinatorArguments() -> [String]? {
        guard let entry = file.coordinator, let listen = entry.listen else { return nil }
        var arguments = ["coordinator", "--listen", listen, "--state", keyFolder]
        if let config = entry.config { arguments += ["--config", config] }
        return arguments + entry.arguments
    }
}
