// Reading the records that every node has, in the form in which they are written: byte by byte,
// several times as fast as finding the fields of any object. What is written otherwise is left to
// RecordReader.

internal import Core
internal import JSON
internal import Plans
internal import Wire

extension RunRecord {
    /// Reads a record that was written as one line; it keeps nothing of the line's memory.
    public init(line: ArraySlice<UInt8>) throws(RunRecordError) {
        if let usual = UsualRecord(line).record() {
            self = usual
        } else {
            try self.init(reading: RawJSON(trusted: Array(line)[...]))
        }
    }

    /// A record that is written in the usual form; nil if it is another one or written otherwise.
    init?(usual text: RawJSON) {
        guard let record = UsualRecord(text.bytes).record() else { return nil }
        self = record
    }
}

/// A text that may be a record in the usual form.
private struct UsualRecord {
    private let text: ArraySlice<UInt8>
    private var index: Int

    init(_ text: ArraySlice<UInt8>) {
        self.text = text
        index = text.startIndex
    }

    consuming func record() -> RunRecord? {
        guard skip(#"{"at":"#), let at = integer(), skip(#","kind":""#), index < text.endIndex
        else { return nil }
        let change: RunChange?
        switch text[index] {
        case UInt8(ascii: "r"): change = ready()
        case UInt8(ascii: "d"): change = dispatched()
        case UInt8(ascii: "s"): change = skip("succeeded") ? succeeded() : started()
        default: change = nil
        }
        return change.map { RunRecord(at: at, $0) }
    }

    // MARK: - Kinds

    private mutating func ready() -> RunChange? {
        guard skip("ready"), let node = node(), isAtEnd() else { return nil }
        return .nodeReady(node)
    }

    private mutating func dispatched() -> RunChange? {
        guard skip("dispatched"), let node = node(), let attempt = attempt(),
            skip(#","worker":""#), let worker = plainText(), skip(#","repeatable":"#)
        else { return nil }
        let isRepeatable = skip("true")
        guard isRepeatable || skip("false"), isAtEnd() else { return nil }
        return .dispatched(
            node: node,
            attempt: attempt,
            worker: worker,
            isRepeatable: isRepeatable
        )
    }

    private mutating func started() -> RunChange? {
        guard skip("started"), let node = node(), let attempt = attempt(), isAtEnd() else {
            return nil
        }
        return .started(node: node, attempt: attempt)
    }

    private mutating func succeeded() -> RunChange? {
        guard let node = node(), skip(#","work_us":"#), let microseconds = integer(),
            skip(#","output":"#), text.last == UInt8(ascii: "}"), index < text.endIndex - 1
        else { return nil }
        // Anything that follows the output makes it invalid, and is left to the other reader.
        let output = Array(text[index..<text.endIndex - 1])[...]
        guard let value = try? RawJSON(validating: output), value.count == output.count else {
            return nil
        }
        return .succeeded(node: node, value, microseconds: Int64(microseconds))
    }

    // MARK: - Parts

    private mutating func node() -> Int32? {
        guard skip(#"","node":"#), let number = integer() else { return nil }
        return Int32(exactly: number)
    }

    private mutating func attempt() -> Int32? {
        guard skip(#","attempt":"#), let number = integer() else { return nil }
        return Int32(exactly: number)
    }

    private mutating func isAtEnd() -> Bool {
        index == text.endIndex - 1 && text[index] == UInt8(ascii: "}")
    }

    private mutating func skip(_ expected: StaticString) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard text.endIndex - index >= count else { return false }
        let start = index
        let isThere = expected.withUTF8Buffer { bytes in
            for offset in 0..<count where text[start + offset] != bytes[offset] { return false }
            return true
        }
        if isThere { index += count }
        return isThere
    }

    /// A whole number without a sign or leading zeros, below 10^18.
    private mutating func integer() -> Int? {
        let start = index
        var value = 0
        while index < text.endIndex, index - start < 18 {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value * 10 + Int(digit)
            index += 1
        }
        guard index > start, text[start] != UInt8(ascii: "0") || index == start + 1 else {
            return nil
        }
        return value
    }

    /// The rest of a text in ASCII without escapes, and its closing quote.
    private mutating func plainText() -> String? {
        let start = index
        while index < text.endIndex, text[index] != UInt8(ascii: "\"") {
            guard (0x20..<0x80).contains(text[index]), text[index] != UInt8(ascii: "\\") else {
                return nil
            }
            index += 1
        }
        guard index < text.endIndex else { return nil }
        index += 1
        return String(decoding: text[start..<index - 1], as: UTF8.self)
    }
}
