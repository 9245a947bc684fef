// One request and its response, whole or in pieces. Not here: connections (HTTPListener).
internal import CMicroHTTPD
internal import UVLoop

/// A request that waits for its response.
///
/// Confined to its loop. It gets one response, by `answer` or by `begin`, `write` and `end`.
package final class HTTPExchange {
    /// The method, in capitals.
    package let method: String
    /// The path of the URL, decoded, without a query.
    package let path: String
    /// The arguments of the query, decoded, in their order.
    package let query: [(name: String, value: String)]
    /// The header lines in their order.
    package let headers: [(name: String, value: String)]
    /// The body, or nothing if it is too large.
    package let body: [UInt8]
    /// Whether the body has more bytes than allowed.
    package let isTooLarge: Bool
    /// Called once if the client has closed the connection before the response was sent.
    package var onGone: (() -> Void)?
    /// Whether a response was begun.
    package private(set) var isAnswered = false

    private let number: UInt64
    private weak var listener: HTTPListener?
    private var watch: PollSource?
    private var isComplete = false

    init(_ listener: HTTPListener, _ event: weft_httpd_event, _ httpd: OpaquePointer) {
        self.listener = listener
        number = event.exchange
        isTooLarge = event.is_too_large
        var head = [UInt8](repeating: 0, count: event.head_length)
        var body = [UInt8](repeating: 0, count: event.body_length)
        weft_httpd_copy(httpd, &head, &body)
        self.body = body
        let lines = head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        method = lines.first ?? ""
        path = lines.count > 1 ? lines[1] : ""
        let fields: [(name: String, value: String)] = lines.dropFirst(2)
            .compactMap { line in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                let value = line[colon...].dropFirst().drop { $0 == " " }
                return (String(line[..<colon]), String(value))
            }
        query = fields.filter { $0.name.hasPrefix("?") }
            .map { (String($0.name.dropFirst()), $0.value) }
        headers = fields.filter { !$0.name.hasPrefix("?") }
        watchClient(httpd)
    }

    /// The values of the header lines with this name, in any case of letters.
    package func values(of name: String) -> [String] {
        let name = name.lowercased()
        return headers.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The value of the only header line with this name; nil if there is none or several.
    package func value(of name: String) -> String? {
        let values = values(of: name)
        return values.count == 1 ? values[0] : nil
    }

    // MARK: - The response

    /// Sends the whole response.
    package func answer(
        _ status: Int,
        headers: [(String, String)] = [],
        body: [UInt8] = []
    ) {
        guard !isAnswered, let httpd = listener?.httpd else { return }
        isAnswered = true
        isComplete = true
        weft_httpd_answer(httpd, number, UInt32(status), Self.text(headers), body, body.count)
        listener?.wake()
    }

    /// Sends the head of a response whose body follows.
    package func begin(_ status: Int, headers: [(String, String)]) {
        guard !isAnswered, let httpd = listener?.httpd else { return }
        isAnswered = true
        weft_httpd_begin(httpd, number, UInt32(status), Self.text(headers))
        listener?.wake()
    }

    /// Sends a piece of the body.
    package func write(_ bytes: [UInt8]) {
        guard isAnswered, !isComplete, let httpd = listener?.httpd else { return }
        weft_httpd_write(httpd, number, bytes, bytes.count)
        listener?.wake()
    }

    /// Bytes of the pieces that the client has not taken yet.
    package var unsentBytes: Int {
        guard let httpd = listener?.httpd else { return 0 }
        return weft_httpd_unsent(httpd, number)
    }

    /// Ends the body.
    package func finish() {
        guard isAnswered, !isComplete, let httpd = listener?.httpd else { return }
        isComplete = true
        weft_httpd_end(httpd, number)
        listener?.wake()
    }

    private static func text(_ headers: [(String, String)]) -> String {
        headers.map { "\($0): \($1)\n" }.joined()
    }

    // MARK: - The end

    /// libmicrohttpd does not read a connection that waits for its response; its end is noticed here.
    private func watchClient(_ httpd: OpaquePointer) {
        let socket = weft_httpd_socket(httpd, number)
        guard let loop = listener?.loop, socket >= 0 else { return }
        watch = try? PollSource(loop: loop, descriptor: socket) { [weak self] _ in
            self?.checkClient()
        }
        watch?.watch(.readable)
    }

    private func checkClient() {
        guard let httpd = listener?.httpd else { return }
        // Either it is gone, or the next request has come early and is read later.
        stopWatching()
        guard weft_httpd_is_gone(httpd, number) else { return }
        weft_httpd_drop(httpd, number)
        listener?.wake()
    }

    private func stopWatching() {
        watch?.close()
        watch = nil
    }

    /// The response is sent, or cannot be any more.
    func end() {
        stopWatching()
        let onGone = isComplete ? nil : onGone
        forget()
        onGone?()
    }

    /// The listener is closed.
    func forget() {
        stopWatching()
        isAnswered = true
        isComplete = true
        onGone = nil
    }
}

@available(*, unavailable)
extension HTTPExchange: Sendable {}
