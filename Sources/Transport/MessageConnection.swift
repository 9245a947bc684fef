// Messages over a socket: lines cut and decoded on the way in, gathered on the way out. What they
// mean, and what becomes of a peer that breaks the protocol, is decided by the machine behind it.
internal import JSON
public import UVLoop
public import Wire

/// A connection that carries messages.
///
/// Confined to its loop. Who has it keeps it: it lives until it is closed.
public final class MessageConnection {
    /// Called whenever everything sent so far has left.
    public var onDrained: (() -> Void)?

    private let socket: TCPConnection
    private let outboxes: Outboxes
    private let ownsOutboxes: Bool
    private var reader: LineReader
    private var outbox = JSONWriter()
    private var isWaiting = false
    private var isClosed = false
    private var hasLostFraming = false
    private var onMessage: ((Message) -> Void)?
    private var onViolation: ((WireError) -> Void)?

    /// Beyond this the outbox is handed to the socket before the turn ends: the write is the same,
    /// and the memory need not hold the turn twice.
    private static let earlyFlush = 256 << 10
    /// An outbox that grew beyond this is given back after a flush, for the sake of the many
    /// connections that are quiet most of the time.
    private static let keptCapacity = 64 << 10

    /// Takes over a socket on which nothing was started yet.
    ///
    /// - Parameters:
    ///   - loop: The loop of the socket.
    ///   - socket: The socket; closed with the connection.
    ///   - maximumLine: The longest line to accept, in bytes.
    ///   - outboxes: The list shared by the connections of the loop; a process with many
    ///     connections shares one, otherwise each has a hook of its own.
    public init(
        loop: EventLoop,
        socket: TCPConnection,
        maximumLine: Int,
        outboxes: Outboxes? = nil
    ) {
        self.socket = socket
        self.outboxes = outboxes ?? Outboxes(loop: loop)
        ownsOutboxes = outboxes == nil
        reader = LineReader(maximumLine: maximumLine)
        socket.onDrained = { [weak self] in self?.reportDrained() }
    }

    /// Starts reading.
    ///
    /// No callback comes after closing, not even for lines that have arrived.
    ///
    /// - Parameters:
    ///   - onMessage: Takes each message, in order.
    ///   - onViolation: Takes what is wrong with a line. The lines after it still come, except
    ///     after `line_too_long`, when nothing can be read any more. Whether to go on is the
    ///     caller's decision.
    ///   - onEnd: The peer has ended the stream (nil) or the connection broke; comes at most once,
    ///     and the connection is still to be closed.
    public func start(
        onMessage: @escaping (Message) -> Void,
        onViolation: @escaping (WireError) -> Void,
        onEnd: @escaping (UVError?) -> Void
    ) {
        guard !isClosed else { return }
        self.onMessage = onMessage
        self.onViolation = onViolation
        socket.start(onBytes: { [weak self] in self?.receive($0) }, onEnd: onEnd)
    }

    // MARK: - Sending

    /// Puts a message into the outbox, which leaves when the turn ends.
    ///
    /// After closing it does nothing.
    public func send(_ message: Message) {
        guard !isClosed else { return }
        message.encode(into: &outbox)
        if outbox.bytes.count > Self.earlyFlush {
            handOver()
        }
        if !isWaiting {
            isWaiting = true
            outboxes.add(self)
        }
    }

    /// Sends what is in the outbox now instead of when the turn ends.
    public func flush() {
        isWaiting = false
        guard !isClosed else { return }
        handOver()
        if socket.unsentBytes == 0 {
            reportDrained()
        }
    }

    /// Bytes sent that have not left: those in the outbox and those the socket has queued.
    public var unsentBytes: Int {
        isClosed ? 0 : outbox.bytes.count + socket.unsentBytes
    }

    private func handOver() {
        guard !outbox.bytes.isEmpty else { return }
        socket.write(&outbox.bytes)
        if outbox.bytes.capacity > Self.keptCapacity {
            outbox.bytes = []
        }
    }

    private func reportDrained() {
        if !isClosed, outbox.bytes.isEmpty {
            onDrained?()
        }
    }

    // MARK: - Receiving

    /// The longest line to accept, in bytes; raised when the handshake is done.
    public var maximumLine: Int {
        get { reader.maximumLine }
        set { reader.maximumLine = newValue }
    }

    /// Reads no more from the socket until `resumeReading`; lines that have arrived still come.
    public func pauseReading() {
        socket.pauseReading()
    }

    /// Reads again after `pauseReading`.
    public func resumeReading() {
        if !hasLostFraming {
            socket.resumeReading()
        }
    }

    /// The peer's address.
    public var remoteAddress: SocketAddress? { socket.remoteAddress }

    private func receive(_ bytes: [UInt8]) {
        guard !isClosed, !hasLostFraming else { return }
        outboxes.turnHasInput()
        reader.feed(bytes)
        while !isClosed {
            do {
                guard let line = try reader.next() else { return }
                receive(line)
            } catch {
                hasLostFraming = true
                socket.pauseReading()
                onViolation?(error)
                return
            }
        }
    }

    private func receive(_ line: ArraySlice<UInt8>) {
        let message: Message
        do {
            message = try Message(decoding: line)
        } catch {
            onViolation?(error)
            return
        }
        onMessage?(message)
    }

    // MARK: - Closing

    /// Closes when everything sent has left; no callback comes any more.
    public func closeAfterWriting() {
        guard !isClosed else { return }
        handOver()
        forget()
        socket.closeAfterWriting()
    }

    /// Closes at once; what has not left is dropped, and no callback comes any more.
    ///
    /// Calling it again does nothing.
    public func close() {
        forget()
        socket.close()
    }

    /// Drops everything that a connection holds only while it is open.
    private func forget() {
        guard !isClosed else { return }
        isClosed = true
        if ownsOutboxes {
            outboxes.close()
        }
        outbox = JSONWriter()
        reader = LineReader(maximumLine: 0)
        onMessage = nil
        onViolation = nil
        onDrained = nil
    }
}

@available(*, unavailable)
extension MessageConnection: Sendable {}
