// What tools write: what is kept of it is whole, or says where something is missing.

import CoordinatorCore
import Core
import Plans
import Runs
import Wire

/// Each byte that a tool writes to a stream is one more than the byte before, so that a gap shows.
struct TextChecker {
    /// How many different bytes there are.
    static let values = 251

    private struct Attempt: Hashable {
        var run: RunID
        var node: Int32
        var number: Int32
    }

    /// The byte that comes next in each stream, by attempt; any byte if there is none.
    private var next: [Attempt: [ChunkStream: Int]] = [:]

    mutating func record(_ record: NewRecord) -> String? {
        guard case .run(let run, let record) = record,
            case .toolWrote(let node, let number, let text) = record.change,
            let first = text.bytes.first
        else { return nil }
        let attempt = Attempt(run: run, node: node, number: number)
        var known = next[attempt] ?? [.standardOutput: 0, .standardError: 0]
        // What is missing may have been of either stream.
        if text.isCut { known = [:] }
        if let wanted = known[text.stream], Int(first) != wanted {
            return "the text of \(run)/\(node)/\(number) at \(text.offset) follows nothing"
        }
        for (left, right) in zip(text.bytes, text.bytes.dropFirst())
        where Int(right) != (Int(left) + 1) % Self.values {
            return "the text of \(run)/\(node)/\(number) at \(text.offset) has a gap"
        }
        known[text.stream] = (Int(first) + text.bytes.count) % Self.values
        next[attempt] = known
        return nil
    }
}
