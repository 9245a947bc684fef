// Who may connect: an address that opens many connections and proves nothing has to wait.

internal import CoordinatorCore
internal import Core
internal import Logging
internal import Transport
internal import UVLoop
internal import Wire

extension CoordinatorService {
    /// Whether a connection may begin its handshake.
    func isWelcome(_ socket: TCPConnection) -> Bool {
        guard let host = socket.remoteAddress?.host else { return true }
        switch handshakes.countConnection(of: host, at: now) {
        case .welcome: return true
        case .refused(let isFirst):
            refusedConnections += 1
            if isFirst {
                logger.warning(
                    "an address opens many connections without a handshake; it has to wait",
                    metadata: ["address": "\(host)"]
                )
            }
            return false
        }
    }

    /// The peer has proved itself.
    func noteProof(of id: ConnectionID) {
        guard let host = connections[id]?.remoteAddress?.host else { return }
        handshakes.giveBack(host)
    }
}
