// Outputs of one run that arrive in chunks, until they are complete.

internal import Core
internal import Wire

/// The outputs of a run's current attempts that have arrived in part.
///
/// They belong to the run and not to the worker that sends them: whatever ends an attempt ends what
/// has arrived of its output.
struct IncomingOutputs: Sendable {
    private var assemblers: [Int: (attempt: Int, assembler: ChunkAssembler)] = [:]
    /// Bytes that have arrived.
    private(set) var bytes = 0

    var isEmpty: Bool { assemblers.isEmpty }

    /// Takes the next chunk of the current attempt of a node; one with the number 0 begins again.
    mutating func append(
        _ chunk: Chunk,
        of attempt: AttemptID,
        maximumBytes: Int
    ) throws(WireError) {
        if chunk.sequence == 0 { remove(attempt.node) }
        // It is taken out while it changes, so that nothing is copied.
        var assembler = take(attempt, maximumBytes: maximumBytes)
        try assembler.append(chunk)
        bytes += assembler.bytes
        assemblers[attempt.node] = (attempt.number, assembler)
    }

    /// What has arrived of an attempt's output, which is then no longer here; empty if nothing has.
    mutating func take(_ attempt: AttemptID, maximumBytes: Int) -> ChunkAssembler {
        guard let found = remove(attempt.node), found.attempt == attempt.number else {
            return ChunkAssembler(maximumBytes: maximumBytes)
        }
        return found.assembler
    }

    /// Drops what has arrived of a node's output.
    @discardableResult
    mutating func remove(_ node: Int) -> (attempt: Int, assembler: ChunkAssembler)? {
        guard !assemblers.isEmpty, let found = assemblers.removeValue(forKey: node) else {
            return nil
        }
        bytes -= found.assembler.bytes
        return found
    }

    mutating func removeAll() {
        assemblers = [:]
        bytes = 0
    }

    /// `bytes`, computed again from all outputs; for checks.
    var countedBytes: Int { assemblers.values.reduce(0) { $0 + $1.assembler.bytes } }
}
