// Where traces are sent and how, from flags and the variables that OpenTelemetry defines.

/// How traces are sent.
public struct TraceSettings: Sendable, Equatable {
    /// How a request is written.
    public enum Encoding: String, Sendable, CaseIterable {
        /// JSON.
        case json = "http/json"
        /// Protocol Buffers.
        case protobuf = "http/protobuf"

        /// The `Content-Type` of a request.
        public var contentType: String {
            self == .json ? "application/json" : "application/x-protobuf"
        }
    }

    /// The URL that traces are sent to.
    public var url: String
    /// How they are written.
    public var encoding: Encoding
    /// Header lines of each request, such as a key; never logged.
    public var headers: [(String, String)]
    /// Whether arguments, outputs and messages of failures are told.
    public var hasContent: Bool
    /// The name of the service.
    public var service: String

    /// Compares everything but the headers' order.
    public static func == (left: TraceSettings, right: TraceSettings) -> Bool {
        left.url == right.url && left.encoding == right.encoding
            && left.hasContent == right.hasContent && left.service == right.service
            && left.headers.map { "\($0): \($1)" } == right.headers.map { "\($0): \($1)" }
    }

    /// Reads the settings; nil if traces are not sent.
    ///
    /// - Parameters:
    ///   - endpoint: The flag, a URL without the path of traces.
    ///   - encoding: The flag for how requests are written.
    ///   - hasContent: Whether arguments and outputs are told.
    ///   - environment: The variables of the process; flags come before them.
    /// - Throws: A sentence that says what is wrong and what to write instead.
    public init?(
        endpoint: String?,
        encoding: Encoding?,
        hasContent: Bool,
        environment: [String: String]
    ) throws(TraceSettingsError) {
        func variable(_ name: String) -> (name: String, value: String)? {
            let named = ["OTEL_EXPORTER_OTLP_TRACES_\(name)", "OTEL_EXPORTER_OTLP_\(name)"]
            for name in named {
                if let value = environment[name], !value.isEmpty { return (name, value) }
            }
            return nil
        }
        guard let (source, base) = endpoint.map({ ("--otlp", $0) }) ?? variable("ENDPOINT") else {
            return nil
        }
        guard base.hasPrefix("http://") || base.hasPrefix("https://"),
            !base.hasSuffix("://")
        else {
            throw TraceSettingsError(
                "\(source) must be a URL such as http://127.0.0.1:4318, which takes OTLP over HTTP."
            )
        }
        // The variable for traces alone has the whole path.
        let isWhole = source == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        url = isWhole ? base : (base.hasSuffix("/") ? base : base + "/") + "v1/traces"
        if let encoding {
            self.encoding = encoding
        } else if let (source, text) = variable("PROTOCOL") {
            guard let encoding = Encoding(rawValue: text) else {
                throw TraceSettingsError(
                    "\(source) is \(text.prefix(40)), and traces are sent by http/protobuf or "
                        + "http/json; name one of these (--otlp-protocol)."
                )
            }
            self.encoding = encoding
        } else {
            self.encoding = .protobuf
        }
        headers = []
        if let (source, text) = variable("HEADERS") {
            for pair in text.split(separator: ",") {
                guard let equals = pair.firstIndex(of: "="),
                    let value = Self.decoded(pair[pair.index(after: equals)...].trimmed)
                else {
                    throw TraceSettingsError(
                        "\(source) must be written as name=value,name=value, with % before the "
                            + "hexadecimal digits of other characters."
                    )
                }
                headers.append((String(pair[..<equals].trimmed), value))
            }
        }
        self.hasContent = hasContent
        let named = environment["OTEL_SERVICE_NAME"] ?? ""
        service = named.isEmpty ? "weft-coordinator" : named
    }

    /// Text in which other characters are written as % and two digits; nil if a line would end, or
    /// it is no such text.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let decoded = UInt8(digits, radix: 16) else { return nil }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What is wrong with the settings of traces.
public struct TraceSettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A sentence for a person.
    public var description: String

    init(_ description: String) { self.description = description }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}
