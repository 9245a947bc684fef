// What every reply passes before it is read: what a model thinks aloud is left out, and text that
// repeats itself without end is found.

/// Leaves out what a model thinks before it replies.
///
/// Everything up to `</think>` is no part of a reply, also if `<think>` is missing: some servers
/// send the closing tag alone.
struct ThoughtFilter: Sendable {
    /// A piece of the reply.
    enum Piece: Sendable, Equatable {
        case text(String)
        /// What came so far was a thought.
        case wasThought
    }

    private enum Place: Sendable {
        case start, thought, reply, afterThought
    }

    private var place = Place.start
    private var held: [UInt8] = []

    private static let opening = Array("<think>".utf8)
    private static let closing = Array("</think>".utf8)

    /// Reads the next piece of a reply; how it was split does not matter.
    mutating func feed(_ text: String) -> [Piece] {
        if place == .afterThought { return [.text(text)] }
        held += text.utf8
        var pieces: [Piece] = []
        if place == .start {
            held = Array(held.drop(while: isBlank))
            if ThoughtFilter.opening.starts(with: held) {
                if held.count < ThoughtFilter.opening.count { return [] }
                place = .thought
            } else if held.starts(with: ThoughtFilter.opening) {
                place = .thought
            } else {
                place = .reply
            }
        }
        if let range = held.firstRange(of: ThoughtFilter.closing) {
            if place == .reply {
                let before = held[..<range.lowerBound]
                if !before.isEmpty { pieces.append(.text(String(decoding: before, as: UTF8.self))) }
                pieces.append(.wasThought)
            }
            let rest = held[range.upperBound...]
            held = []
            place = .afterThought
            if !rest.isEmpty { pieces.append(.text(String(decoding: rest, as: UTF8.self))) }
            return pieces
        }
        let kept = heldBack
        if place == .reply, kept < held.count {
            pieces.append(.text(String(decoding: held.dropLast(kept), as: UTF8.self)))
        }
        held = Array(held.suffix(kept))
        return pieces
    }

    /// The last text, which might have been the start of a tag.
    mutating func finish() -> String {
        defer { held = [] }
        return place == .thought ? "" : String(decoding: held, as: UTF8.self)
    }

    /// How many bytes at the end may be the start of the closing tag.
    private var heldBack: Int {
        for count in stride(from: min(held.count, ThoughtFilter.closing.count - 1), to: 0, by: -1)
        where held.suffix(count).elementsEqual(ThoughtFilter.closing.prefix(count)) {
            return count
        }
        return 0
    }
}

/// Finds text whose end is the same piece again and again, white space included.
struct EndlessText: Sendable {
    private var tail: [UInt8] = []
    private var unchecked = 0
    private(set) var isFound = false

    /// When a text counts as endless.
    struct Bound {
        /// Bytes that are the same piece again and again.
        let bytes: Int
        /// How often the piece must be there.
        let repetitions: Int

        /// Of a plan.
        static let plan = Bound(bytes: 320, repetitions: 4)
        /// Of an answer, which may rightly repeat more than a plan.
        static let answer = Bound(bytes: 640, repetitions: 8)
    }

    /// Blank bytes, of any text.
    private static let blanks = 240
    /// Bytes of the end that are checked.
    private static let window = 1_920
    private static let checkEvery = 48

    /// Reads the next piece of text, and returns it up to where it is found to be endless; how it
    /// was split does not matter.
    mutating func feed(_ text: String, within bound: Bound) -> String {
        var count = 0
        for byte in text.utf8 {
            if isFound { break }
            count += 1
            tail.append(byte)
            unchecked += 1
            if unchecked == EndlessText.checkEvery { check(bound) }
        }
        return count == text.utf8.count
            ? text : String(decoding: text.utf8.prefix(count), as: UTF8.self)
    }

    private mutating func check(_ bound: Bound) {
        unchecked = 0
        if tail.count > EndlessText.window { tail.removeFirst(tail.count - EndlessText.window) }
        // The prefix function of the reversed end: its periods are those of the end.
        let text = Array(tail.reversed())
        var borders = [Int](repeating: 0, count: text.count)
        var border = 0
        for index in text.indices.dropFirst() {
            while border > 0, text[index] != text[border] { border = borders[border - 1] }
            if text[index] == text[border] { border += 1 }
            borders[index] = border
            let length = index + 1
            let period = length - border
            let isBlankOnly = period == 1 && isBlank(text[0])
            let bytes = isBlankOnly ? min(EndlessText.blanks, bound.bytes) : bound.bytes
            if length >= max(bytes, bound.repetitions * period) {
                isFound = true
                tail = []
                return
            }
        }
    }
}
