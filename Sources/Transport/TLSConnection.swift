// An encrypted connection over a TCP connection. Not here: the keys and the cipher (TLSContext),
// lines and messages (MessageConnection).
internal import UVLoop
internal import Wire

/// A TCP connection whose bytes are encrypted with TLS 1.3.
///
/// Confined to its loop. What is written before the handshake is over waits for it.
final class TLSConnection: ByteConnection {
    var onDrained: (() -> Void)?
    /// Called once when both sides have proved that they hold the same key, before any bytes.
    var onOpen: (() -> Void)?
    /// Called at most once, when the peer does not encrypt, has another key, or breaks the stream;
    /// no bytes follow, and the connection is to be closed.
    var onFailure: ((WireError) -> Void)?

    private let loop: EventLoop
    private let socket: TCPConnection
    private let stream: TLSStream
    private let isCoordinator: Bool
    private var onBytes: (([UInt8]) -> Void)?
    private var onEnd: ((UVError?) -> Void)?
    private var hasReceived = false
    private var isOpen = false
    private var hasFailed = false
    private var isClosed = false
    /// What was written before the handshake was over.
    private var waiting: [UInt8] = []

    /// The first byte of a TLS record that begins a handshake.
    static let firstByte: UInt8 = 0x16

    init(loop: EventLoop, socket: TCPConnection, context: TLSContext) {
        self.loop = loop
        self.socket = socket
        stream = context.makeStream()
        isCoordinator = context.isCoordinator
    }

    /// The name of the key that the peer has proved to hold, for a coordinator.
    var keyName: String? { stream.keyName }
    var remoteAddress: SocketAddress? { socket.remoteAddress }
    var unsentBytes: Int { isClosed ? 0 : waiting.count + socket.unsentBytes }
    var takenBytes: Int { socket.takenBytes }

    func start(onBytes: @escaping ([UInt8]) -> Void, onEnd: @escaping (UVError?) -> Void) {
        self.onBytes = onBytes
        self.onEnd = onEnd
        socket.onDrained = { [weak self] in
            guard let self, waiting.isEmpty else { return }
            onDrained?()
        }
        socket.start(
            onBytes: { [weak self] in self?.receive($0) },
            onEnd: { [weak self] error in
                // What ended in order has been reported already.
                guard let self, !hasFailed, let onEnd = self.onEnd else { return }
                self.onEnd = nil
                // Without a word of the peer the end may be the doing of another.
                onEnd(error ?? (isOpen ? .brokenOff("read \(peerText)") : nil))
            }
        )
        if !isCoordinator {
            stream.begin()
            sendPending()
        }
    }

    func pauseReading() { socket.pauseReading() }
    func resumeReading() { socket.resumeReading() }

    func write(_ bytes: inout [UInt8]) {
        guard !isClosed, !hasFailed, isOpen else {
            if !isClosed, !hasFailed { waiting += bytes }
            bytes.removeAll(keepingCapacity: true)
            return
        }
        let isWritten = stream.write(bytes, to: socket.write)
        bytes.removeAll(keepingCapacity: true)
        guard !isWritten else { return }
        // Not here: the writer does not expect the connection to end meanwhile.
        loop.nextTurn { [weak self] in self?.fail(Self.damaged) }
    }

    func closeAfterWriting(waitsForEnd: Bool, rest: @escaping (inout [UInt8]) -> Bool) {
        guard !isClosed else { return }
        let isUsable = isOpen && !hasFailed
        forget()
        // Before the handshake is over there is nothing that the peer could read.
        guard isUsable else { return socket.closeAfterWriting(waitsForEnd: waitsForEnd) }
        let stream = stream
        var hasEnded = false
        socket.closeAfterWriting(waitsForEnd: waitsForEnd) { piece in
            var plain: [UInt8] = []
            if !hasEnded, rest(&plain), stream.write(plain, into: &piece) { return true }
            guard !hasEnded else { return false }
            hasEnded = true
            stream.end()
            stream.takePending(into: &piece)
            return !piece.isEmpty
        }
    }

    func close() {
        forget()
        socket.close()
    }

    private func forget() {
        isClosed = true
        waiting = []
        onBytes = nil
        onEnd = nil
        onDrained = nil
        onOpen = nil
        onFailure = nil
    }

    // MARK: - Receiving

    private func receive(_ bytes: [UInt8]) {
        guard !isClosed, !hasFailed, let first = bytes.first else { return }
        if !hasReceived {
            hasReceived = true
            guard first == Self.firstByte || !isCoordinator && first != UInt8(ascii: "{") else {
                return receivePlainText()
            }
        }
        stream.receive(bytes) { plain in
            openIfReady()
            if !isClosed, !plain.isEmpty { onBytes?(plain) }
            return !isClosed
        }
        guard !isClosed else { return }
        sendPending()
        switch stream.state {
        case .shakingHands, .open: break
        case .ended:
            let onEnd = onEnd
            self.onEnd = nil
            onEnd?(nil)
        case .failed: fail(isOpen ? Self.damaged : handshakeFailure)
        }
    }

    private var peerText: String { remoteAddress?.description ?? "of an unknown peer" }

    private var handshakeFailure: WireError {
        if isCoordinator { return .authFailed }
        return stream.keyWasRefused ? Self.refused : Self.noTLS
    }

    private func openIfReady() {
        guard !isOpen, stream.state == .open else { return }
        isOpen = true
        onOpen?()
        guard !isClosed, !waiting.isEmpty else { return }
        var bytes = waiting
        waiting = []
        write(&bytes)
        // What the system took at once is not reported by the socket.
        if !isClosed, unsentBytes == 0 { onDrained?() }
    }

    /// The peer does not encrypt: it gets an unencrypted error message that says so.
    private func receivePlainText() {
        guard isCoordinator else { return fail(Self.peerIsPlain) }
        let error = ErrorMessage(
            code: .encryption,
            message: "This port takes encrypted connections only. Use a join line that begins "
                + "with wefts://, or --tls always.",
            isFatal: true
        )
        var outbox = Outbox(cutting: nil)
        outbox.append(.error(error))
        var line: [UInt8] = []
        while outbox.takePiece(into: &line) { socket.write(&line) }
        fail(
            WireError(
                code: .encryption,
                message: "The peer does not encrypt, and this port takes encrypted connections "
                    + "only."
            )
        )
    }

    private func fail(_ error: WireError) {
        guard !hasFailed, !isClosed else { return }
        hasFailed = true
        waiting = []
        socket.pauseReading()
        onFailure?(error)
    }

    private func sendPending() { stream.takePending(to: socket.write) }

    private static let damaged = WireError(
        code: .encryption,
        message: "The encrypted stream is damaged."
    )
    private static let peerIsPlain = WireError(
        code: .encryption,
        message: "The coordinator there does not encrypt, or another program answers in its place. "
            + "Start it with --tls always; on this host or behind a tunnel, connect with --tls "
            + "never."
    )
    private static let noTLS = WireError(
        code: .badMessage,
        message: "What answers there does not encrypt as a coordinator does."
    )
    private static let refused = WireError(
        code: .authFailed,
        message: "The coordinator does not accept the key: it is another coordinator's, or it was "
            + "revoked."
    )
}
