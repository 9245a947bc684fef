// A TCP connection, accepted or connected. Not here: making one (PendingConnect, TCPListener),
// lines and messages, encryption.
internal import CLibuv

/// A TCP connection on a loop; lives until it is closed.
///
/// Bytes are sent at once (`TCP_NODELAY`); a frequent writer should collect the bytes of a turn
/// first.
public final class TCPConnection {
    /// The peer's address; still known after closing.
    public let remoteAddress: SocketAddress?
    /// Our own address; still known after closing.
    public let localAddress: SocketAddress?
    /// Called each time the queued rest of earlier writes has been sent completely.
    public var onDrained: (() -> Void)?

    private enum Phase { case open, finishing, closed }

    let stream: ByteStream
    private var phase = Phase.open
    private var onEnd: ((UVError?) -> Void)?
    private var isStarted = false
    private var isPaused = false
    private var hasEnded = false
    private var earlyEnd: UVError?
    private var lingering: Timer?
    private var takenAtLastLook = 0
    /// Provides the bytes that are still to be written before the connection is closed.
    private var rest: ((inout [UInt8]) -> Bool)?

    /// Starts to connect to a host, a numeric address or a name, trying each of its addresses.
    ///
    /// `then` is called exactly once, in a later turn of the loop: with the connection, or with
    /// the error of the last address tried, `ETIMEDOUT` when time ran out, `ECANCELED` after
    /// `PendingConnect.cancel`.
    @discardableResult
    public static func connect(
        loop: EventLoop,
        host: String,
        port: Int,
        timeout: Duration,
        then: @escaping (Result<TCPConnection, UVError>) -> Void
    ) -> PendingConnect {
        PendingConnect(loop: loop, host: host, port: port, timeout: timeout, then: then)
    }

    init(_ stream: ByteStream) {
        self.stream = stream
        let tcp = stream.memory.tcp
        remoteAddress = AddressStorage { uv_tcp_getpeername(tcp, $0, $1) }?.address
        localAddress = AddressStorage { uv_tcp_getsockname(tcp, $0, $1) }?.address
        // Fails only for a broken socket; reading will report it.
        uv_tcp_nodelay(tcp, 1)
        stream.onWritten = { [self] code in written(code) }
        stream.onLoopClosing = { [self] in closeStream() }
    }

    /// Starts reading: each piece goes to `onBytes`, the end to `onEnd`.
    ///
    /// `onEnd` is called exactly once: with `nil` for an orderly end of the peer's stream, else
    /// with the error that ended reading or writing. The connection can then still be written to,
    /// and must be closed. No callback is called after `close` or `closeAfterWriting`. Call once.
    public func start(
        onBytes: @escaping ([UInt8]) -> Void,
        onEnd: @escaping (UVError?) -> Void
    ) {
        stream.loop.assertOnLoop()
        precondition(!isStarted, "a connection is started once")
        isStarted = true
        guard phase == .open else { return }
        self.onEnd = onEnd
        stream.onBytes = onBytes
        stream.onReadEnd = { [self] code in
            end(code == 0 ? nil : UVError(code: code, operation: "read \(peerText)"))
        }
        if let earlyEnd {
            stream.loop.nextTurn { [self] in end(earlyEnd) }
        } else if !isPaused {
            stream.startReading()
        }
    }

    /// Stops reading until `resumeReading`; the peer has to wait when the system's buffers are
    /// full.
    public func pauseReading() {
        stream.loop.assertOnLoop()
        isPaused = true
        if phase == .open { stream.stopReading() }
    }

    /// Reads again after `pauseReading`.
    public func resumeReading() {
        stream.loop.assertOnLoop()
        isPaused = false
        if phase == .open, isStarted, !hasEnded, earlyEnd == nil { stream.startReading() }
    }

    /// Sends what the socket accepts now and queues the rest.
    ///
    /// Consumes the bytes: the array is empty afterwards, with its capacity kept when all was sent
    /// at once. After closing it drops them. A failure is reported by `onEnd` in a later turn.
    public func write(_ bytes: inout [UInt8]) {
        stream.loop.assertOnLoop()
        guard phase == .open else {
            bytes.removeAll(keepingCapacity: true)
            return
        }
        stream.write(&bytes)
    }

    /// Sends what the socket accepts now and queues a copy of the rest.
    ///
    /// For bytes in memory that the caller uses again; otherwise as for an array.
    public func write(_ bytes: ArraySlice<UInt8>) {
        stream.loop.assertOnLoop()
        if phase == .open { stream.write(bytes) }
    }

    /// Bytes written and not yet accepted by the system; 0 after closing.
    public var unsentBytes: Int {
        stream.loop.assertOnLoop()
        return stream.unsentBytes
    }

    /// Bytes that the peer's system has accepted since the connection was opened: grows as long as
    /// the peer reads, at least by a segment at a time.
    public var takenBytes: Int {
        stream.loop.assertOnLoop()
        return stream.takenBytes
    }

    /// Lets the system probe a silent connection after that many seconds, at least 1.
    public func setKeepAlive(seconds: Int) {
        stream.loop.assertOnLoop()
        guard phase == .open else { return }
        // Fails only for a broken socket; reading will report it.
        uv_tcp_keepalive(stream.memory.tcp, 1, UInt32(clamping: max(1, seconds)))
    }

    /// Sends the queued bytes, tells the peer that no more follow, and closes.
    ///
    /// No callback is called any more and writes are dropped. Bytes that the peer still sends are
    /// discarded until it ends too, because closing with unread bytes would make the system discard
    /// our last ones. A peer that neither reads nor ends is given up after 5 s without progress.
    ///
    /// - Parameters:
    ///   - waitsForEnd: Whether to wait until the peer ends, too. If not, and it is sending, the
    ///     system may discard our last bytes.
    ///   - rest: Provides the bytes that are still to be written, piece by piece as the peer
    ///     accepts them; puts the next piece into the empty array, or returns false when there is
    ///     none.
    public func closeAfterWriting(
        waitsForEnd: Bool = true,
        rest: @escaping (inout [UInt8]) -> Bool = { _ in false }
    ) {
        stream.loop.assertOnLoop()
        guard phase == .open else { return }
        phase = .finishing
        dropCallbacks()
        let peerHasEnded = hasEnded
        let isDoneWhenSent = peerHasEnded || !waitsForEnd
        self.rest = rest
        stream.onBytes = { _ in }
        stream.onReadEnd = { [self] _ in closeStream() }
        stream.onWritten = { [self] code in
            if code < 0 { closeStream() } else { writeRest() }
        }
        stream.onShutDown = { [self] in if isDoneWhenSent { closeStream() } }
        if stream.unsentBytes == 0 { writeRest() }
        guard phase == .finishing else { return }
        if !peerHasEnded { stream.startReading() }
        let timer = Timer(loop: stream.loop) { [self] in lookAtLingering() }
        lingering = timer
        takenAtLastLook = stream.takenBytes
        timer.schedule(after: .seconds(5))
    }

    /// Writes one more piece, or ends the stream after the last one.
    private func writeRest() {
        var piece: [UInt8] = []
        guard let rest else { return }
        guard rest(&piece) else {
            self.rest = nil
            return stream.shutDown()
        }
        stream.write(&piece)
        // Other connections get their turn between two pieces.
        if stream.unsentBytes == 0 { stream.loop.nextTurn { [self] in writeRest() } }
    }

    /// Closes at once; queued bytes are dropped and no callback is called any more.
    ///
    /// Allowed inside every callback. Calling it again does nothing.
    public func close() {
        stream.loop.assertOnLoop()
        closeStream()
    }

    private func closeStream() {
        guard phase != .closed else { return }
        phase = .closed
        dropCallbacks()
        lingering?.close()
        lingering = nil
        rest = nil
        stream.close()
    }

    private func dropCallbacks() {
        onEnd = nil
        onDrained = nil
    }

    private func lookAtLingering() {
        let taken = stream.takenBytes
        guard stream.unsentBytes > 0 || rest != nil, taken > takenAtLastLook else {
            return closeStream()
        }
        takenAtLastLook = taken
        lingering?.schedule(after: .seconds(5))
    }

    private func written(_ code: Int32) {
        guard code < 0 else {
            onDrained?()
            return
        }
        let error = UVError(code: code, operation: "write \(peerText)")
        if isStarted { end(error) } else { earlyEnd = error }
    }

    private func end(_ error: UVError?) {
        guard phase == .open, !hasEnded else { return }
        hasEnded = true
        stream.stopReading()
        let onEnd = onEnd
        self.onEnd = nil
        onEnd?(error)
    }

    private var peerText: String { remoteAddress?.description ?? "of an unknown peer" }
}

@available(*, unavailable)
extension TCPConnection: Sendable {}
