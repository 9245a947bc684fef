// What an HTTP tool makes of a response: bytes to text by their charset, text to the output by its
// type. Not here: which part is the output (OutputContract).
internal import Core
internal import HTTP
internal import JSON

/// A response as it arrives.
struct HTTPResponse {
    var head: HTTPHead?
    private(set) var body: [UInt8] = []

    /// Adds a piece of the body; the client limits it.
    mutating func append(_ bytes: [UInt8]) {
        if body.isEmpty { body = bytes } else { body += bytes }
    }

    /// The type without its parameters, in small letters.
    private var type: String {
        (head?["content-type"] ?? "").prefix { $0 != ";" }.lowercased()
            .filter { !$0.isWhitespace }
    }

    private var isJSON: Bool { type.hasSuffix("/json") || type.hasSuffix("+json") }

    private var isText: Bool {
        isJSON || type.isEmpty || type.hasPrefix("text/") || type.hasSuffix("xml")
            || type.hasSuffix("javascript") || type.hasSuffix("yaml")
            || type == "application/x-www-form-urlencoded" || type == "application/x-ndjson"
    }

    /// The name of the charset in the type.
    private var charset: String? {
        for part in (head?["content-type"] ?? "").split(separator: ";").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].filter({ !$0.isWhitespace }).lowercased() == "charset"
            else { continue }
            return pair[1].filter { !$0.isWhitespace && $0 != "\"" && $0 != "'" }
        }
        return nil
    }

    /// The body as a value: `format` of the manifest, or else what the type says.
    func value(_ format: OutputFormat?, of tool: String) -> Result<RawJSON, Failure> {
        if format == .base64 { return OutputFormat.base64.read(body, of: tool) }
        if format == nil, !isText, !body.isEmpty {
            return .failure(
                .badOutput(
                    "\(tool) answered with \(type), which is no text. Say output: {format: base64} to"
                        + " get its bytes."
                )
            )
        }
        guard let charset = Charset(name: charset ?? "utf-8") else {
            return .failure(
                .badOutput(
                    "\(tool) answered with text in \(charset ?? ""), which is not read here: only"
                        + " UTF-8, UTF-16, ISO-8859-1 and windows-1252 are."
                )
            )
        }
        guard let text = charset.text(body) else {
            return .failure(
                .badOutput("\(tool) answered with bytes that are not text in the charset it names.")
            )
        }
        if format == nil, text.isEmpty { return .success(RawJSON(JSONValue.null)) }
        return (format ?? (isJSON ? .json : .text)).read(text, of: tool, doing: "answer with")
    }

    /// The start of the body for people; nil if there is none that can be read.
    var excerpt: String? {
        guard isText, let charset = Charset(name: charset ?? "utf-8") else { return nil }
        let start = Array(body.prefix(1_000))
        // A character may be cut in two.
        let text = charset.text(start) ?? (charset == .utf8 ? start : [])
        let words = String(decoding: text, as: UTF8.self).split { $0.isWhitespace }
            .joined(separator: " ")
        guard !words.isEmpty else { return nil }
        let kept = words.prefix(300)
        return kept.count < words.count ? kept + "…" : words
    }
}
