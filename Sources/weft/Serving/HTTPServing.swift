// MCP over HTTP, the transport "Streamable HTTP": each request of the modern era stands alone; those
// of the legacy era belong to a session, which `initialize` opens. Not here: the rules for requests
// (HTTPRules), a single response (HTTPReply).
internal import Console
internal import HTTPRequests
internal import HTTPServer
internal import JSON
internal import MCP
internal import MCPServer
internal import Transport
internal import UVLoop
internal import Wire

/// Serves any number of clients at one address.
///
/// Confined to its loop.
final class HTTPServing {
    /// A session of the legacy era.
    private final class LegacySession {
        let served: ServedSession
        /// The responses that are due, by the ids of their requests.
        var replies: [RawJSON: HTTPReply] = [:]
        /// Counts requests of all sessions, to find the one that was used least recently.
        var lastUse = 0

        init(_ served: ServedSession) { self.served = served }
    }

    private let session: Session
    private let calls: ClusterCalls
    private let settings: MCPSession.Settings
    private let rules: HTTPRules
    private var listener: HTTPListener?
    private var sessions: [String: LegacySession] = [:]
    /// Requests of the modern era without a response, by their numbers.
    private var exchanges: [Int: ServedSession] = [:]
    private var lastNumber = 0
    private let ending: ServingEnd

    /// Sessions of the legacy era; the one that was used least recently makes room.
    private static let sessionLimit = 1_000

    init(session: Session, calls: ClusterCalls, settings: MCPSession.Settings, rules: HTTPRules) {
        self.session = session
        self.calls = calls
        ending = ServingEnd(session: session, calls: calls)
        self.settings = settings
        self.rules = rules
    }

    /// Listens until this process is asked to end; the port.
    func start(at endpoint: Endpoint) throws(HTTPListenerError) -> Int {
        let listener = try HTTPListener(
            loop: session.loop,
            host: endpoint.host,
            port: endpoint.port
        ) { [self] in handle($0) }
        self.listener = listener
        session.onInterrupt = { [self] in end(CommandFailure(.interrupted)) }
        return listener.port
    }

    // MARK: - Requests

    private func handle(_ exchange: HTTPExchange) {
        let head = HTTPRequestHead(
            method: exchange.method,
            path: exchange.path,
            headers: exchange.headers
        )
        do throws(HTTPRefusal) {
            try rules.check(head)
            if head.method == "DELETE" { return try endSession(head, exchange) }
            if exchange.isTooLarge { throw Self.tooLarge }
            try receive(exchange, head)
        } catch {
            HTTPReply.refuse(exchange, error, id: nil)
        }
    }

    private static var tooLarge: HTTPRefusal {
        HTTPRefusal(status: 413, message: "The body has more bytes than are allowed.")
    }

    private func receive(
        _ exchange: HTTPExchange,
        _ head: HTTPRequestHead
    ) throws(HTTPRefusal) {
        let message: JSONRPCMessage
        do throws(JSONRPCError) {
            message = try JSONRPCMessage(parsing: exchange.body[...])
        } catch {
            throw HTTPRefusal(status: 400, error)
        }
        do throws(HTTPRefusal) {
            switch try HTTPRules.era(of: message, head) {
            case .legacy: try receiveLegacy(message, exchange, head)
            case .modern:
                guard case .request = message else { return exchange.answer(202) }
                serveAlone(message, exchange, head)
            }
        } catch {
            guard case .request(let id, _, _) = message else { throw error }
            HTTPReply.refuse(exchange, error, id: id)
        }
    }

    /// Serves a request of the modern era; its end, too, if the client closes the connection.
    private func serveAlone(
        _ message: JSONRPCMessage,
        _ exchange: HTTPExchange,
        _ head: HTTPRequestHead
    ) {
        lastNumber += 1
        let number = lastNumber
        let served = ServedSession(loop: session.loop, cluster: calls, settings: settings)
        exchanges[number] = served
        let end = { [self] in
            exchanges[number] = nil
            served.end()
        }
        let reply = HTTPReply(exchange, loop: session.loop, streams: head.acceptsStream)
        reply.onGone = end
        served.onSend = { message, _ in
            if reply.send(message, status: HTTPRules.status(of: message)) { end() }
        }
        served.handle(.received(message))
    }

    // MARK: - The legacy era

    private func receiveLegacy(
        _ message: JSONRPCMessage,
        _ exchange: HTTPExchange,
        _ head: HTTPRequestHead
    ) throws(HTTPRefusal) {
        if case .request(let id, MCPMethod.initialize, _) = message {
            let (name, opened) = openSession()
            let reply = HTTPReply(exchange, loop: session.loop, streams: false)
            reply.headers = [("Mcp-Session-Id", name)]
            opened.replies[id] = reply
            return opened.served.handle(.received(message))
        }
        let known = try findSession(head)
        lastNumber += 1
        known.lastUse = lastNumber
        guard case .request(let id, _, _) = message else {
            known.served.handle(.received(message))
            return exchange.answer(202)
        }
        guard known.replies[id] == nil else {
            throw HTTPRefusal(status: 400, message: "The id belongs to a request without response.")
        }
        let reply = HTTPReply(exchange, loop: session.loop, streams: head.acceptsStream)
        // A lost connection is no cancellation in this era, but nothing can be sent any more.
        reply.onGone = { [weak known] in known?.replies[id] = nil }
        known.replies[id] = reply
        known.served.handle(.received(message))
    }

    private func openSession() -> (String, LegacySession) {
        if sessions.count >= Self.sessionLimit,
            let oldest = sessions.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            sessions[oldest.key] = nil
            oldest.value.served.end()
        }
        var settings = settings
        settings.hasStream = false
        let opened = LegacySession(
            ServedSession(loop: session.loop, cluster: calls, settings: settings)
        )
        opened.served.onSend = { [weak opened] message, id in
            guard let opened, let id, let reply = opened.replies[id] else { return }
            if reply.send(message, status: 200) { opened.replies[id] = nil }
        }
        lastNumber += 1
        opened.lastUse = lastNumber
        let name = Hex.encode(SecureRandom.bytes(16))
        sessions[name] = opened
        return (name, opened)
    }

    private func findSession(_ head: HTTPRequestHead) throws(HTTPRefusal) -> LegacySession {
        guard let id = head.sessionID else {
            throw HTTPRefusal(
                status: 400,
                message: "The request has neither the _meta of \(MCPVersion.modern) nor an "
                    + "Mcp-Session-Id, which initialize returns."
            )
        }
        guard let known = sessions[id] else {
            throw HTTPRefusal(status: 404, message: "There is no such session; initialize again.")
        }
        return known
    }

    private func endSession(
        _ head: HTTPRequestHead,
        _ exchange: HTTPExchange
    ) throws(HTTPRefusal) {
        let known = try findSession(head)
        if let id = head.sessionID { sessions[id] = nil }
        known.served.end()
        exchange.answer(204)
    }

    // MARK: - The end

    /// Cancels what clients wait for, and ends the command when that has ended.
    private func end(_ failure: CommandFailure?) {
        ending.begin(failure) {
            let open = exchanges.values + sessions.values.map(\.served)
            exchanges = [:]
            sessions = [:]
            listener?.close()
            for served in open { served.end() }
        }
    }
}
