// Lines of workers with a value that is not JSON, as a program in another language may write them.

import Core
import TestKit
import Wire

/// Draws which outputs cannot be read.
///
/// It has its own generator, so that a seed in which it draws nothing is the same without it.
struct UnreadableValues {
    private var draw: SeededDraw
    /// How many of a thousand results have such an output; 0 in most seeds.
    private let permille: Int
    /// How many of a thousand chunks of a value have such a text.
    private var chunkPermille: [AttemptID: Int] = [:]

    init(seed: UInt64) {
        draw = SeededDraw(seed: ~seed)
        permille = draw.permille(150) ? 50 : 0
    }

    /// The line that a worker writes instead of a message; nil if it writes the message.
    mutating func line(_ message: Message, faults: inout FaultCounts, isHealed: Bool) -> [UInt8]? {
        guard permille > 0, !isHealed else { return nil }
        switch message {
        case .result(let result):
            guard case .success(.inline) = result.outcome, draw.permille(permille),
                let value = draw.element([#""\ud800""#, "NaN", "01", "[1,]"])
            else { return nil }
            faults.note(.unreadableOutput)
            let attempt = result.attempt
            let line = #"{"type":"result","attempt":"\#(attempt)","ok":true,"output":\#(value)}"#
            return Array(line.utf8)
        case .chunk(let chunk):
            guard chunk.stream == .value, case .attempt(let attempt) = chunk.about else {
                return nil
            }
            if chunk.sequence == 0 {
                // All chunks of some values are unreadable.
                let isSpoiled = draw.permille(10 * permille)
                chunkPermille[attempt] = isSpoiled ? draw.element([200, 1_000]) : nil
            }
            guard let permille = chunkPermille[attempt], draw.permille(permille) else { return nil }
            faults.note(.unreadableChunk)
            return spoiled(WireTrip.line(message))
        default: return nil
        }
    }

    /// The line of a chunk, with half of a character at the start of its data.
    private func spoiled(_ line: [UInt8]) -> [UInt8]? {
        let key = Array(#""data":""#.utf8)
        return line.firstRange(of: key).map { range in
            line[..<range.upperBound] + Array(#"\ud800"#.utf8) + line[range.upperBound...]
        }
    }
}
