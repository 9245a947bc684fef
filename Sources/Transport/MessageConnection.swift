// Messages over a socket: lines cut and decoded on the way in, gathered on the way out and encoded
// as the socket takes them. What waits is in Wire's Outbox. What messages mean, and what becomes of
// a peer that breaks the protocol, is decided by the machine behind it.
internal import JSON
public import UVLoop
public import Wire

/// A connection that carries messages.
///
/// Confined to its loop. It lives until it is closed.
public final class MessageConnection {
    /// Called whenever everything sent so far has left.
    public var onDrained: (() -> Void)?
    /// Called when lines have arrived that are handled in a later turn only: the peer is not
    /// silent.
    public var onLinesWaiting: (() -> Void)?
    /// Whether lines are taken before those of connections that are not preferred.
    public var isPreferred = true
    /// Called with what waits for the peer: when a turn ends with more than the socket took, each
    /// time the peer has taken some of it, and once when nothing waits any more.
    public var onBacklog: ((Backlog) -> Void)?

    private let socket: TCPConnection
    private let outboxes: Outboxes
    private let ownsOutboxes: Bool
    private let inboxes: Inboxes
    private let ownsInboxes: Bool
    private var reader: LineReader
    private var outbox: Outbox
    /// The piece on its way to the socket; its memory is used again.
    private var piece: [UInt8] = []
    private var isWaiting = false
    /// Bytes that may still be handed to the socket in this turn.
    private var turnBudget = MessageConnection.bytesPerTurn
    /// Whether more waited than the socket took when `onBacklog` was called last.
    private var isBehind = false
    private var isClosed = false
    private var hasLostFraming = false
    private var onMessage: ((Message) -> Void)?
    private var onViolation: ((WireError) -> Void)?
    private var onEnd: ((UVError?) -> Void)?
    private var share: Inboxes.Share?
    /// Whether lines that have arrived wait for the next turn.
    private var hasWaitingLines = false
    private var isPaused = false
    /// How the stream ended, while lines before the end wait.
    private var end: End?

    private struct End {
        var error: UVError?
    }

    /// Bytes that one connection hands to its socket before others have their turn: a peer that
    /// reads as fast as we write would keep the loop for the length of its answer.
    private static let bytesPerTurn = 1 << 20
    /// A buffer that grew beyond this is given back after a flush, for the sake of the many
    /// connections that are quiet most of the time.
    private static let keptCapacity = 64 << 10
    /// Lines between two looks at the clock; half a KiB counts like a line.
    private static let costPerLook = 8

    /// Takes over a socket on which nothing was started yet.
    ///
    /// - Parameters:
    ///   - loop: The loop of the socket.
    ///   - socket: The socket; closed with the connection.
    ///   - maximumLine: The longest line to accept, in bytes.
    ///   - cutting: How large values are cut into chunks; nil if the messages sent here have none.
    ///   - outboxes: The list shared by the connections of the loop; a process with many
    ///     connections shares one, otherwise each has a hook of its own.
    ///   - inboxes: The list that shares the loop's time among connections, likewise.
    public init(
        loop: EventLoop,
        socket: TCPConnection,
        maximumLine: Int,
        cutting: Outbox.Cutting? = nil,
        outboxes: Outboxes? = nil,
        inboxes: Inboxes? = nil
    ) {
        self.socket = socket
        outbox = Outbox(cutting: cutting)
        self.outboxes = outboxes ?? Outboxes(loop: loop)
        ownsOutboxes = outboxes == nil
        self.inboxes = inboxes ?? Inboxes(loop: loop)
        ownsInboxes = inboxes == nil
        reader = LineReader(maximumLine: maximumLine)
        socket.onDrained = { [weak self] in self?.flush() }
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
    ///     after all lines that have arrived, and the connection is still to be closed.
    public func start(
        onMessage: @escaping (Message) -> Void,
        onViolation: @escaping (WireError) -> Void,
        onEnd: @escaping (UVError?) -> Void
    ) {
        guard !isClosed else { return }
        self.onMessage = onMessage
        self.onViolation = onViolation
        self.onEnd = onEnd
        socket.start(
            onBytes: { [weak self] in self?.receive($0) },
            onEnd: { [weak self] in self?.receiveEnd($0) }
        )
    }

    // MARK: - Sending

    /// Puts a message into the outbox, which leaves from the end of the turn on, as fast as the
    /// socket takes it.
    ///
    /// A large value in it is shared, not copied, until its pieces leave. After closing it does
    /// nothing.
    public func send(_ message: Message) {
        guard !isClosed else { return }
        outbox.append(message)
        if outbox.hasWholePiece {
            isBehind = true
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
        turnBudget = Self.bytesPerTurn
        handOver()
        report()
    }

    /// Forgets what waits in the outbox; what the socket has queued, at most one piece, still
    /// leaves.
    public func discardBacklog() {
        guard !isClosed else { return }
        outbox.removeAll()
    }

    /// What waits for the peer now, and how much it has taken; `onBacklog` tells it again when the
    /// turn ends.
    public func measureBacklog() -> Backlog {
        isBehind = true
        if !isWaiting, !isClosed {
            isWaiting = true
            outboxes.add(self)
        }
        return backlog
    }

    private var backlog: Backlog {
        Backlog(
            encodedBytes: isClosed ? 0 : outbox.encodedBytes + socket.unsentBytes,
            takenBytes: socket.takenBytes,
            values: outbox.values
        )
    }

    /// Bytes sent that have not left: those in the outbox and those the socket has queued.
    public var unsentBytes: Int {
        isClosed ? 0 : outbox.waitingBytes + socket.unsentBytes
    }

    /// Hands pieces to the socket for as long as it takes them at once; of what it does not take,
    /// it queues one piece.
    private func handOver() {
        while turnBudget > 0, socket.unsentBytes == 0, outbox.takePiece(into: &piece) {
            turnBudget -= piece.count
            socket.write(&piece)
        }
        if piece.capacity > Self.keptCapacity, outbox.isEmpty {
            piece = []
        }
    }

    private func report() {
        let isSocketFree = socket.unsentBytes == 0
        if isSocketFree, outbox.isEmpty {
            if isBehind {
                isBehind = false
                onBacklog?(backlog)
            }
            if outbox.isEmpty { onDrained?() }
            return
        }
        if isSocketFree, !isWaiting {
            isWaiting = true
            outboxes.addForNextTurn(self)
        }
        isBehind = true
        onBacklog?(backlog)
    }

    // MARK: - Receiving

    /// The longest line to accept, in bytes; raised when the handshake is done.
    public var maximumLine: Int {
        get { reader.maximumLine }
        set { reader.maximumLine = newValue }
    }

    /// Lets no further message come until `resumeReading`, also of lines that have arrived.
    public func pauseReading() {
        isPaused = true
        socket.pauseReading()
    }

    /// Reads again after `pauseReading`, from a further turn on.
    public func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        if hasWaitingLines { inboxes.add(self) } else { readOn() }
    }

    private func readOn() {
        if !isPaused, !hasLostFraming, !hasWaitingLines, !isClosed {
            socket.resumeReading()
        }
    }

    /// The peer's address.
    public var remoteAddress: SocketAddress? { socket.remoteAddress }

    private func receive(_ bytes: [UInt8]) {
        guard !isClosed, !hasLostFraming else { return }
        reader.feed(bytes)
        if !hasWaitingLines, !isPaused { takeLines() }
    }

    /// Takes the lines that had to wait, as many as the next share allows.
    func takeWaitingLines() {
        guard !isClosed, !isPaused else { return }
        hasWaitingLines = false
        takeLines()
        guard !hasWaitingLines else { return }
        if let end {
            self.end = nil
            if !isClosed { onEnd?(end.error) }
        } else {
            readOn()
        }
    }

    /// Takes whole lines until there are no more or this turn's share is used up.
    private func takeLines() {
        outboxes.turnHasInput()
        guard let share = inboxes.share(of: self, after: share) else { return waitForTurn() }
        self.share = share
        var cost = 0
        while !isClosed {
            if isPaused {
                // More may have arrived; the end of the stream comes after it.
                hasWaitingLines = true
                return
            }
            do {
                guard let line = try reader.next() else { return }
                receive(line)
                // The clock is asked now and then: after a few lines, or one that is long.
                cost += 1 + line.count >> 9
            } catch {
                hasLostFraming = true
                socket.pauseReading()
                onViolation?(error)
                return
            }
            guard cost >= Self.costPerLook else { continue }
            cost = 0
            if !isClosed, inboxes.isSpent(share) { return waitForTurn() }
        }
    }

    /// Leaves the rest of the lines, and what the socket holds, for the next turn.
    private func waitForTurn() {
        hasWaitingLines = true
        socket.pauseReading()
        inboxes.add(self)
        onLinesWaiting?()
    }

    private func receiveEnd(_ error: UVError?) {
        if hasWaitingLines {
            end = End(error: error)
        } else {
            onEnd?(error)
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
        var rest = outbox
        forget()
        socket.closeAfterWriting { rest.takePiece(into: &$0) }
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
        if ownsInboxes {
            inboxes.close()
        }
        outbox.removeAll()
        piece = []
        reader = LineReader(maximumLine: 0)
        onMessage = nil
        onViolation = nil
        onEnd = nil
        onDrained = nil
        onLinesWaiting = nil
        onBacklog = nil
    }
}

@available(*, unavailable)
extension MessageConnection: Sendable {}
