// An MCP server at an address: Streamable HTTP, each message a request of its own, whose response
// is one message or a stream of them. Not here: what is sent (MCPClientMachine).
internal import Core
internal import HTTP
internal import JSON
internal import MCP
internal import UVLoop

/// The connection to a server by HTTP.
///
/// A server of the legacy era gives a session with its first response; it is named from then on, and
/// ended at the end.
final class MCPAddress: MCPTransport {
    private let client: HTTPClient
    private let loop: EventLoop
    /// The address, which a redirect changes.
    private var url: String
    private let headers: [(String, String)]
    private let report: (MCPTransportEvent) -> Void
    private var session: String?
    private var exchanges: [Int: Exchange] = [:]
    private var lastExchange = 0
    private var hasEnded = false
    private var streamHeaders: [(String, String)] = []
    private var reopening: Timer?

    var maximumMessage = 8 << 20

    /// One request and its response.
    private struct Exchange {
        /// Nil for the stream beside the responses, which only listens.
        var outgoing: MCPClientMachine.Outgoing?
        /// How often it was sent elsewhere, and where it is to be sent now.
        var hops: Int
        var redirect: String?
        var transfer: HTTPTransfer?
        var status = 0
        var type = ""
        var body: [UInt8] = []
        var parser: SSEParser
        var isAnswered = false

        var request: Int? { outgoing?.request }
        var isStream: Bool { type.hasPrefix("text/event-stream") }
    }

    private static let redirectsLimit = 5
    /// How long after its end the stream beside the responses is opened again.
    private static let reopeningPause: Duration = .seconds(5)

    /// How long a server may say nothing during a call; the worker ends calls that take too long.
    private static let silence: Duration = .seconds(86_400)

    init(
        client: HTTPClient,
        loop: EventLoop,
        url: String,
        headers: [(String, String)],
        report: @escaping (MCPTransportEvent) -> Void
    ) {
        self.client = client
        self.loop = loop
        self.url = url
        self.headers = headers
        self.report = report
    }

    func send(_ outgoing: MCPClientMachine.Outgoing) { send(outgoing, hops: 0) }

    func openStream(headers: [(String, String)]) {
        streamHeaders = headers
        send(nil, hops: 0)
    }

    private func send(_ outgoing: MCPClientMachine.Outgoing?, hops: Int) {
        guard !hasEnded else { return }
        lastExchange += 1
        let number = lastExchange
        exchanges[number] = Exchange(
            outgoing: outgoing,
            hops: hops,
            parser: SSEParser(limit: max(maximumMessage, 1 << 20))
        )
        let transfer = client.start(
            HTTPRequest(
                method: outgoing == nil ? "GET" : "POST",
                url: url,
                headers: [("User-Agent", "weftline")] + Self.types(outgoing) + headers
                    + sessionHeader + (outgoing?.headers ?? streamHeaders),
                body: outgoing?.message.bytes ?? [],
                idleTimeout: Self.silence
            ),
            onHead: { [weak self] in self?.headArrived($0, of: number) },
            onBody: { [weak self] in self?.bodyArrived($0, of: number) },
            onEnd: { [weak self] in self?.ended($0, number) }
        )
        exchanges[number]?.transfer = transfer
    }

    private static func types(_ outgoing: MCPClientMachine.Outgoing?) -> [(String, String)] {
        guard outgoing != nil else { return [("Accept", "text/event-stream")] }
        return [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ]
    }

    func abandon(request: Int) {
        guard let (number, exchange) = exchanges.first(where: { $0.value.request == request })
        else { return }
        exchanges[number]?.isAnswered = true
        exchange.transfer?.cancel()
    }

    func end(grace: Duration) {
        guard !hasEnded else { return }
        hasEnded = true
        reopening?.close()
        reopening = nil
        for exchange in exchanges.values { exchange.transfer?.cancel() }
        exchanges = [:]
        if session != nil {
            client.start(
                HTTPRequest(
                    method: "DELETE",
                    url: url,
                    headers: headers + sessionHeader,
                    deadline: .seconds(1)
                ),
                onHead: { _ in },
                onBody: { _ in },
                onEnd: { _ in }
            )
        }
        loop.nextTurn { [self] in report(.ended("it was ended")) }
    }

    private var sessionHeader: [(String, String)] {
        session.map { [("Mcp-Session-Id", $0)] } ?? []
    }

    // MARK: - Responses

    private func headArrived(_ head: HTTPHead, of number: Int) {
        exchanges[number]?.status = head.status
        // Only those that repeat the request as it is.
        if [307, 308].contains(head.status) { exchanges[number]?.redirect = head["location"] }
        exchanges[number]?.type = head["content-type"]?.lowercased() ?? ""
        if let session = head["mcp-session-id"], head.status < 300 { self.session = session }
    }

    private func bodyArrived(_ bytes: [UInt8], of number: Int) {
        guard let isStream = exchanges[number]?.isStream else { return }
        guard isStream else {
            let count = exchanges[number]?.body.count ?? 0
            guard count + bytes.count <= max(maximumMessage, 1 << 20) else {
                return breakOff(number, "it sent a response of more than \(maximumMessage) bytes")
            }
            exchanges[number]?.body += bytes
            return
        }
        var events: [ServerSentEvent] = []
        do throws(ServerSentEventTooLong) {
            try exchanges[number]?.parser.feed(bytes[...], into: &events)
        } catch {
            return breakOff(number, "it sent a message of more than \(error.limit) bytes")
        }
        for event in events { receive(event.data[...], number) }
    }

    private func receive(_ data: ArraySlice<UInt8>, _ number: Int) {
        guard !data.isEmpty, let exchange = exchanges[number] else { return }
        do throws(JSONRPCError) {
            var message = try JSONRPCMessage(parsing: data)
            if let request = exchange.request {
                if case .error(let id, let error) = message, id?.requestNumber == nil {
                    // Servers that refuse a request before they read it do not know its id.
                    guard !concernsConnection(exchange, error) else { return }
                    message = .error(id: RawJSON(request), error)
                }
                if message.responds(to: request) { exchanges[number]?.isAnswered = true }
            }
            report(.received(message))
        } catch {
            // What came with a bad status is said as the reason for the loss.
            guard exchange.status < 300 else { return }
            report(.misread(String(decoding: data.prefix(200), as: UTF8.self)))
        }
    }

    /// Whether a refusal is of the client or its session, and says nothing of the request.
    private func concernsConnection(_ exchange: Exchange, _ error: JSONRPCError? = nil) -> Bool {
        [401, 403, 429, 503].contains(exchange.status) || isSessionGone(exchange, error)
    }

    /// Whether the server no longer knows the session, which is 404 and in some servers 400.
    private func isSessionGone(_ exchange: Exchange, _ error: JSONRPCError?) -> Bool {
        guard session != nil else { return false }
        return exchange.status == 404
            || exchange.status == 400 && error?.message.lowercased().contains("session") ?? false
    }

    private func breakOff(_ number: Int, _ words: String) {
        let transfer = exchanges[number]?.transfer
        lose(number, words, mayHaveArrived: true)
        transfer?.cancel()
    }

    private func ended(_ result: Result<Void, HTTPError>, _ number: Int) {
        guard let exchange = exchanges[number] else { return }
        if case .success = result, exchange.hops < Self.redirectsLimit, follow(exchange.redirect) {
            exchanges[number] = nil
            return send(exchange.outgoing, hops: exchange.hops + 1)
        }
        guard exchange.outgoing != nil else { return streamEnded(number) }
        if exchange.isStream {
            var parser = exchange.parser
            var events: [ServerSentEvent] = []
            parser.finish(into: &events)
            for event in events { receive(event.data[...], number) }
        } else if case .success = result {
            receive(exchange.body[...], number)
        }
        switch result {
        case .success:
            let error = JSONRPCError(response: exchange.body)
            lose(
                number,
                exchange.status < 300 ? emptyWords(exchange) : statusWords(exchange, error),
                mayHaveArrived: !concernsConnection(exchange, error),
                isSessionGone: isSessionGone(exchange, error)
            )
        case .failure(let error):
            let neverSent: [HTTPError.Code] = [
                .badRequest, .unresolved, .unreachable, .connectTimeout, .insecure, .untrusted,
                .unavailable,
            ]
            lose(number, "\(error)", mayHaveArrived: !neverSent.contains(error.code))
        }
    }

    /// Goes to another address of the same host, as servers ask for that move their endpoint.
    private func follow(_ location: String?) -> Bool {
        guard let location, let old = HTTPURL(url), let new = HTTPURL(location, at: old),
            old.mayRedirect(to: new)
        else { return false }
        url = new.text
        return true
    }

    /// Opens the stream beside the responses again, unless the server does not offer it.
    private func streamEnded(_ number: Int) {
        guard let exchange = exchanges.removeValue(forKey: number), !hasEnded else { return }
        guard exchange.status < 300, exchange.status == 0 || exchange.isStream else { return }
        let timer = reopening ?? Timer(loop: loop) { [weak self] in self?.send(nil, hops: 0) }
        reopening = timer
        timer.schedule(after: Self.reopeningPause)
    }

    private func emptyWords(_ exchange: Exchange) -> String {
        guard !exchange.type.isEmpty, !exchange.isStream, !exchange.body.isEmpty else {
            return "it ended its answer without a response"
        }
        return "it answered with \(exchange.type.prefix(80)) that is no message of MCP; is its url"
            + " that of an MCP endpoint?"
    }

    private func statusWords(_ exchange: Exchange, _ error: JSONRPCError?) -> String {
        if let place = exchange.redirect {
            return "it redirects to \(place.prefix(200)), and only its own host is followed; if"
                + " that is right, write it as the url"
        }
        let text = error?.description ?? String(decoding: exchange.body.prefix(200), as: UTF8.self)
        let advice =
            [401, 403].contains(exchange.status)
            ? "; set the header that it needs under headers" : ""
        return "it answered with HTTP status \(exchange.status)"
            + (text.isEmpty ? "" : ": \(text)") + advice
    }

    /// Ends an exchange; reports it if its request got no response.
    private func lose(
        _ number: Int,
        _ words: String,
        mayHaveArrived: Bool,
        isSessionGone: Bool = false
    ) {
        guard let exchange = exchanges.removeValue(forKey: number) else { return }
        guard let request = exchange.request, !exchange.isAnswered else { return }
        report(
            .lost(
                request: request,
                MCPClientMachine.LostResponse(
                    reason: words,
                    mayHaveArrived: mayHaveArrived,
                    isSessionGone: isSessionGone
                )
            )
        )
    }
}

extension JSONRPCMessage {
    /// Whether the message is the response to that request.
    fileprivate func responds(to request: Int) -> Bool {
        switch self {
        case .result(let id, _): id.requestNumber == request
        case .error(let id, _): id?.requestNumber == request
        default: false
        }
    }
}

extension JSONRPCError {
    /// The error that a body is, if it is one.
    fileprivate init?(response body: [UInt8]) {
        let message = try? JSONRPCMessage(parsing: body[...])
        guard case .error(_, let error) = message else { return nil }
        self = error
    }
}
