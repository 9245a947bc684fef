// URLs as libcurl reads them, so that what is checked is what is connected to.
internal import CCurl

/// A URL of http or https.
public struct HTTPURL: Sendable, Equatable {
    /// The whole URL, without a fragment.
    public let text: String
    /// `http` or `https`.
    public let scheme: String
    /// The host's name or address, one of IPv6 in brackets.
    public let host: String
    /// The port, also where it is the usual one.
    public let port: Int

    /// Whether a redirect from here to there stays within the host and its port, or only adds TLS.
    ///
    /// Others are not followed: they would send what is meant for one host to another.
    public func mayRedirect(to next: HTTPURL) -> Bool {
        let addsTLS =
            (scheme, next.scheme) == ("http", "https") && port == 80 && next.port == 443
        return host == next.host && (addsTLS || scheme == next.scheme && port == next.port)
    }

    /// Reads a URL, or what a reference means at a place with another URL.
    ///
    /// Nil for anything else, for other schemes, and where libcurl cannot be loaded.
    public init?(_ text: String, at base: HTTPURL? = nil) {
        guard let url = Self.part(WEFT_URL_WHOLE, of: text, at: base?.text),
            let scheme = Self.part(WEFT_URL_SCHEME, of: url, at: nil),
            let host = Self.part(WEFT_URL_HOST, of: url, at: nil),
            let port = Self.part(WEFT_URL_PORT, of: url, at: nil).flatMap({ Int($0) })
        else { return nil }
        self.text = url
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port
    }

    private static let largest = 64 << 10

    private static func part(_ part: weft_url_part, of text: String, at base: String?) -> String? {
        guard text.utf8.count <= largest, !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 3 * largest)
        let length = weft_url_read(base, text, part, &bytes, bytes.count)
        return length == 0 ? nil : String(decoding: bytes[..<length], as: UTF8.self)
    }
}

/// Addresses that begin with the same bits.
public struct HTTPNetwork: Sendable, Hashable {
    /// The first address, 16 bytes; those of IPv4 are mapped into IPv6.
    public let address: [UInt8]
    /// How many bits count.
    public let bits: Int

    /// Reads `10.0.0.0/8`, `fd00::/8`, or a single address; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var address = [UInt8](repeating: 0, count: 16)
        guard let first = parts.first, weft_address_read(String(first), &address) else {
            return nil
        }
        let largest = first.contains(":") ? 128 : 32
        var bits = largest
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...largest).contains(number) else { return nil }
            bits = number
        }
        self.address = address
        self.bits = 128 - largest + bits
    }

    /// Whether all addresses of another network are in this one.
    public func contains(_ other: HTTPNetwork) -> Bool {
        guard other.bits >= bits else { return false }
        return (0..<bits).allSatisfy { bit in
            (address[bit / 8] ^ other.address[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }
}
