// Keys of a terminal, from the bytes that it sends. Pure.

/// A key that a person pressed.
enum TopKey: Equatable {
    case up, down, left, right, pageUp, pageDown, home, end
    case enter, escape, tab, backTab, backspace
    /// Ctrl-L: draw everything again.
    case redraw
    case character(Character)
}

/// Makes keys of bytes; keeps a beginning until the rest comes.
struct TopKeyReader {
    private var rest: [UInt8] = []
    private static let escape: UInt8 = 0x1B
    /// Longer sequences are of no key.
    private static let longest = 32

    /// Whether a key may have come in part, so that `flush` is due if nothing follows soon.
    var isWaiting: Bool { !rest.isEmpty }

    /// The keys that are complete with these bytes.
    mutating func read(_ bytes: [UInt8]) -> [TopKey] {
        rest += bytes
        var keys: [TopKey] = []
        while let length = firstLength() {
            if let key = Self.key(Array(rest.prefix(length))) { keys.append(key) }
            rest.removeFirst(length)
        }
        return keys
    }

    /// The keys that the kept bytes are when nothing follows them: the escape key, or none.
    mutating func flush() -> [TopKey] {
        defer { rest = [] }
        return rest.first == Self.escape ? [.escape] : []
    }

    /// The length of the first key; nil if there is none yet.
    private func firstLength() -> Int? {
        guard let first = rest.first else { return nil }
        if first == Self.escape { return sequenceLength() }
        let length =
            switch first {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        return rest.count >= length ? length : nil
    }

    /// The length of an escape sequence: `ESC [ … letter`, `ESC O letter`, or `ESC` before another.
    private func sequenceLength() -> Int? {
        guard rest.count > 1 else { return nil }
        switch rest[1] {
        case UInt8(ascii: "["):
            let body = rest.dropFirst(2)
            guard let end = body.firstIndex(where: { (0x40...0x7E).contains($0) }) else {
                return rest.count > Self.longest ? rest.count : nil
            }
            return end + 1
        case UInt8(ascii: "O"): return rest.count > 2 ? 3 : nil
        default: return 1
        }
    }

    private static func key(_ bytes: [UInt8]) -> TopKey? {
        switch bytes[0] {
        case escape: return bytes.count == 1 ? .escape : key(ofSequence: bytes)
        case 0x0A, 0x0D: return .enter
        case 0x09: return .tab
        case 0x08, 0x7F: return .backspace
        case 0x0C: return .redraw
        case 0..<0x20: return nil
        default:
            let text = String(decoding: bytes, as: UTF8.self)
            guard let character = text.first, text.count == 1, character != "\u{FFFD}" else {
                return nil
            }
            return .character(character)
        }
    }

    private static func key(ofSequence bytes: [UInt8]) -> TopKey? {
        switch String(decoding: bytes.dropFirst(2), as: UTF8.self) {
        case "A": .up
        case "B": .down
        case "C": .right
        case "D": .left
        case "H", "1~", "7~": .home
        case "F", "4~", "8~": .end
        case "5~": .pageUp
        case "6~": .pageDown
        case "Z": .backTab
        // Enter of the block of digits.
        case "M": bytes[1] == UInt8(ascii: "O") ? .enter : nil
        default: nil
        }
    }
}
