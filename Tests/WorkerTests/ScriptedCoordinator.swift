// The coordinator's end of a worker's connection, on the same loop: does the handshake and passes
// every message of the worker to the test.
import JSON
import Plans
import Transport
import UVLoop
import Wire

final class ScriptedCoordinator {
    static let key = known(HandshakeKey([UInt8](repeating: 9, count: Limits.nonceBytes)))

    /// The worker's messages after the handshake, with the number of its session.
    var onMessage: ((Message, Int) -> Void)?
    private(set) var sessions = 0
    private let loop: EventLoop
    private let keys: [Role: HandshakeKey]
    private var listener: TCPListener?
    private var connection: MessageConnection?
    private var responder: HandshakeResponder?

    init(loop: EventLoop, key: HandshakeKey = ScriptedCoordinator.key) throws {
        self.loop = loop
        keys = [.worker: key]
        listener = try TCPListener.listen(
            loop: loop,
            host: "127.0.0.1",
            port: 0,
            onConnection: { [weak self] in self?.accept($0) },
            onError: { _ in loop.stop() }
        )
    }

    var port: Int { listener?.localAddress.port ?? 0 }

    func send(_ message: Message) { connection?.send(message) }

    /// Breaks the connection.
    func hangUp() { connection?.close() }

    func close() {
        connection?.close()
        listener?.close()
    }

    private func accept(_ socket: TCPConnection) {
        sessions += 1
        let connection = MessageConnection(loop: loop, socket: socket, maximumLine: 1 << 20)
        self.connection = connection
        responder = HandshakeResponder(
            nonce: [UInt8](repeating: 2, count: Limits.nonceBytes),
            session: "s\(sessions)"
        )
        connection.start(
            onMessage: { [weak self] in self?.receive($0) },
            onViolation: { [loop] _ in loop.stop() },
            onEnd: { [weak connection] _ in connection?.close() }
        )
    }

    private func receive(_ message: Message) {
        do {
            switch message {
            case .hello(let hello):
                guard let challenge = try responder?.receive(hello, keyring: Keyring(keys), at: 0)
                else { return }
                send(.challenge(challenge))
            case .auth(let auth):
                guard let peer = try responder?.receive(auth) else { return }
                send(
                    .welcome(
                        Welcome(
                            session: peer.resume?.session ?? "s\(sessions)",
                            epoch: 1,
                            software: "scripted",
                            limits: Limits().announced,
                            heartbeatMilliseconds: 2000,
                            leaseMilliseconds: 6000
                        )
                    )
                )
            default:
                onMessage?(message, sessions)
            }
        } catch {
            send(.error(ErrorMessage(code: error.code, message: error.message, isFatal: true)))
            connection?.closeAfterWriting()
        }
    }
}

/// A value that must be valid.
func known<Value>(_ value: Value?) -> Value {
    guard let value else { fatalError("the test has an invalid id or key") }
    return value
}
