// Two connected ends on one loop, which tests of connections share.
import UVLoop

/// Two ends of a TCP connection on one loop, once both are there.
func connectPair(
    _ loop: EventLoop,
    then: @escaping (_ near: TCPConnection, _ far: TCPConnection) -> Void
) throws {
    var near: TCPConnection?
    var far: TCPConnection?
    var listener: TCPListener?
    func proceed() {
        guard let near, let far else { return }
        listener?.close()
        then(near, far)
    }
    let open = try TCPListener.listen(
        loop: loop,
        host: "127.0.0.1",
        port: 0,
        onConnection: { connection in
            far = connection
            proceed()
        },
        onError: { _ in loop.stop() }
    )
    listener = open
    TCPConnection.connect(
        loop: loop,
        host: "127.0.0.1",
        port: open.localAddress.port,
        timeout: .seconds(5)
    ) { result in
        near = try? result.get()
        proceed()
    }
}
