// The values for a transfer: request, response head, error. Sending is in HTTPClient.
internal import CCurl

/// One request and its time limits.
public struct HTTPRequest: Sendable {
    /// The method, for example `POST`.
    public var method: String
    /// The URL, starting with `http://` or `https://`.
    public var url: String
    /// Names and values of the header lines, in order.
    public var headers: [(String, String)]
    /// The body; for a method that has none, the empty array.
    public var body: [UInt8]
    /// The longest time until the connection is open, name lookup and TLS included.
    public var connectTimeout: Duration
    /// The longest time without a byte of the response, from the start on.
    public var idleTimeout: Duration
    /// The longest time for the whole transfer; nil for no limit.
    public var deadline: Duration?
    /// The proxy's URL; the empty text for none, nil for the one of the environment.
    ///
    /// Requests to this host itself never use the environment's proxy.
    public var proxy: String?
    /// The path of the certificates to trust, in PEM form; nil for those of this host.
    public var caFile: String?
    /// The most bytes of the response's body, decoded if it is; nil for no limit.
    public var bodyLimit: Int?
    /// Whether a compressed response is asked for, and decoded.
    public var decodes = false
    /// The networks that it may connect to beside public addresses; nil for any address.
    ///
    /// It counts after the host's name was looked up. With a proxy it means the proxy.
    public var networks: [HTTPNetwork]?

    /// Makes a request; only method and URL have no default.
    public init(
        method: String,
        url: String,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        connectTimeout: Duration = .seconds(5),
        idleTimeout: Duration = .seconds(120),
        deadline: Duration? = nil,
        proxy: String? = nil,
        caFile: String? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.deadline = deadline
        self.proxy = proxy
        self.caFile = caFile
    }
}

/// The head of a response: status and header lines.
public struct HTTPHead: Sendable {
    /// The status, from 200 on.
    public var status: Int
    /// Names and values in the order received, names as the peer spelled them.
    public var headers: [(String, String)]

    /// Makes a head.
    public init(status: Int, headers: [(String, String)] = []) {
        self.status = status
        self.headers = headers
    }

    /// The value of the first line of that name, in any case.
    public subscript(name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.0.lowercased() == wanted }?.1
    }

    init(status: Int, lines: [UInt8]) {
        self.status = status
        headers = lines.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            return (Self.text(line[..<colon]), Self.text(line[(colon + 1)...]))
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
        let start = bytes.drop(while: isBlank)
        let end = start.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start.startIndex
        return String(decoding: start[..<end], as: UTF8.self)
    }
}

/// Why a transfer failed; a response with a bad status is not an error.
public struct HTTPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: String, Sendable, CaseIterable {
        /// The request cannot be sent: its URL, method or a header is malformed.
        case badRequest
        /// The host's name is not known.
        case unresolved
        /// Nothing listens at the address, or the connection was refused.
        case unreachable
        /// The connection was not open in time.
        case connectTimeout
        /// No byte arrived for too long.
        case idleTimeout
        /// The whole transfer took too long.
        case deadline
        /// TLS failed: the peer does not speak it, or the certificate file is invalid.
        case insecure
        /// The peer's certificate is not trusted, has expired, or is for another host.
        case untrusted
        /// The connection broke before the response was complete.
        case brokenOff
        /// The response is not HTTP.
        case badResponse
        /// The body is larger than the request allows.
        case tooLarge
        /// The host has no address that the request may connect to; the message is one it has.
        case forbidden
        /// The transfer was cancelled, or its client closed.
        case cancelled
        /// There is no libcurl on this host.
        case unavailable
        /// Another error of libcurl.
        case other
    }

    /// What went wrong.
    public var code: Code
    /// A description for people.
    public var message: String

    /// Makes an error.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension HTTPRequest {
    /// Whether a URL's host is this one: localhost or an address of the loopback interface.
    public static func isLoopback(url: String) -> Bool { weft_url_is_loopback(url) }
}
