// Where the parts of a JSON text stand, and where it stops being JSON: what a person who wrote it
// needs to find a fault. Reading values is not here; the JSON module does that, without places.

/// A walk over JSON text by byte offsets.
struct JSONScan {
    /// The first byte that cannot be as it is.
    struct Fault: Error {
        var offset: Int
    }

    let bytes: [UInt8]
    private static let deepest = 512

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Where the text stops being one JSON value; nil if it does not.
    func fault() -> Int? {
        do throws(Fault) {
            let end = skippingSpace(try end(ofValueAt: skippingSpace(0)))
            if end < bytes.count { return end }
        } catch {
            return error.offset
        }
        return firstInvalidUTF8()
    }

    /// The fields of the object at an offset: key, where the key and where the value stand.
    func fields(at offset: Int) -> [(key: String, keyOffset: Int, offset: Int)] {
        guard byte(offset) == UInt8(ascii: "{") else { return [] }
        var fields: [(String, Int, Int)] = []
        _ = try? walk(offset, depth: 0) { key, place in
            guard let key, let end = try? endOfString(at: key) else { return }
            let name = String(decoding: bytes[(key + 1)..<(end - 1)], as: UTF8.self)
            fields.append((name, key, place))
        }
        return fields
    }

    /// Where the elements of the array at an offset stand.
    func elements(at offset: Int) -> [Int] {
        guard byte(offset) == UInt8(ascii: "[") else { return [] }
        var places: [Int] = []
        _ = try? walk(offset, depth: 0) { _, place in places.append(place) }
        return places
    }

    /// The text of the string at an offset, as it is written.
    func text(at offset: Int) -> String? {
        guard byte(offset) == UInt8(ascii: "\""), let end = try? endOfString(at: offset) else {
            return nil
        }
        return String(decoding: bytes[(offset + 1)..<(end - 1)], as: UTF8.self)
    }

    /// The line and the column of an offset, both from 1; columns count characters.
    func position(of offset: Int) -> (line: Int, column: Int) {
        let before = bytes.prefix(offset)
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let line = before.count { $0 == 0x0A } + 1
        let column = String(decoding: before[lineStart...], as: UTF8.self).count + 1
        return (line, column)
    }

    // MARK: - Walking

    private func byte(_ offset: Int) -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    func skippingSpace(_ offset: Int) -> Int {
        var offset = offset
        while let byte = byte(offset), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { offset += 1 }
        return offset
    }

    private func end(ofValueAt offset: Int, depth: Int = 0) throws(Fault) -> Int {
        switch byte(offset) {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < Self.deepest else { throw Fault(offset: offset) }
            return try walk(offset, depth: depth) { _, _ in }
        case UInt8(ascii: "\""): return try endOfString(at: offset)
        case UInt8(ascii: "t"): return try end(of: "true", at: offset)
        case UInt8(ascii: "f"): return try end(of: "false", at: offset)
        case UInt8(ascii: "n"): return try end(of: "null", at: offset)
        default: return try endOfNumber(at: offset)
        }
    }

    /// Walks an object or array, calls back with the place of each key (of objects) and value, and
    /// returns where it ends.
    private func walk(
        _ offset: Int,
        depth: Int,
        _ body: (_ key: Int?, _ value: Int) -> Void
    ) throws(Fault) -> Int {
        let isObject = bytes[offset] == UInt8(ascii: "{")
        let close = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
        var place = skippingSpace(offset + 1)
        if byte(place) == close { return place + 1 }
        while true {
            var key: Int?
            if isObject {
                key = place
                place = skippingSpace(try endOfString(at: place))
                guard byte(place) == UInt8(ascii: ":") else { throw Fault(offset: place) }
                place = skippingSpace(place + 1)
            }
            let end = try end(ofValueAt: place, depth: depth + 1)
            body(key, place)
            place = skippingSpace(end)
            if byte(place) == close { return place + 1 }
            guard byte(place) == UInt8(ascii: ",") else { throw Fault(offset: place) }
            place = skippingSpace(place + 1)
        }
    }

    // MARK: - Scalars

    private func endOfString(at offset: Int) throws(Fault) -> Int {
        guard byte(offset) == UInt8(ascii: "\"") else { throw Fault(offset: offset) }
        var place = offset + 1
        while let byte = byte(place) {
            switch byte {
            case UInt8(ascii: "\""): return place + 1
            case UInt8(ascii: "\\"): place = try endOfEscape(at: place)
            case 0..<0x20: throw Fault(offset: place)
            default: place += 1
            }
        }
        // A string that does not end is at fault where it begins.
        throw Fault(offset: offset)
    }

    private func endOfEscape(at offset: Int) throws(Fault) -> Int {
        guard let byte = byte(offset + 1), "\"\\/bfnrtu".utf8.contains(byte) else {
            throw Fault(offset: offset)
        }
        guard byte == UInt8(ascii: "u") else { return offset + 2 }
        let digits = bytes.dropFirst(offset + 2).prefix(4)
        let isHexadecimal = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        guard digits.count == 4, isHexadecimal else { throw Fault(offset: offset) }
        return offset + 6
    }

    private func end(of word: StaticString, at offset: Int) throws(Fault) -> Int {
        let count = word.utf8CodeUnitCount
        let isThere = word.withUTF8Buffer {
            bytes.dropFirst(offset).prefix(count).elementsEqual($0)
        }
        guard isThere else { throw Fault(offset: offset) }
        return offset + count
    }

    private func endOfNumber(at offset: Int) throws(Fault) -> Int {
        var place = offset
        func skipDigits() throws(Fault) {
            let start = place
            while let byte = byte(place), (0x30...0x39).contains(byte) { place += 1 }
            guard place > start else { throw Fault(offset: offset) }
        }
        if byte(place) == UInt8(ascii: "-") { place += 1 }
        if byte(place) == UInt8(ascii: "0") { place += 1 } else { try skipDigits() }
        if byte(place) == UInt8(ascii: ".") {
            place += 1
            try skipDigits()
        }
        if byte(place) == UInt8(ascii: "e") || byte(place) == UInt8(ascii: "E") {
            place += 1
            if byte(place) == UInt8(ascii: "+") || byte(place) == UInt8(ascii: "-") { place += 1 }
            try skipDigits()
        }
        return place
    }

    private func firstInvalidUTF8() -> Int? {
        var parser = Unicode.UTF8.ForwardParser()
        var source = bytes.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &source) {
            case .valid(let scalar): offset += scalar.count
            case .error: return offset
            case .emptyInput: return nil
            }
        }
    }
}
