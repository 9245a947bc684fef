// How the bytes of an output become a value.
internal import Core
internal import JSON

/// How the bytes of an output are read.
enum OutputFormat: String, Sendable {
    /// Text; the last newline is removed.
    case text
    /// One JSON value.
    case json
    /// Any bytes, as a text in base64.
    case base64

    /// The output as JSON, or `bad_output`.
    ///
    /// `doing` is what the tool does with an output, for sentences.
    func read(
        _ bytes: [UInt8],
        of tool: String,
        doing: String = "print"
    ) -> Result<RawJSON, Failure> {
        switch self {
        case .text:
            let text = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]
            guard isValidUTF8(text) else {
                return .failure(
                    Failure(
                        code: .badOutput,
                        message: "\(tool) printed bytes that are not UTF-8 text."
                    )
                )
            }
            var writer = JSONWriter(reserving: text.count + 2)
            writer.string(utf8: text)
            return .success(RawJSON(trusted: writer.bytes[...]))
        case .base64: return .success(RawJSON(Base64.text(bytes)))
        case .json:
            do {
                return .success(try RawJSON(validating: bytes[...]))
            } catch {
                return .failure(
                    Failure(
                        code: .badOutput,
                        message: "\(tool) must \(doing) one JSON value but did not. \(error)"
                    )
                )
            }
        }
    }
}

/// Bytes as text, four characters for three of them.
enum Base64 {
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(
                    place <= group.count
                        ? letters[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "=")
                )
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
