// Values of the header lines with which MCP repeats parts of a message in HTTP.

/// The header lines `Mcp-Name` and `Mcp-Param-…` (2026-07-28, Streamable HTTP).
public enum MCPHeader {
    /// The text as a header's value: as it is if it can be, else as `=?base64?…?=`.
    public static func encode(_ text: String) -> String {
        let isPlain =
            text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
            && text.first != " " && text.last != " " && !text.hasPrefix(prefix)
        return isPlain ? text : prefix + base64(Array(text.utf8)) + suffix
    }

    private static let prefix = "=?base64?"
    private static let suffix = "?="
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits = 0
            for offset in 0..<3 {
                bits = bits << 8 | (offset < group.count ? Int(group[start + offset]) : 0)
            }
            for position in 0..<4 {
                let isPadding = position > group.count
                let digit = alphabet[bits >> (18 - 6 * position) & 63]
                text.append(isPadding ? UInt8(ascii: "=") : digit)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
