// The page as one file, put together once, with the policy that lets a browser run its own script and
// no other. The parts are in CPages.
internal import CPages
internal import Wire

/// The page and its policy.
struct PageDocument {
    /// The page.
    let bytes: [UInt8]
    /// The content security policy.
    let policy: String

    init() {
        let all = 0..<WEFT_PAGE_PARTS
        bytes = all.flatMap(Self.part)
        policy = [
            "default-src 'none'", "script-src \(Self.source(WEFT_PAGE_SCRIPT))",
            "style-src \(Self.source(WEFT_PAGE_STYLE))", "connect-src 'self'", "img-src data:",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ]
        .joined(separator: "; ")
    }

    /// The description of the interface.
    static var openAPI: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: weft_openapi_length())
        weft_openapi_copy(&bytes)
        return bytes
    }

    private static func source(_ number: Int) -> String {
        let digest = Base64.encode(SHA256.digest(of: part(number)))
        return "'sha256-\(String(decoding: digest, as: UTF8.self))'"
    }

    private static func part(_ number: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: weft_page_length(Int32(number)))
        weft_page_copy(Int32(number), &bytes)
        return bytes
    }
}
