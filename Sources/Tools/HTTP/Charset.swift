// The encodings of texts that HTTP tools read: those of most servers; others are a failure that
// names them.
internal import Core

/// An encoding of text.
enum Charset {
    case utf8, windows1252, utf16LittleEndian, utf16BigEndian

    /// The encoding that a server names; nil for one that is not read here.
    ///
    /// As in browsers, ISO-8859-1 and ASCII mean windows-1252, which has all of their characters.
    init?(name: String) {
        switch name.lowercased() {
        case "utf-8", "utf8": self = .utf8
        case "iso-8859-1", "iso8859-1", "latin1", "windows-1252", "cp1252", "us-ascii", "ascii":
            self = .windows1252
        case "utf-16", "utf-16le": self = .utf16LittleEndian
        case "utf-16be": self = .utf16BigEndian
        default: return nil
        }
    }

    /// The text of these bytes as UTF-8; nil if they are not of this encoding.
    ///
    /// A mark at the start that names the encoding counts more than what the server says.
    func text(_ bytes: [UInt8]) -> [UInt8]? {
        switch (bytes.first, bytes.dropFirst().first, bytes.dropFirst(2).first) {
        case (0xEF, 0xBB, 0xBF): return Self.validated(bytes.dropFirst(3))
        case (0xFF, 0xFE, _): return Self.utf16(bytes.dropFirst(2), isBig: false)
        case (0xFE, 0xFF, _): return Self.utf16(bytes.dropFirst(2), isBig: true)
        default: break
        }
        switch self {
        case .utf8: return Self.validated(bytes[...])
        case .utf16LittleEndian: return Self.utf16(bytes[...], isBig: false)
        case .utf16BigEndian: return Self.utf16(bytes[...], isBig: true)
        case .windows1252: return Self.windows1252(bytes)
        }
    }

    private static func validated(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        String(validating: bytes, as: UTF8.self) == nil ? nil : Array(bytes)
    }

    private static func utf16(_ bytes: ArraySlice<UInt8>, isBig: Bool) -> [UInt8]? {
        guard bytes.count.isMultiple(of: 2) else { return nil }
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count / 2)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            units.append(isBig ? first << 8 | second : second << 8 | first)
            index += 2
        }
        return String(validating: units, as: UTF16.self).map { Array($0.utf8) }
    }

    private static func windows1252(_ bytes: [UInt8]) -> [UInt8] {
        // The bytes from 0x80 to 0x9F; five of them mean control characters.
        let special: [UInt16] = [
            0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160,
            0x2039,
            0x152, 0x8D, 0x17D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
            0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178,
        ]
        let units = bytes.map { byte in
            (0x80..<0xA0).contains(byte) ? special[Int(byte) - 0x80] : UInt16(byte)
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }
}
