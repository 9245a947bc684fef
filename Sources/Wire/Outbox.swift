// What a connection still has to send, in order: small messages as encoded bytes, large values as
// themselves, encoded as the other side takes them, those that are too large for a line in chunks.
// When a piece leaves is the business of the owner of the socket.
internal import DequeModule
internal import JSON

/// What waits for a peer, and how much has gone to it so far.
public struct Backlog: Sendable, Equatable {
    /// Bytes of encoded messages that the peer has not taken.
    public var encodedBytes: Int
    /// Bytes that the peer has taken since it connected; while this grows, the peer reads.
    public var takenBytes: Int
    /// How many values in chunks have been encoded to their end since it connected; those sent
    /// after them still wait, whole or in part.
    public var values: Int

    /// Makes it of its numbers.
    public init(encodedBytes: Int = 0, takenBytes: Int = 0, values: Int = 0) {
        self.encodedBytes = encodedBytes
        self.takenBytes = takenBytes
        self.values = values
    }
}

/// The messages that wait for one peer.
///
/// A value beyond `largestInline` is held as it is, shared with its other owners; its chunks and
/// the message that completes it are encoded only when `takePiece` comes to them.
public struct Outbox: Sendable {
    /// How large values go.
    public struct Cutting: Sendable, Equatable {
        /// The longest JSON text of a value that goes into its message.
        public var largestInline: Int
        /// Bytes of data in one chunk; at least 4.
        public var bytesPerChunk: Int

        /// Makes the rule of its numbers.
        public init(largestInline: Int, bytesPerChunk: Int) {
            self.largestInline = largestInline
            self.bytesPerChunk = bytesPerChunk
        }
    }

    /// About as many bytes as one piece has; a single line may be longer.
    public static let pieceBytes = 256 << 10

    /// A value beyond this is not copied before its message leaves.
    private static let largestCopy = 64 << 10

    private enum Entry: Sendable {
        case bytes([UInt8])
        case message(Message, bytes: Int)
        case value(ChunkCutter, completedBy: Message)
        /// What follows waits until it is released up to a position.
        case hold(Int)
    }

    private let cutting: Cutting?
    /// What leaves before `encoded`.
    private var queue: Deque<Entry> = []
    private var encoded = JSONWriter()
    private var queuedBytes = 0
    /// Encoded bytes in the queue.
    private var closedBytes = 0
    /// How far what is held is released.
    private var released = 0
    /// Holds in the queue, and bytes of encoded messages behind the first one that is closed.
    private var holds = 0
    private var heldBytes = 0
    /// Values that have been encoded to their end.
    public private(set) var values = 0

    /// Begins empty; without a rule for cutting every message goes as it is.
    public init(cutting: Cutting? = nil) {
        self.cutting = cutting
    }

    /// Whether nothing waits.
    public var isEmpty: Bool { queue.count == holds && encoded.bytes.isEmpty }

    /// Whether what is next is held.
    public var isHeld: Bool {
        if case .hold(let position)? = queue.first, position > released { true } else { false }
    }

    /// Whether what waits is enough for a piece.
    public var hasWholePiece: Bool {
        !isHeld && (!queue.isEmpty || encoded.bytes.count >= Self.pieceBytes)
    }

    /// Bytes of encoded messages that are not held.
    public var encodedBytes: Int {
        closedBytes - heldBytes + (isHolding ? 0 : encoded.bytes.count)
    }

    /// Whether something is held, though it may not be next.
    public var isHolding: Bool {
        holds > 0
            && queue.contains { entry in
                if case .hold(let position) = entry { position > released } else { false }
            }
    }

    /// Bytes that wait: encoded messages, and each value whole until its last chunk is encoded.
    public var waitingBytes: Int { queuedBytes + encoded.bytes.count }

    /// Appends a message.
    public mutating func append(_ message: Message) {
        let valueBytes = message.valueBytes
        if let cutting, valueBytes > cutting.largestInline, let cutter = message.cutter {
            closeEncoded()
            queue.append(.value(cutter, completedBy: message.withoutValue))
            queuedBytes += valueBytes
            return
        }
        if valueBytes > Self.largestCopy {
            closeEncoded()
            if isHolding { heldBytes += valueBytes }
            queue.append(.message(message, bytes: valueBytes))
            queuedBytes += valueBytes
            closedBytes += valueBytes
            return
        }
        message.encode(into: &encoded)
        // Behind something that waits, the bytes wait in pieces: each is given back when it left.
        if !queue.isEmpty, encoded.bytes.count >= Self.pieceBytes { closeEncoded() }
    }

    /// Holds what is appended from here on until `release` has come to the position.
    public mutating func hold(until position: Int) {
        guard position > released else { return }
        closeEncoded()
        if case .hold(let last)? = queue.last {
            guard position > last else { return }
            queue.removeLast()
            holds -= 1
        }
        queue.append(.hold(position))
        holds += 1
    }

    /// Lets leave what was held until positions up to this one.
    public mutating func release(upTo position: Int) {
        released = max(released, position)
        guard holds > 0 else { return }
        while case .hold(let first)? = queue.first, first <= released {
            queue.removeFirst()
            holds -= 1
        }
        heldBytes = 0
        var isBehind = false
        for entry in queue {
            switch entry {
            case .hold(let position): isBehind = isBehind || position > released
            case .bytes(let bytes): heldBytes += isBehind ? bytes.count : 0
            case .message(_, let count): heldBytes += isBehind ? count : 0
            case .value: break
            }
        }
    }

    /// Forgets all that waits.
    public mutating func removeAll() {
        queue = []
        holds = 0
        heldBytes = 0
        encoded = JSONWriter()
        queuedBytes = 0
        closedBytes = 0
    }

    /// Moves what leaves next into an array, which is empty before; about `pieceBytes`.
    ///
    /// The array's memory is used again where it can be. False when nothing waits.
    public mutating func takePiece(into bytes: inout [UInt8]) -> Bool {
        while case .hold(let position)? = queue.first {
            guard position <= released else { return false }
            queue.removeFirst()
            holds -= 1
        }
        switch queue.first {
        case .hold: preconditionFailure("holds that are released were removed")
        case .bytes(let first):
            bytes = first
            queuedBytes -= first.count
            closedBytes -= first.count
            queue.removeFirst()
        case .message(let message, let count):
            queue.removeFirst()
            queuedBytes -= count
            closedBytes -= count
            var writer = JSONWriter()
            swap(&writer.bytes, &bytes)
            message.encode(into: &writer)
            swap(&writer.bytes, &bytes)
        case .value(var cutter, let message):
            // The entry is taken out while it changes, so that nothing is copied.
            queue.removeFirst()
            var writer = JSONWriter()
            swap(&writer.bytes, &bytes)
            cutter.encodeNext(bytes: cutting?.bytesPerChunk ?? Self.pieceBytes, into: &writer)
            if cutter.isComplete {
                message.announcing(cutter.announcement).encode(into: &writer)
                queuedBytes -= cutter.value.count
                values += 1
            } else {
                queue.prepend(.value(cutter, completedBy: message))
            }
            swap(&writer.bytes, &bytes)
        case nil:
            guard !encoded.bytes.isEmpty else { return false }
            swap(&encoded.bytes, &bytes)
        }
        return true
    }

    private mutating func closeEncoded() {
        guard !encoded.bytes.isEmpty else { return }
        queuedBytes += encoded.bytes.count
        closedBytes += encoded.bytes.count
        if isHolding { heldBytes += encoded.bytes.count }
        queue.append(.bytes(encoded.bytes))
        encoded.bytes = []
    }
}

extension Message {
    /// Bytes of the value that stands in it, if it is of a kind whose values may be large.
    fileprivate var valueBytes: Int {
        switch self {
        case .dispatch(let dispatch): return dispatch.arguments.inMessageBytes
        case .reply(let reply): return reply.data.inMessageBytes
        case .result(let result):
            guard case .success(let output) = result.outcome else { return 0 }
            return output.inMessageBytes
        default: return 0
        }
    }

    /// The cutter of the value that stands in it.
    ///
    /// Only what the coordinator sends is cut here: a worker cuts its outputs itself, because
    /// they wait for windows.
    fileprivate var cutter: ChunkCutter? {
        switch self {
        case .dispatch(let dispatch):
            guard let value = dispatch.arguments.pieces else { return nil }
            return ChunkCutter(
                value: value,
                about: .attempt(dispatch.attempt),
                stream: .arguments
            )
        case .reply(let reply):
            guard let value = reply.data.pieces else { return nil }
            return ChunkCutter(value: value, about: .request(reply.request), stream: .value)
        default:
            return nil
        }
    }

    /// The message while its value is on its way; the value is held by its cutter alone.
    fileprivate var withoutValue: Message { announcing(.inline(.null)) }

    fileprivate func announcing(_ payload: Payload) -> Message {
        switch self {
        case .dispatch(var dispatch):
            dispatch.arguments = payload
            return .dispatch(dispatch)
        case .reply(var reply):
            reply.data = payload
            return .reply(reply)
        default:
            preconditionFailure("a \(kind) carries no value in chunks")
        }
    }
}
