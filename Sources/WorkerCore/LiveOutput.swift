// What a running attempt writes, on its way to the coordinator.
internal import Core
internal import Wire

/// Bytes of chunks that may still be sent for an attempt before the coordinator grants more.
struct SendWindow: Sendable {
    private(set) var bytes: Int

    mutating func grant(_ more: Int) {
        let (sum, overflow) = bytes.addingReportingOverflow(more)
        bytes = overflow ? .max : sum
    }

    mutating func spend(_ sent: Int) { bytes -= sent }
}

/// The standard output and standard error of one attempt, cut into numbered pieces.
///
/// A piece that cannot be sent is dropped, with its number, so that the gap shows.
struct LiveOutput: Sendable {
    var window: SendWindow
    /// The numbers of the next pieces of standard output and standard error.
    private var nextOutput = 0
    private var nextError = 0
    /// Bytes that the tool wrote and that were not passed on.
    private(set) var droppedBytes = 0

    init(window: SendWindow) {
        self.window = window
    }

    /// Sends what the tool wrote in pieces of at most `largest` bytes, as far as the window allows;
    /// drops all of it if it is not wanted.
    mutating func send(
        _ bytes: [UInt8],
        _ stream: ChunkStream,
        of attempt: AttemptID,
        isWanted: Bool,
        largest: Int,
        in turn: inout WorkerTurn
    ) {
        var start = 0
        while start < bytes.count {
            let end = min(start + largest, bytes.count)
            let sequence = nextNumber(of: stream)
            if isWanted, end - start <= window.bytes {
                window.spend(end - start)
                let isWhole = end - start == bytes.count
                let chunk = Chunk(
                    about: .attempt(attempt),
                    sequence: sequence,
                    stream: stream,
                    data: isWhole ? bytes : Array(bytes[start..<end])
                )
                turn.send(.chunk(chunk))
            } else {
                droppedBytes += end - start
            }
            start = end
        }
    }

    private mutating func nextNumber(of stream: ChunkStream) -> Int {
        if stream == .standardError {
            nextError += 1
            return nextError - 1
        }
        nextOutput += 1
        return nextOutput - 1
    }
}
