// The outcomes of attempts on their way to the coordinator: kept until they are acknowledged, sent
// in the result itself or, if they are large, in chunks before it.
internal import Core
internal import DequeModule
internal import JSON
internal import Wire

/// The attempts that have ended and whose results are not acknowledged.
struct KeptResults: Sendable {
    private struct Kept: Sendable {
        let node: NodeID
        let sequence: UInt64
        let outcome: ToolOutcome
        /// Bytes of chunks that may still be sent before the coordinator grants more.
        var window: SendWindow
        /// What is still to be sent of a value in chunks.
        var outgoing: OutgoingValue?
    }

    /// The bytes of values handed to the shell at once: what a heartbeat may have to wait for.
    private static let burst = 1 << 20

    private var kept: [AttemptID: Kept] = [:]
    /// The bytes of all outcomes.
    private(set) var bytes = 0
    /// The values in chunks that can be sent, each in its turn; outdated entries are skipped.
    private var line: Deque<(id: AttemptID, sequence: UInt64)> = []
    /// Bytes of values handed to the shell since `written`.
    private var unwritten = 0
    /// Whether `written` is awaited.
    private var awaitsWritten = false

    var count: Int { kept.count }

    func holds(_ id: AttemptID) -> Bool { kept[id] != nil }

    /// All of them, in no order.
    var all: [HeldAttempt] {
        kept.map { id, result in
            HeldAttempt(id: id, node: result.node, sequence: result.sequence, state: .done)
        }
    }

    // MARK: - Keeping

    /// Keeps how an attempt ended until it is acknowledged, and sends it if there is a session.
    mutating func keep(_ ended: EndedAttempt, over channel: Channel, in turn: inout WorkerTurn) {
        bytes += ended.outcome.keptBytes
        let entry = Kept(
            node: ended.node,
            sequence: ended.sequence,
            outcome: ended.outcome,
            window: ended.window
        )
        kept[ended.id] = entry
        if channel.isOpen { send(entry, of: ended.id, over: channel, in: &turn) }
    }

    /// Forgets a result that was acknowledged or is not wanted; returns its node if it was kept.
    @discardableResult
    mutating func remove(_ id: AttemptID) -> NodeID? {
        guard let entry = kept.removeValue(forKey: id) else { return nil }
        bytes -= entry.outcome.keptBytes
        return entry.node
    }

    // MARK: - Sending

    /// The connection is gone: what was sent in part begins again on the next one.
    mutating func forgetConnection() {
        line = []
        unwritten = 0
        awaitsWritten = false
        for id in kept.keys {
            kept[id]?.window = SendWindow(bytes: 0)
            kept[id]?.outgoing = nil
        }
    }

    /// Sends everything to a coordinator that has taken the worker on.
    mutating func sendAll(over channel: Channel, in turn: inout WorkerTurn) {
        for (id, _) in kept.sorted(by: { $0.value.sequence < $1.value.sequence }) {
            kept[id]?.window = SendWindow(bytes: channel.limits.window)
            guard let entry = kept[id] else { continue }
            send(entry, of: id, over: channel, in: &turn)
        }
    }

    private mutating func send(
        _ entry: Kept,
        of id: AttemptID,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        let outcome: AttemptOutcome
        switch entry.outcome.result {
        case .failure(let failure):
            outcome = .failure(failure.clipped(to: channel.limits.textBytes))
        case .success(let value) where value.count <= channel.limits.largestInline:
            outcome = .success(.inline(value))
        case .success(let value) where value.count > channel.limits.maxValue:
            let failure = Failure(
                code: .outputTooLarge,
                message: "The output has \(value.count) bytes;"
                    + " the coordinator takes \(channel.limits.maxValue)."
            )
            outcome = .failure(failure)
        case .success(let value):
            kept[id]?.outgoing = OutgoingValue(value, of: id)
            lineUp(id)
            return sendChunks(over: channel, in: &turn)
        }
        send(outcome, entry, of: id, in: &turn)
    }

    private func send(
        _ outcome: AttemptOutcome,
        _ entry: Kept,
        of id: AttemptID,
        in turn: inout WorkerTurn
    ) {
        turn.send(
            .result(
                ResultMessage(
                    attempt: id,
                    outcome: outcome,
                    isTruncated: entry.outcome.isTruncated,
                    durationMicroseconds: entry.outcome.microseconds
                )
            )
        )
    }

    /// The coordinator takes that many more bytes of chunks of the attempt.
    mutating func grant(
        _ bytes: Int,
        to id: AttemptID,
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        guard kept[id] != nil else { return }
        kept[id]?.window.grant(bytes)
        lineUp(id)
        sendChunks(over: channel, in: &turn)
    }

    mutating func handleWritten(over channel: Channel, in turn: inout WorkerTurn) {
        // It may answer an `awaitWritten` of an earlier connection.
        guard awaitsWritten else { return }
        awaitsWritten = false
        unwritten = 0
        sendChunks(over: channel, in: &turn)
    }

    /// Lines up a value that has chunks left, unless it stands in the line already.
    private mutating func lineUp(_ id: AttemptID) {
        guard let entry = kept[id], let outgoing = entry.outgoing, !outgoing.isInLine,
            outgoing.canContinue(within: entry.window)
        else { return }
        kept[id]?.outgoing?.isInLine = true
        line.append((id, entry.sequence))
    }

    /// Sends a chunk of each value in the line until the network has enough to do, the windows are
    /// empty, or all is sent.
    private mutating func sendChunks(over channel: Channel, in turn: inout WorkerTurn) {
        while unwritten < Self.burst, let first = line.popFirst() {
            guard var entry = kept[first.id], entry.sequence == first.sequence,
                var outgoing = entry.outgoing
            else { continue }
            let chunk = outgoing.next(bytes: min(entry.window.bytes, channel.chunkBytes))
            entry.window.spend(chunk.data.count)
            unwritten += chunk.data.count
            turn.send(.chunk(chunk))
            if outgoing.isComplete {
                entry.outgoing = nil
                send(.success(outgoing.announcement), entry, of: first.id, in: &turn)
            } else {
                outgoing.isInLine = outgoing.canContinue(within: entry.window)
                if outgoing.isInLine { line.append(first) }
                entry.outgoing = outgoing
            }
            kept[first.id] = entry
        }
        if unwritten > 0, !awaitsWritten, !line.isEmpty {
            awaitsWritten = true
            turn.append(.awaitWritten)
        }
    }

    /// What is wrong with the results; nil if nothing is.
    func flaw(isOpen: Bool) -> String? {
        if bytes != kept.values.reduce(0, { $0 + $1.outcome.keptBytes }) {
            return "the kept bytes are not counted"
        }
        var inLine: Set<AttemptID> = []
        for place in line where kept[place.id]?.sequence == place.sequence {
            if !inLine.insert(place.id).inserted { return "\(place.id) stands in line twice" }
        }
        for (id, entry) in kept {
            guard let outgoing = entry.outgoing else { continue }
            if !isOpen { return "\(id) is sent without a session" }
            if outgoing.isInLine != inLine.contains(id) { return "\(id) is not where it waits" }
            if !outgoing.isInLine, outgoing.canContinue(within: entry.window) {
                return "\(id) waits although its window has room"
            }
        }
        if !line.isEmpty, !awaitsWritten { return "values in line do not wait for the network" }
        return nil
    }
}
