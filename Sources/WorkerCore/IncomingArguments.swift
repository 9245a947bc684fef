// Arguments too large for a line: their chunks come before the dispatch, which completes them.
internal import Core
internal import JSON
internal import Wire

/// The chunks of arguments whose dispatch has not come yet.
///
/// What is wrong with chunks is kept until the dispatch and answered by rejecting it: it concerns
/// one attempt, not the connection. Forgotten when the connection ends.
struct IncomingArguments: Sendable {
    private enum Entry: Sendable {
        case growing(ChunkAssembler)
        case spoiled(Refusal)
    }

    private let maximumBytes: Int
    private let maximumCount: Int
    private var entries: [AttemptID: Entry] = [:]
    private(set) var bytes = 0
    /// Whether chunks were dropped for want of room; later gaps are no fault of the coordinator.
    private var hasOverflowed = false

    /// Takes values of at most that many bytes, and of twice as many together.
    init(maximumBytes: Int, maximumCount: Int) {
        self.maximumBytes = maximumBytes
        self.maximumCount = maximumCount
    }

    mutating func append(_ chunk: Chunk, of attempt: AttemptID) {
        guard entries.count < maximumCount || entries[attempt] != nil else {
            hasOverflowed = true
            return
        }
        switch entries[attempt] ?? .growing(newAssembler) {
        case .spoiled:
            return
        case .growing(var assembler):
            // The entry must not hold a second reference, or the bytes would be copied.
            entries[attempt] = nil
            bytes -= assembler.bytes
            do {
                guard bytes + assembler.bytes + chunk.data.count <= 2 * maximumBytes else {
                    hasOverflowed = true
                    throw refusal("There are too many large arguments on the way.")
                }
                try assembler.append(chunk)
                bytes += assembler.bytes
                entries[attempt] = .growing(assembler)
            } catch let refusal as Refusal {
                entries[attempt] = .spoiled(refusal)
            } catch {
                entries[attempt] = .spoiled(refusal("\(error)"))
            }
        }
    }

    /// The coordinator sends one value at a time; only for the first of several is all its room
    /// made at once.
    private var newAssembler: ChunkAssembler {
        ChunkAssembler(
            maximumBytes: maximumBytes,
            reservedBytes: entries.isEmpty
                ? ChunkAssembler.reservedForCoordinator : ChunkAssembler.reservedForPeer
        )
    }

    /// The arguments that a dispatch completes.
    mutating func finish(_ payload: Payload, of attempt: AttemptID) throws(Refusal) -> RawJSON {
        if case .inline(let value) = payload {
            if !entries.isEmpty { remove(attempt) }
            return value
        }
        defer { remove(attempt) }
        switch entries[attempt] {
        case nil:
            throw refusal("The chunks of the arguments did not come before the dispatch.")
        case .spoiled(let refusal):
            throw refusal
        case .growing(var assembler):
            do {
                return try assembler.finish(payload)
            } catch {
                throw refusal(error.message)
            }
        }
    }

    mutating func remove(_ attempt: AttemptID) {
        guard let entry = entries.removeValue(forKey: attempt) else { return }
        if case .growing(let assembler) = entry { bytes -= assembler.bytes }
    }

    mutating func removeAll() {
        entries = [:]
        bytes = 0
        hasOverflowed = false
    }

    private func refusal(_ message: String) -> Refusal {
        Refusal(hasOverflowed ? .busy : .badArguments, message)
    }
}
