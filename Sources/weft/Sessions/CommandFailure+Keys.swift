// The messages for a key that cannot be used. If there is no key file there may be no coordinator
// either; then the message says so.
internal import Client
internal import Console
internal import Transport
internal import UVLoop
internal import Wire

extension CommandFailure {
    /// How long to wait for a connection, which shows whether a coordinator runs there.
    private static let longestWait = Duration.seconds(2)

    /// A key file that cannot be used, for a connection to an endpoint.
    init(_ error: KeyFileError, toReach endpoint: Endpoint) {
        if error.reason == .missing, let unreachable = Self.absence(of: endpoint) {
            self.init(unreachable)
        } else {
            self.init(.refused, error.description)
        }
    }

    /// Why no connection to an endpoint is possible; nil if one is.
    private static func absence(of endpoint: Endpoint) -> ClientError? {
        guard let loop = try? EventLoop() else { return nil }
        var failure: ClientError?
        let connecting = TCPConnection.connect(
            loop: loop,
            host: endpoint.host,
            port: endpoint.port,
            timeout: longestWait
        ) { result in
            switch result {
            case .success(let socket): socket.close()
            case .failure(let error): failure = .unreachable(endpoint, error)
            }
            loop.stop()
        }
        loop.run()
        withExtendedLifetime(connecting) {}
        loop.close()
        return failure
    }
}
