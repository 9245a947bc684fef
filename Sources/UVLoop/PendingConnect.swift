// Connecting: resolves the host's name, then tries its addresses one after the other, all within
// one time limit. Not here: the connection itself.
internal import CLibuv
internal import Glibc

/// An attempt to connect that has not been answered yet.
public final class PendingConnect {
    private let loop: EventLoop
    private let host: String
    private let port: Int
    private let deadline: Int64
    private var then: ((Result<TCPConnection, UVError>) -> Void)?
    private var addresses: [AddressStorage] = []
    private var lastError: Int32 = UV_EADDRNOTAVAIL.rawValue
    private var current: ByteStream?
    private var timer: Timer?
    private var isOver = false
    private var resolving: UnsafeMutablePointer<uv_getaddrinfo_t>?

    init(
        loop: EventLoop,
        host: String,
        port: Int,
        timeout: Duration,
        then: @escaping (Result<TCPConnection, UVError>) -> Void
    ) {
        loop.preconditionNotClosed()
        self.loop = loop
        self.host = host
        self.port = port
        self.then = then
        deadline = loop.deadline(after: max(.zero, timeout))
        let timer = Timer(loop: loop) { [self] in limitReached() }
        timer.onLoopClosing = { [self] in self.then = nil }
        self.timer = timer
        if !(1...65535).contains(port) {
            failNextTurn(UV_EINVAL)
        } else if let address = AddressStorage(numericHost: host, port: port) {
            addresses = [address]
            tryNextAddress()
        } else {
            timer.schedule(at: deadline)
            resolve()
        }
    }

    /// Gives up; `then` is called with `ECANCELED`, unless it was called already.
    public func cancel() {
        loop.assertOnLoop()
        guard isTrying else { return }
        abandon()
        failNextTurn(UV_ECANCELED)
    }

    private func resolve() {
        let request = RequestMemory(UV_GETADDRINFO, waiting: self)
        let pointer = request.bound(to: uv_getaddrinfo_t.self)
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        let result = uv_getaddrinfo(loop.raw, pointer, namesResolved, host, nil, &hints)
        guard result == 0 else {
            RequestMemory.take(request.raw, as: PendingConnect.self)
            lastError = result
            return failNextTurn(nil)
        }
        resolving = pointer
    }

    fileprivate func resolved(_ status: Int32, _ list: UnsafeMutablePointer<addrinfo>?) {
        resolving = nil
        guard isTrying else { return }
        var entry = list
        while let current = entry {
            if let address = current.pointee.ai_addr,
                let copy = AddressStorage(copying: address, port: port)
            {
                addresses.append(copy)
            }
            entry = current.pointee.ai_next
        }
        if status < 0 { lastError = status }
        tryNextAddress()
    }

    /// Tries the next address, or answers with the last error when there is none.
    private func tryNextAddress() {
        current = nil
        while !addresses.isEmpty {
            let left = Int64(addresses.count)
            let address = addresses.removeFirst()
            let stream = ByteStream.tcp(loop: loop)
            let request = RequestMemory(UV_CONNECT, waiting: self)
            let result = address.withPointer {
                uv_tcp_connect(
                    request.bound(to: uv_connect_t.self),
                    stream.memory.tcp,
                    $0,
                    connectFinished
                )
            }
            if result == 0 {
                current = stream
                // A silent address must not use the time of the addresses after it.
                let now = loop.nowNanoseconds
                timer?.schedule(at: now + max(0, deadline - now) / left)
                return
            }
            RequestMemory.take(request.raw, as: PendingConnect.self)
            stream.close()
            lastError = result
        }
        failNextTurn(nil)
    }

    fileprivate func finished(_ request: UnsafeMutablePointer<uv_stream_t>?, _ status: Int32) {
        // A late answer of an earlier address is not that of the current one.
        guard let stream = current, stream.memory.stream == request, isTrying else { return }
        guard status == 0 else {
            stream.close()
            lastError = status
            return tryNextAddress()
        }
        let connection = TCPConnection(stream)
        // The system may connect a socket to itself when the local port it chooses is the port to
        // connect to and nothing listens there.
        if let own = connection.localAddress, own == connection.remoteAddress {
            connection.close()
            lastError = UV_ECONNREFUSED.rawValue
            return tryNextAddress()
        }
        current = nil
        answer(.success(connection))
    }

    private func limitReached() {
        guard isTrying else { return }
        lastError = UV_ETIMEDOUT.rawValue
        guard current != nil, !addresses.isEmpty else {
            abandon()
            return answer(.failure(error))
        }
        current?.close()
        tryNextAddress()
    }

    /// False as soon as the answer is settled, even when it is delivered a turn later, and while
    /// the loop closes and cancels everything.
    private var isTrying: Bool { !isOver && loop.phase == .open }

    private func failNextTurn(_ code: uv_errno_t?) {
        isOver = true
        if let code { lastError = code.rawValue }
        timer?.cancel()
        loop.nextTurn { [self] in answer(.failure(error)) }
    }

    private func abandon() {
        current?.close()
        current = nil
        addresses = []
        if let resolving {
            // Too late for a running resolution; its answer is ignored.
            uv_cancel(UnsafeMutableRawPointer(resolving).assumingMemoryBound(to: uv_req_t.self))
        }
        resolving = nil
    }

    private func answer(_ result: Result<TCPConnection, UVError>) {
        guard loop.phase == .open, let then else { return }
        isOver = true
        self.then = nil
        timer?.close()
        timer = nil
        then(result)
    }

    private var error: UVError {
        let operation = "connect \(SocketAddress.text(host: host, port: port))"
        return UVError(code: lastError, operation: operation)
    }
}

@available(*, unavailable)
extension PendingConnect: Sendable {}

private func namesResolved(
    _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?,
    _ status: Int32,
    _ list: UnsafeMutablePointer<addrinfo>?
) {
    guard let request else { return }
    let pending = RequestMemory.take(UnsafeMutableRawPointer(request), as: PendingConnect.self)
    pending?.resolved(status, list)
    uv_freeaddrinfo(list)
}

private func connectFinished(_ request: UnsafeMutablePointer<uv_connect_t>?, _ status: Int32) {
    guard let request else { return }
    let stream = request.pointee.handle
    let pending = RequestMemory.take(UnsafeMutableRawPointer(request), as: PendingConnect.self)
    pending?.finished(stream, status)
}
