// Base64 with padding (RFC 4648, section 4), for chunks that are no text.
internal import COpenSSL

/// Base64 as chunks use it.
public enum Base64 {
    /// The text of the bytes, as ASCII.
    public static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        weft_base64_encode(bytes, bytes.count, &text)
        text.removeLast()
        return text
    }

    /// The bytes of the text; nil if it is not base64 with padding and nothing else.
    public static func decode(_ text: [UInt8]) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.count / 4 * 3)
        let count = weft_base64_decode(text, text.count, &bytes)
        guard count >= 0 else { return nil }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
