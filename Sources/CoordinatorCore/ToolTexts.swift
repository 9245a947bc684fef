// What the tools of one run write to standard output and standard error, for those who ask later:
// the first and the last part of each attempt, within a bound for all of them.

internal import Core
internal import DequeModule
internal import Runs
internal import Wire

/// How much is kept of what tools write, in bytes.
struct ToolTextBound: Sendable {
    /// Of one attempt: half of it at its beginning, half at its end.
    var attempt: Int
    /// Of all attempts of a run; those that come first are kept.
    var run: Int
}

/// The texts of one run.
///
/// The beginning of what an attempt writes becomes records as it comes; of the rest the latest part
/// is held here until the attempt ends.
struct ToolTexts: Sendable {
    private struct Attempt: Sendable {
        var number: Int32
        /// Bytes that arrived.
        var arrived = 0
        /// Bytes of it that are in records.
        var recorded = 0
        /// The latest part of the others, the oldest first.
        var tail: Deque<ToolText> = []
        var tailBytes = 0
        /// The number of the next chunk of each stream; 0 for the first one.
        var next: [ChunkStream: Int]
        /// Whether something is missing before what comes next.
        var isCut = false

        /// What it takes in memory, about.
        var heldBytes: Int { tailBytes + tail.count * ToolTexts.cost }

        /// Holds a text, and gives up the oldest ones beyond so many bytes.
        mutating func hold(_ text: ToolText, within most: Int) {
            let count = text.bytes.count
            if let last = tail.last, last.stream == text.stream, !text.isCut,
                last.bytes.count + count <= ToolTexts.mergedBytes
            {
                tail[tail.count - 1].bytes += text.bytes
            } else {
                var copy = text
                copy.bytes = Array(text.bytes)[...]
                tail.append(copy)
            }
            tailBytes += count
            while tailBytes > most, let first = tail.first {
                let excess = tailBytes - most
                if first.bytes.count <= excess {
                    tail.removeFirst()
                    tailBytes -= first.bytes.count
                    if tail.isEmpty { isCut = true } else { tail[0].isCut = true }
                } else {
                    tail[0].bytes = Array(first.bytes.dropFirst(excess))[...]
                    tail[0].offset += excess
                    tail[0].isCut = true
                    tailBytes -= excess
                }
            }
        }
    }

    /// The attempts that write, by node.
    private var attempts: [Int: Attempt] = [:]
    /// Bytes in records, of all attempts.
    private var recorded = 0
    /// The records, if nothing else keeps them.
    private(set) var kept: [RunRecord] = []
    /// What is held in memory, about.
    private(set) var bytes = 0

    /// Whether no attempt has text that is not in records.
    var isQuiet: Bool { attempts.isEmpty }

    /// A chunk of the current attempt of a node has arrived; returns what is to be recorded now.
    mutating func append(
        _ chunk: Chunk,
        of attempt: AttemptID,
        within bound: ToolTextBound
    ) -> [ToolText] {
        let number = Int32(clamping: attempt.number)
        var state = attempts.removeValue(forKey: attempt.node) ?? Attempt(number: number, next: [:])
        if state.number != number {
            bytes -= state.heldBytes
            state = Attempt(number: number, next: [:])
        }
        if state.next[chunk.stream, default: 0] != chunk.sequence { state.isCut = true }
        state.next[chunk.stream] = chunk.sequence + 1
        let room = min(bound.attempt / 2 - state.recorded, bound.run - recorded) - Self.cost
        let head = chunk.data.prefix(state.tail.isEmpty ? max(room, 0) : 0)
        let text = ToolText(
            stream: chunk.stream,
            offset: state.arrived,
            isCut: state.isCut,
            bytes: head
        )
        state.arrived += chunk.data.count
        if !head.isEmpty {
            state.recorded += head.count + Self.cost
            recorded += head.count + Self.cost
            state.isCut = false
        }
        let rest = chunk.data.dropFirst(head.count)
        if !rest.isEmpty {
            let later = ToolText(
                stream: chunk.stream,
                offset: text.offset + head.count,
                isCut: state.isCut,
                bytes: rest
            )
            state.isCut = false
            bytes -= state.heldBytes
            state.hold(later, within: min(bound.attempt / 2, max(bound.run - recorded, 0)))
            bytes += state.heldBytes
        }
        attempts[attempt.node] = state
        return head.isEmpty ? [] : [text]
    }

    /// The attempt of a node has ended; returns what is still to be recorded of it.
    mutating func end(_ node: Int, within bound: ToolTextBound) -> (attempt: Int32, [ToolText])? {
        guard let state = attempts.removeValue(forKey: node) else { return nil }
        bytes -= state.heldBytes
        guard state.heldBytes <= bound.run - recorded else { return nil }
        recorded += state.heldBytes
        return (state.number, Array(state.tail))
    }

    /// The attempt of a node has ended, and all of it is in records.
    mutating func drop(_ node: Int) { attempts[node] = nil }

    /// What is not in records yet, of a node's current attempt.
    func held(of node: Int) -> [(attempt: Int32, text: ToolText)] {
        guard let state = attempts[node] else { return [] }
        return state.tail.map { (state.number, $0) }
    }

    /// Keeps a record that nothing else keeps.
    mutating func keep(_ record: RunRecord) {
        kept.append(record)
        bytes += Self.bytes(of: record)
    }

    /// Gives up the records that nothing else keeps.
    mutating func dropKept() {
        for record in kept { bytes -= Self.bytes(of: record) }
        kept = []
    }

    /// A record was read: its attempt may go on.
    mutating func restore(_ node: Int32, _ attempt: Int32, _ text: ToolText) {
        recorded += text.bytes.count + Self.cost
        var state = attempts[Int(node)] ?? Attempt(number: attempt, next: [:])
        if state.number != attempt { state = Attempt(number: attempt, next: [:]) }
        state.arrived = text.offset + text.bytes.count
        state.recorded += text.bytes.count + Self.cost
        // What came between this record and the end of the process that wrote it is lost.
        state.isCut = true
        attempts[Int(node)] = state
    }

    /// `bytes`, computed again from all parts; for checks.
    var countedBytes: Int {
        attempts.values.reduce(0) { sum, state in
            sum + state.tail.reduce(0) { $0 + Self.cost + $1.bytes.count }
        } + kept.reduce(0) { $0 + Self.bytes(of: $1) }
    }

    private static func bytes(of record: RunRecord) -> Int {
        guard case .toolWrote(_, _, let text) = record.change else { return cost }
        return cost + text.bytes.count
    }

    /// What a text takes beside its bytes, in memory and on disk, about.
    fileprivate static let cost = 96
    /// Texts that are shorter together become one.
    fileprivate static let mergedBytes = 4 << 10
}
