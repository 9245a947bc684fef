// The number of terminal columns of a text. Pure.
//
// Where terminals differ (joined emoji, skin tones) the larger number is used: a line that is too
// short does no harm, one that wraps breaks what is drawn over it.

extension Text {
    /// The columns of a text; it must not contain control characters (`printable`).
    package static func width(of text: some StringProtocol) -> Int {
        var width = 0
        for byte in text.utf8 {
            guard byte < 0x80 else { return wideWidth(of: text) }
            width += 1
        }
        return width
    }

    private static func wideWidth(of text: some StringProtocol) -> Int {
        var width = 0
        for character in text { width += self.width(of: character) }
        return width
    }

    private static func width(of character: Character) -> Int {
        var width = 0
        var isEmoji = false
        for scalar in character.unicodeScalars {
            // The next code point asks for the picture instead of the letter.
            if scalar.value == 0xFE0F { isEmoji = true }
            width += self.width(of: scalar)
        }
        return isEmoji ? max(width, 2) : width
    }

    /// The columns of one code point: 0, 1 or 2.
    private static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return scalar.value == 0xAD ? 0 : 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // The vowels and endings of Korean join the consonant before them.
        if (0x1160...0x11FF).contains(scalar.value) { return 0 }
        // Two of these make one flag.
        if (0x1F1E6...0x1F1FF).contains(scalar.value) { return 1 }
        if scalar.properties.isEmojiPresentation { return 2 }
        return isWide(scalar.value) ? 2 : 1
    }

    private static func isWide(_ value: UInt32) -> Bool {
        // Sorted, so the first range that does not end before the value decides.
        for range in wideRanges where value <= range.upperBound { return value >= range.lowerBound }
        return false
    }

    /// East Asian letters and signs that take two columns (wide and full width).
    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF,
        0x4E00...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
        0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF,
        0x1F200...0x1F2FF, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]

    /// The text cut to a number of columns, with an ellipsis where something is missing.
    package static func cut(_ text: String, to width: Int) -> String {
        guard self.width(of: text) > width else { return text }
        guard width > 1 else { return beginning(of: text, columns: max(width, 0)) }
        return beginning(of: text, columns: width - 1) + "…"
    }

    /// The text with an ellipsis in its middle, for names that differ at their ends.
    package static func shortened(_ text: String, to width: Int) -> String {
        guard self.width(of: text) > width else { return text }
        guard width > 2 else { return cut(text, to: width) }
        let end = (width - 1) / 2
        return beginning(of: text, columns: width - 1 - end) + "…" + ending(of: text, columns: end)
    }

    /// The text with blanks behind it, up to a number of columns.
    package static func filled(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(width - self.width(of: text), 0))
    }

    /// The text in lines of at most that many columns, at least one; words stay whole if they fit.
    package static func wrapped(_ text: String, to width: Int) -> [String] {
        guard self.width(of: text) > width else { return [text] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            var word = String(word)
            if !line.isEmpty, self.width(of: line) + 1 + self.width(of: word) <= width {
                line += " " + word
                continue
            }
            if !line.isEmpty { lines.append(line) }
            while self.width(of: word) > width {
                let part = beginning(of: word, columns: width)
                guard !part.isEmpty else { break }
                lines.append(part)
                word.removeFirst(part.count)
            }
            line = word
        }
        return line.isEmpty ? lines : lines + [line]
    }

    private static func beginning(of text: String, columns: Int) -> String {
        var left = columns
        return String(
            text.prefix { character in
                left -= width(of: character)
                return left >= 0
            }
        )
    }

    private static func ending(of text: String, columns: Int) -> String {
        var left = columns
        var end = text.endIndex
        while end > text.startIndex {
            let before = text.index(before: end)
            left -= width(of: text[before])
            if left < 0 { break }
            end = before
        }
        return String(text[end...])
    }
}
