// Accepts TCP connections, even when descriptors run out. Not here: who may connect.
internal import CLibuv
internal import Glibc

/// A listening TCP socket; lives until it is closed.
public final class TCPListener {
    /// The address it listens on, with the port the system chose when 0 was asked for.
    public private(set) var localAddress: SocketAddress

    private let loop: EventLoop
    private let backlog: Int32
    private var memory: HandleMemory?
    private var spare: Int32 = -1
    private var pause: Timer?
    private var onConnection: ((TCPConnection) -> Void)?
    private var onError: ((UVError) -> Void)?

    /// Listens on a numeric address or `localhost` (127.0.0.1); port 0 lets the system choose.
    ///
    /// Each connection must be started or closed. When accepting fails, usually because descriptors
    /// ran out, `onError` is called and accepting pauses for 100 ms; connections wait in the
    /// backlog meanwhile.
    public static func listen(
        loop: EventLoop,
        host: String,
        port: Int,
        backlog: Int = 4096,
        onConnection: @escaping (TCPConnection) -> Void,
        onError: @escaping (UVError) -> Void
    ) throws(UVError) -> TCPListener {
        loop.preconditionNotClosed()
        let numericHost = host == "localhost" ? "127.0.0.1" : host
        let operation = "listen on \(SocketAddress.text(host: host, port: port))"
        guard let storage = AddressStorage(numericHost: numericHost, port: port),
            let address = storage.address
        else { throw UVError(UV_EINVAL, operation) }
        let listener = TCPListener(loop, address, Int32(clamping: backlog))
        let result = listener.open { tcp in
            storage.withPointer { uv_tcp_bind(tcp, $0, 0) }
        }
        guard result == 0 else {
            listener.close()
            throw UVError(code: result, operation: operation)
        }
        listener.onConnection = onConnection
        listener.onError = onError
        return listener
    }

    private init(_ loop: EventLoop, _ address: SocketAddress, _ backlog: Int32) {
        self.loop = loop
        self.backlog = backlog
        localAddress = address
    }

    deinit {
        // The loop may close while accepting pauses, when only the spare descriptor is open.
        if spare >= 0 { Glibc.close(spare) }
    }

    /// Stops listening; accepted connections stay open.
    ///
    /// Calling it again does nothing.
    public func close() {
        loop.assertOnLoop()
        onConnection = nil
        onError = nil
        memory?.close()
        memory = nil
        pause?.close()
        pause = nil
        if spare >= 0 { Glibc.close(spare) }
        spare = -1
    }

    private func open(_ prepare: (UnsafeMutablePointer<uv_tcp_t>) -> Int32) -> Int32 {
        let memory = HandleMemory(UV_TCP)
        uv_tcp_init(loop.raw, memory.tcp)
        memory.retain(self)
        self.memory = memory
        var result = prepare(memory.tcp)
        if result == 0 { result = uv_listen(memory.stream, backlog, connectionArrived) }
        if result == 0, spare < 0 { result = keepSpare(memory) }
        if let bound = AddressStorage(filledBy: { uv_tcp_getsockname(memory.tcp, $0, $1) }) {
            localAddress = bound.address ?? localAddress
        }
        return result
    }

    /// A second descriptor of the same socket keeps it, and its backlog, while accepting pauses.
    private func keepSpare(_ memory: HandleMemory) -> Int32 {
        var descriptor: Int32 = -1
        let result = uv_fileno(memory.handle, &descriptor)
        guard result == 0 else { return result }
        spare = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return spare >= 0 ? 0 : -errno
    }

    fileprivate func arrived(_ status: Int32) {
        guard let memory, loop.phase == .open else { return }
        guard status == 0 else { return accepting(failed: status) }
        let stream = ByteStream.tcp(loop: loop)
        let result = uv_accept(memory.stream, stream.memory.stream)
        guard result == 0 else {
            stream.close()
            return accepting(failed: result)
        }
        onConnection?(TCPConnection(stream))
    }

    /// Pauses accepting and reports why.
    ///
    /// libuv would try again at once, as long as no descriptor is free. Closing its handle is the
    /// only way to stop it; this also frees the descriptor that is needed to resume.
    private func accepting(failed status: Int32) {
        memory?.close()
        memory = nil
        let timer = pause ?? Timer(loop: loop) { [self] in resume() }
        timer.onLoopClosing = { [self] in close() }
        pause = timer
        timer.schedule(after: .milliseconds(100))
        onError?(UVError(code: status, operation: "accept on \(localAddress)"))
    }

    private func resume() {
        let descriptor = fcntl(spare, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else {
            pause?.schedule(after: .milliseconds(100))
            return
        }
        let result = open { tcp in
            let result = uv_tcp_open(tcp, descriptor)
            if result < 0 { Glibc.close(descriptor) }
            return result
        }
        if result < 0 { accepting(failed: result) }
    }
}

extension TCPListener: HandleOwner {
    func closeWithLoop() { close() }
}

@available(*, unavailable)
extension TCPListener: Sendable {}

private func connectionArrived(_ listener: UnsafeMutablePointer<uv_stream_t>?, _ status: Int32) {
    guard let data = listener?.pointee.data else { return }
    owner(data, as: TCPListener.self).arrived(status)
}
