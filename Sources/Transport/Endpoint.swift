// The address of a coordinator as people write it. Not here: resolving names, connecting.

/// A coordinator's host and port.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// A name, or an address in digits; without brackets.
    public var host: String
    /// From 1 to 65535.
    public var port: Int

    /// The default address of a coordinator.
    public static let `default` = Endpoint(host: "127.0.0.1", port: 7420)

    /// An endpoint; nothing is checked.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `HOST:PORT`; an IPv6 address has brackets, as in `[::1]:7420`.
    ///
    /// - Throws: What is wrong with the text and what to write instead.
    public static func parse(_ text: String) throws(EndpointError) -> Endpoint {
        let host: Substring
        let rest: Substring
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw EndpointError(text, "has a [ without a ]")
            }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
            guard host.contains(":") else {
                throw EndpointError(text, "has brackets around something else than IPv6")
            }
        } else {
            let colon = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            rest = text[colon...]
            guard rest.count(where: { $0 == ":" }) <= 1 else {
                throw EndpointError(text, "has several colons; put IPv6 addresses in brackets")
            }
        }
        guard !host.isEmpty else { throw EndpointError(text, "has no host") }
        guard host.utf8.count <= 253, host.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != 0x2F })
        else { throw EndpointError(text, "has a host that is neither a name nor an address") }
        guard rest.first == ":", rest.count > 1 else { throw EndpointError(text, "has no port") }
        let digits = rest.dropFirst()
        guard digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let port = Int(digits),
            1...65535 ~= port
        else { throw EndpointError(text, "has a port that is not a number from 1 to 65535") }
        return Endpoint(host: String(host), port: port)
    }

    /// The endpoint as people write it, such as `127.0.0.1:7420` or `[::1]:7420`.
    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// The error for a text that is not `HOST:PORT`.
public struct EndpointError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong and what to write instead, for a person.
    public var message: String

    init(_ text: String, _ problem: String) {
        message =
            "\"\(text.prefix(80))\" \(problem). Write HOST:PORT, such as 127.0.0.1:7420 or "
            + "[::1]:7420."
    }

    /// The message.
    public var description: String { message }
}
