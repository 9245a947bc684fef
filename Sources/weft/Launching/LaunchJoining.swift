// The line by which the workers of a launch join: address, identity and key in one.
internal import Client
internal import Console
internal import FoundationEssentials
internal import Launch
internal import Transport
internal import UVLoop
internal import Wire

extension LaunchSurroundings {
    /// Makes the join line for workers that find the coordinator at an address.
    ///
    /// The key is read for each worker, so that those that start later have a renewed one.
    func joinLine(at endpoint: Endpoint) throws -> String {
        if var invitation {
            // A tunnel leads elsewhere; what is behind it encrypts or does not.
            invitation.endpoints =
                endpoint == invitation.endpoints[0]
                ? invitation.endpoints : [endpoint]
            return invitation.line
        }
        let isEncrypted = tls.encrypts(host: try address().host)
        return Invitation(
            endpoints: [endpoint],
            role: .worker,
            key: try workerKey(),
            isEncrypted: isEncrypted
        ).line
    }

    /// Whether the coordinator has to be asked for waiting nodes.
    var isElastic: Bool { file.groups.contains { $0.range != nil } }

    /// A connection to the coordinator, to tell it of the launch and to ask for waiting nodes; nil if
    /// there is no key for either.
    func link(on loop: EventLoop, to endpoint: Endpoint) throws -> LaunchLink? {
        guard linkOptions(to: endpoint) != nil else {
            guard isElastic else { return nil }
            throw CommandFailure(
                .refused,
                "A group has min and max, so the coordinator has to be asked what waits, but there "
                    + "is no key for that in \(keyFolder). Copy viewer.key there, or leave min and "
                    + "max out."
            )
        }
        return LaunchLink(loop: loop, isNeeded: isElastic) { linkOptions(to: endpoint) }
    }

    /// How to connect with the newest key; nil if there is none.
    private func linkOptions(to endpoint: Endpoint) -> CoordinatorClient.Options? {
        let store = try? KeyStore.load(from: keyFolder, makesKeys: false)
        let found = [Role.client, .viewer].lazy.compactMap { role in
            store?[role.rawValue]?.current.map { (role, $0) }
        }
        return found.first.map { .client(to: [endpoint], role: $0, key: $1, tls: tls) }
    }

    /// The newest key of the identity for workers.
    private func workerKey() throws -> HandshakeKey {
        let store: KeyStore
        do {
            store = try KeyStore.load(from: keyFolder, makesKeys: false)
        } catch {
            throw CommandFailure(.refused, "\(error)")
        }
        guard let key = store[Role.worker.rawValue]?.current else {
            throw CommandFailure(
                .refused,
                "There is no key for workers in \(keyFolder). Name the coordinator's state folder "
                    + "by --state, or give a join line of it: weft keys export worker --for "
                    + "HOST:PORT > worker.join, then --join worker.join."
            )
        }
        return key
    }
}
