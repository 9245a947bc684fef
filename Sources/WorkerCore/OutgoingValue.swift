// A large output on its way to the coordinator, cut as there is room for it.
internal import Core
internal import JSON
internal import Wire

/// What is still to be sent of a value in chunks; begins again on a new connection.
struct OutgoingValue: Sendable {
    private var cutter: ChunkCutter
    /// Whether the value waits in the line of those that can be sent, not for its window.
    var isInLine = false

    init(_ value: RawJSON, of attempt: AttemptID) {
        cutter = ChunkCutter(value: value, about: .attempt(attempt), stream: .value)
    }

    var isComplete: Bool { cutter.isComplete }

    /// Whether a window has room for a character, or for all that is left.
    func canContinue(within window: SendWindow) -> Bool {
        window.bytes >= min(4, cutter.remaining)
    }

    /// The announcement that completes the value once all chunks are sent.
    var announcement: Payload { cutter.announcement }

    /// The next chunk, of at most that many bytes, into which it fits.
    mutating func next(bytes most: Int) -> Chunk { cutter.next(bytes: most) }
}
