// The coordinator's end of a client's connection, on the same loop: does the handshake and passes
// every message of the client to the test.
import Client
import JSON
import Plans
import TestKit
import Transport
import UVLoop
import Wire

final class ScriptedCoordinator {
    static let key = known(HandshakeKey([UInt8](repeating: 9, count: Limits.nonceBytes)))

    /// Called with the client's messages after the handshake, except pings and pongs.
    var onMessage: ((Message) -> Void)?
    /// Answers pings at once, which a barrier needs.
    var answersPings = true
    var limits = Limits()
    private(set) var messages: [Message] = []
    private(set) var connection: MessageConnection?
    private let loop: EventLoop
    private let keys: [Role: HandshakeKey]
    private var listener: TCPListener?
    private var responder: HandshakeResponder?

    init(loop: EventLoop, key: HandshakeKey = ScriptedCoordinator.key) throws {
        self.loop = loop
        keys = [.client: key, .viewer: key]
        listener = try TCPListener.listen(
            loop: loop,
            host: "127.0.0.1",
            port: 0,
            onConnection: { [weak self] in self?.accept($0) },
            onError: { _ in loop.stop() }
        )
    }

    var endpoint: Endpoint {
        Endpoint(host: "127.0.0.1", port: listener?.localAddress.port ?? 0)
    }

    /// How a client connects here.
    var options: CoordinatorClient.Options {
        CoordinatorClient.Options(
            endpoints: [endpoint],
            role: .client,
            key: Self.key,
            name: "tester"
        )
    }

    func send(_ message: Message) { connection?.send(message) }

    func close() {
        connection?.close()
        listener?.close()
    }

    private func accept(_ socket: TCPConnection) {
        let connection = MessageConnection(loop: loop, socket: socket, maximumLine: limits.maxLine)
        self.connection = connection
        responder = HandshakeResponder(
            nonce: [UInt8](repeating: 2, count: Limits.nonceBytes),
            session: "s1"
        )
        connection.start(
            onMessage: { [weak self] in self?.receive($0) },
            onViolation: { [loop] _ in loop.stop() },
            onEnd: { [weak connection] _ in connection?.close() }
        )
    }

    private func receive(_ message: Message) {
        do throws(WireError) {
            switch message {
            case .hello(let hello):
                guard let challenge = try responder?.receive(hello, keyring: Keyring(keys), at: 0)
                else { return }
                send(.challenge(challenge))
            case .auth(let auth):
                _ = try responder?.receive(auth)
                send(.welcome(welcome))
            case .ping(let ping):
                if answersPings { send(.pong(Pong(n: ping.n))) }
            default:
                messages.append(message)
                onMessage?(message)
            }
        } catch {
            send(.error(ErrorMessage(code: error.code, message: error.message, isFatal: true)))
            connection?.closeAfterWriting()
        }
    }

    private var welcome: Welcome {
        Welcome(
            session: "s1",
            epoch: 1,
            software: "scripted",
            limits: limits.announced,
            heartbeatMilliseconds: limits.heartbeatMilliseconds,
            leaseMilliseconds: limits.leaseMilliseconds
        )
    }
}

/// Runs a scripted coordinator and a client connected to it; the body gets both, and must stop the
/// loop.
func withClient<Value: Sendable>(
    limits: Limits = Limits(),
    _ begin:
        @escaping @Sendable (EventLoop, ScriptedCoordinator, CoordinatorClient) throws -> Void,
    result: @escaping @Sendable (ScriptedCoordinator) -> Value
) async throws -> Value {
    try await onLoop { loop in
        let coordinator = try ScriptedCoordinator(loop: loop)
        coordinator.limits = limits
        var failure: (any Error)?
        CoordinatorClient.connect(loop: loop, options: coordinator.options) { result in
            do {
                try begin(loop, coordinator, try result.get())
            } catch {
                failure = error
                loop.stop()
            }
        }
        loop.run()
        coordinator.close()
        if let failure { throw failure }
        return result(coordinator)
    }
}

/// A value that must be valid.
func known<Value>(_ value: Value?) -> Value {
    guard let value else { fatalError("the test has an invalid id or key") }
    return value
}

/// A plan document of that many nodes, each of about that many bytes.
func planText(nodes: Int, padding: Int = 0) -> [UInt8] {
    let pad = String(repeating: "x", count: padding)
    let tasks = (0..<nodes).map {
        "{\"id\":\"n\($0)\",\"tool_name\":\"noop\",\"args\":{\"p\":\"\(pad)\"}}"
    }
    return Array(
        "{\"tasks\":[\(tasks.joined(separator: ",\n"))],\"join_instruction\":\"sum\"}".utf8
    )
}
