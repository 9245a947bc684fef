// Messages over a socket: received bytes are split into lines and decoded; sent messages are
// collected and encoded as fast as the socket accepts them. Waiting messages are in Wire's Outbox.
// The machine decides what messages mean and what happens to a peer that breaks the protocol.
internal import JSON
public import UVLoop
public import Wire

/// A connection that carries messages.
///
/// Confined to its loop. It lives until it is closed.
public final class MessageConnection {
    /// Called whenever everything that was sent has left.
    public var onDrained: (() -> Void)?
    /// Called when lines have arrived that are handled only in a later turn: the peer is not
    /// silent.
    public var onLinesWaiting: (() -> Void)?
    /// Whether lines are handled before those of connections that are not preferred.
    public var isPreferred = true
    /// Called with what waits for the peer: when a turn ends with more than the socket accepted,
    /// each time the peer has read some of it, and once when nothing waits any more.
    public var onBacklog: ((Backlog) -> Void)?

    /// Whether the handshake of encryption is not over.
    public private(set) var awaitsEncryption: Bool

    /// Called once with the name of the key, when a coordinator's connection is encrypted.
    public var onEncrypted: ((String) -> Void)?

    private let socket: any ByteConnection
    private let isEncrypted: Bool
    /// Whether anything was received.
    private var hasReceived = false
    private let outboxes: Outboxes
    private let ownsOutboxes: Bool
    private let inboxes: Inboxes
    private let ownsInboxes: Bool
    private var reader: LineReader
    private var outbox: Outbox
    /// The piece that the socket is sending; its memory is reused.
    private var piece: [UInt8] = []
    private var isWaiting = false
    /// How many bytes may still be passed to the socket in this turn.
    private var turnBudget = MessageConnection.bytesPerTurn
    /// Whether more waited than the socket accepted when `onBacklog` was last called.
    private var isBehind = false
    private var isClosed = false
    private var closesWhenReleased = false
    private var hasLostFraming = false
    private var onMessage: ((Message) -> Void)?
    private var onViolation: ((WireError) -> Void)?
    private var onEnd: ((UVError?) -> Void)?
    private var share: Inboxes.Share?
    /// Whether received lines wait for the next turn.
    private var hasWaitingLines = false
    private var isPaused = false
    /// How the stream ended, while lines received before the end wait.
    private var end: End?

    private struct End {
        var error: UVError?
    }

    /// Bytes that one connection passes to its socket before other connections get their turn: a
    /// peer that reads as fast as we write would otherwise block the loop for the length of its
    /// answer.
    private static let bytesPerTurn = 1 << 20
    /// A larger buffer is freed after a flush, because many connections are idle most of the time.
    private static let keptCapacity = 64 << 10
    /// Lines between two readings of the clock; half a KiB counts like a line.
    private static let costPerLook = 8

    /// Takes over a socket on which nothing was started yet.
    ///
    /// - Parameters:
    ///   - loop: The loop of the socket.
    ///   - socket: The socket; closed with the connection.
    ///   - tls: The keys to encrypt with; nil leaves the connection as it is.
    ///   - maximumLine: The longest line to accept, in bytes.
    ///   - cutting: How large values are split into chunks; nil if the messages sent here have none.
    ///   - outboxes: The list shared by the connections of the loop; a process with many
    ///     connections shares one, otherwise each has a hook of its own.
    ///   - inboxes: The list that shares the loop's time among connections, likewise.
    public init(
        loop: EventLoop,
        socket: TCPConnection,
        tls: TLSContext? = nil,
        maximumLine: Int,
        cutting: Outbox.Cutting? = nil,
        outboxes: Outboxes? = nil,
        inboxes: Inboxes? = nil
    ) {
        let encrypted = tls.map { TLSConnection(loop: loop, socket: socket, context: $0) }
        self.socket = encrypted ?? socket
        isEncrypted = tls != nil
        awaitsEncryption = isEncrypted
        outbox = Outbox(cutting: cutting)
        self.outboxes = outboxes ?? Outboxes(loop: loop)
        ownsOutboxes = outboxes == nil
        self.inboxes = inboxes ?? Inboxes(loop: loop)
        ownsInboxes = inboxes == nil
        reader = LineReader(maximumLine: maximumLine)
        self.socket.onDrained = { [weak self] in self?.flush() }
        encrypted?.onFailure = { [weak self] in self?.loseFraming($0) }
        encrypted?.onOpen = { [weak self, weak encrypted] in
            self?.awaitsEncryption = false
            if let name = encrypted?.keyName { self?.onEncrypted?(name) }
        }
    }

    /// Starts reading.
    ///
    /// After closing no callback is called, not even for lines that have arrived.
    ///
    /// - Parameters:
    ///   - onMessage: Called for each message, in order.
    ///   - onViolation: Called with what is wrong with a line. Later lines are still delivered,
    ///     except after `line_too_long`, when nothing can be read any more. The caller decides
    ///     whether to continue.
    ///   - onEnd: The peer has ended the stream (nil) or the connection broke; called at most once,
    ///     after all lines that have arrived. The connection must still be closed.
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

    /// Puts a message into the outbox, which is sent from the end of the turn on, as fast as the
    /// socket accepts it.
    ///
    /// A large value in it is shared, not copied, until its pieces are sent. After closing this
    /// does nothing.
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

    /// Holds what is sent from here on until `release` has come to the position.
    public func hold(until position: Int) {
        guard !isClosed else { return }
        outbox.hold(until: position)
    }

    /// Whether something is held; a connection that is to be closed waits for that.
    public var isHolding: Bool { outbox.isHolding }

    /// Lets leave what was held until positions up to this one.
    public func release(upTo position: Int) {
        outbox.release(upTo: position)
        if closesWhenReleased, !outbox.isHolding {
            closesWhenReleased = false
            return closeWritten()
        }
        guard !isClosed, !outbox.isEmpty, !isWaiting else { return }
        isWaiting = true
        outboxes.add(self)
    }

    /// Sends the outbox now instead of at the end of the turn.
    public func flush() {
        isWaiting = false
        guard !isClosed else { return }
        turnBudget = Self.bytesPerTurn
        handOver()
        report()
    }

    /// Drops the messages in the outbox; at most one piece that the socket has queued is still
    /// sent.
    public func discardBacklog() {
        guard !isClosed else { return }
        outbox.removeAll()
    }

    /// What waits for the peer now, and how much it has read; `onBacklog` reports it again when the
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

    /// Bytes not yet sent: those in the outbox and those that the socket has queued.
    public var unsentBytes: Int {
        isClosed ? 0 : outbox.waitingBytes + socket.unsentBytes
    }

    /// Passes pieces to the socket as long as it accepts them at once; of the rest it queues one
    /// piece.
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
        if isSocketFree, outbox.isEmpty || outbox.isHeld {
            if isBehind {
                isBehind = false
                onBacklog?(backlog)
            }
            if outbox.isEmpty { onDrained?() }
            // What is held leaves when it is released.
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

    /// The longest line to accept, in bytes; raised after the handshake.
    public var maximumLine: Int {
        get { reader.maximumLine }
        set { reader.maximumLine = newValue }
    }

    /// Stops the delivery of messages until `resumeReading`, also of lines that have arrived.
    public func pauseReading() {
        isPaused = true
        socket.pauseReading()
    }

    /// Reads again after `pauseReading`, starting in a later turn.
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
        if !hasReceived {
            hasReceived = true
            if !isEncrypted, bytes.first == TLSConnection.firstByte {
                return loseFraming(Self.peerEncrypts)
            }
        }
        reader.feed(bytes)
        if !hasWaitingLines, !isPaused { handleLines() }
    }

    /// Handles the waiting lines, as many as the next share allows.
    func handleWaitingLines() {
        guard !isClosed, !isPaused else { return }
        hasWaitingLines = false
        handleLines()
        guard !hasWaitingLines else { return }
        if let end {
            self.end = nil
            if !isClosed { onEnd?(end.error) }
        } else {
            readOn()
        }
    }

    /// Handles whole lines until there are no more or this turn's share is used up.
    private func handleLines() {
        outboxes.turnHasInput()
        guard let share = inboxes.share(of: self, after: share) else { return waitForTurn() }
        self.share = share
        var cost = 0
        while !isClosed {
            if isPaused {
                // More may have arrived; the end of the stream follows it.
                hasWaitingLines = true
                return
            }
            do {
                guard let line = try reader.next() else { return }
                receive(line)
                // The clock is read only after some lines, or a long one.
                cost += 1 + line.count >> 9
            } catch {
                return loseFraming(error)
            }
            guard cost >= Self.costPerLook else { continue }
            cost = 0
            if !isClosed, inboxes.isSpent(share) { return waitForTurn() }
        }
    }

    /// Nothing can be read any more.
    private func loseFraming(_ error: WireError) {
        hasLostFraming = true
        socket.pauseReading()
        onViolation?(error)
    }

    private static let peerEncrypts = WireError(
        code: .encryption,
        message: "The peer encrypts, and this port takes connections without encryption only. Use "
            + "a join line that begins with weft://, or --tls never."
    )

    /// Leaves the other lines, and the data in the socket, for the next turn.
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

    /// Closes when everything sent has left, also what is held; no callback is called any more.
    ///
    /// Without waiting for the peer's end, what it sends meanwhile may cost it our last bytes.
    public func closeAfterWriting(waitsForEnd: Bool = true) {
        guard !isClosed else { return }
        guard outbox.isHolding else { return closeWritten(waitsForEnd: waitsForEnd) }
        closesWhenReleased = true
        socket.pauseReading()
        forgetCallbacks()
    }

    private func closeWritten(waitsForEnd: Bool = true) {
        var rest = outbox
        forget()
        socket.closeAfterWriting(waitsForEnd: waitsForEnd) { rest.takePiece(into: &$0) }
    }

    /// Closes at once; unsent data is dropped, and no callback is called any more.
    ///
    /// Calling it again does nothing.
    public func close() {
        forget()
        socket.close()
    }

    /// Frees everything that a connection needs only while it is open.
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
        forgetCallbacks()
    }

    private func forgetCallbacks() {
        onMessage = nil
        onViolation = nil
        onEnd = nil
        onDrained = nil
        onLinesWaiting = nil
        onBacklog = nil
        onEncrypted = nil
    }
}

@available(*, unavailable)
extension MessageConnection: Sendable {}
