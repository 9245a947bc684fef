// One running request: its time limits, its handlers, and its end. Sockets are in HTTPClient.
internal import CCurl
internal import Core
internal import UVLoop

/// A request that was started; it can be cancelled.
public final class HTTPTransfer {
    struct Handlers {
        var head: (HTTPHead) -> Void
        var body: ([UInt8]) -> Void
        var end: (Result<Void, HTTPError>) -> Void
    }

    let number: UInt64
    /// Nil after the end was reported.
    var handlers: Handlers?
    private weak var client: HTTPClient?
    private let loop: EventLoop
    private var curl: OpaquePointer?
    private var timer: Timer?
    private var idleTimeout = Duration.zero
    private var idleDeadline: Int64 = .max
    private var deadline: Int64 = .max

    init(client: HTTPClient, number: UInt64) {
        self.client = client
        loop = client.loop
        self.number = number
    }

    /// Stops the transfer; its `onEnd` is called with `cancelled` before this returns.
    ///
    /// It may be called inside every closure. After the end it does nothing.
    public func cancel() {
        end(.failure(HTTPError(code: .cancelled, message: "The request was cancelled.")))
    }

    /// Passes the request to libcurl, or tells why that is impossible.
    func begin(_ request: HTTPRequest) -> HTTPError? {
        if let problem = request.problem { return HTTPError(code: .badRequest, message: problem) }
        guard let shared = client?.curl else {
            guard client?.isClosed == false else {
                return HTTPError(code: .cancelled, message: "The HTTP client is closed.")
            }
            let advice = "libcurl.so.4 cannot be loaded. Install it (Debian: libcurl4)."
            return HTTPError(code: .unavailable, message: advice)
        }
        // At most a month; libcurl takes no more.
        let milliseconds = min(max(1, request.connectTimeout.millisecondsRoundedUp), 2_678_400_000)
        let options = weft_transfer_options(
            number: number,
            connect_timeout_ms: Int64(milliseconds),
            body_limit: Int64(request.bodyLimit ?? 0),
            decodes: request.decodes,
            is_public: request.networks != nil
        )
        curl = weft_transfer_new(
            shared,
            options,
            request.method,
            request.url,
            request.proxy,
            request.caFile
        )
        guard let curl, hand(request, to: curl), weft_transfer_begin(curl) else {
            return HTTPError(code: .other, message: "libcurl refuses the request.")
        }
        startClock(request)
        return nil
    }

    private func hand(_ request: HTTPRequest, to curl: OpaquePointer) -> Bool {
        for (name, value) in request.headers {
            let line = value.isEmpty ? "\(name);" : "\(name): \(value)"
            guard weft_transfer_header(curl, line) else { return false }
        }
        for network in request.networks ?? [] {
            guard weft_transfer_allow(curl, network.address, Int32(network.bits)) else {
                return false
            }
        }
        guard !request.body.isEmpty || request.method == "POST" else { return true }
        return weft_transfer_body(curl, request.body, request.body.count)
    }

    // MARK: - Time

    private func startClock(_ request: HTTPRequest) {
        idleTimeout = request.idleTimeout
        idleDeadline = loop.deadline(after: idleTimeout)
        if let limit = request.deadline { deadline = loop.deadline(after: limit) }
        timer = Timer(loop: loop) { [self] in lookAtClock() }
        timer?.schedule(at: min(idleDeadline, deadline))
    }

    /// The timer is not moved for each byte: when it fires too early, it is started again.
    private func lookAtClock() {
        let now = loop.nowNanoseconds
        if now >= deadline {
            end(.failure(HTTPError(code: .deadline, message: "The whole transfer took too long.")))
        } else if now >= idleDeadline {
            let message = "No data arrived for \(idleTimeout)."
            end(.failure(HTTPError(code: .idleTimeout, message: message)))
        } else {
            timer?.schedule(at: min(idleDeadline, deadline))
        }
    }

    private func sawLife() {
        idleDeadline = loop.deadline(after: idleTimeout)
    }

    // MARK: - The response

    func headArrived(_ head: HTTPHead) {
        sawLife()
        handlers?.head(head)
    }

    func bodyArrived(_ bytes: [UInt8]) {
        sawLife()
        handlers?.body(bytes)
    }

    func end(_ result: Result<Void, HTTPError>) {
        guard let handlers else { return }
        self.handlers = nil
        timer?.close()
        timer = nil
        free()
        client?.forget(self)
        handlers.end(result)
    }

    /// Frees libcurl's memory.
    func free() {
        guard let curl else { return }
        self.curl = nil
        weft_transfer_free(curl)
    }
}

@available(*, unavailable)
extension HTTPTransfer: Sendable {}

extension HTTPRequest {
    /// Why the request cannot be sent, in words for a person; without any header's value.
    fileprivate var problem: String? {
        let scheme = url.prefix { $0 != ":" }.lowercased()
        if scheme != "http" && scheme != "https" || !url.dropFirst(scheme.count).hasPrefix("://") {
            return "A URL has to start with http:// or https://."
        }
        if !url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            return "A URL has to consist of visible ASCII characters."
        }
        if method.isEmpty || !method.utf8.allSatisfy({ $0 > 0x40 && $0 < 0x5B }) {
            return "A method has to consist of capital letters."
        }
        for (name, value) in headers {
            let isName = !name.isEmpty && name.utf8.allSatisfy(\.isTokenByte)
            guard isName else { return "A header has an invalid name." }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                return "The header \(name) has a value with control characters."
            }
        }
        return nil
    }
}

extension UInt8 {
    /// Whether the character is allowed in a header's name: letters, digits and some signs.
    fileprivate var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
