// The coordinator over HTTP: the page for browsers, its data as JSON, events and orders. It is a client
// of the coordinator like others. Not here: what requests mean (Gateway), single responses.
internal import Client
internal import Core
internal import Gateway
internal import HTTPRequests
package import HTTPServer
internal import JSON
internal import Metrics
package import Transport
package import UVLoop
package import Wire

/// Serves the page and its interface at one address.
///
/// Confined to its loop. Lives until it is closed.
package final class PageServer {
    /// Where it listens, and for whom.
    package struct Settings {
        /// A loopback address; port 0 lets the system choose.
        package var address: Endpoint
        /// Further names under which browsers may reach it.
        package var otherHosts: [String]
        /// Where the coordinator of this process listens.
        package var coordinator: Endpoint
        /// Whether the coordinator encrypts.
        package var isEncrypted: Bool

        /// Describes a server.
        package init(
            address: Endpoint,
            otherHosts: [String],
            coordinator: Endpoint,
            isEncrypted: Bool
        ) {
            self.address = address
            self.otherHosts = otherHosts
            self.coordinator = coordinator
            self.isEncrypted = isEncrypted
        }
    }

    /// What it asks the coordinator's shell for.
    package struct Sources {
        /// The keys that are accepted now.
        package var keyring: () -> Keyring
        /// Milliseconds of Unix time.
        package var unixMilliseconds: () -> Int
        /// The figures for Prometheus, as OpenMetrics or in the older format.
        package var metrics: (_ isOpenMetrics: Bool) -> [UInt8]

        /// Collects them.
        package init(
            keyring: @escaping () -> Keyring,
            unixMilliseconds: @escaping () -> Int,
            metrics: @escaping (_ isOpenMetrics: Bool) -> [UInt8]
        ) {
            self.keyring = keyring
            self.unixMilliseconds = unixMilliseconds
            self.metrics = metrics
        }
    }

    private let loop: EventLoop
    private let sources: Sources
    private let site: HTTPSite
    private let links: PageLinks
    private let page = PageDocument()
    private var listener: HTTPListener?
    /// The nonces of tickets that were used, until they end.
    private var usedTickets: [String: Int] = [:]
    private var streams: [ObjectIdentifier: any PageStream] = [:]

    /// Where browsers find it.
    package private(set) var url = ""

    /// Streams that may be open at a time.
    private static let streamLimit = 64
    /// How long a token of a page is good for, in milliseconds.
    private static let session = 12 * 3_600_000

    /// Begins to listen.
    package init(
        loop: EventLoop,
        settings: Settings,
        sources: Sources
    ) throws(HTTPListenerError) {
        self.loop = loop
        self.sources = sources
        site = HTTPSite(otherHosts: settings.otherHosts)
        links = PageLinks(
            loop: loop,
            coordinator: settings.coordinator,
            isEncrypted: settings.isEncrypted
        ) { name in
            sources.keyring().entry(named: name, at: sources.unixMilliseconds())
        }
        var limits = HTTPListener.Limits()
        // Connections that say nothing keep others out, and streams are never silent for so long.
        limits.idleSeconds = 20
        do throws(HTTPListenerError) {
            let listener = try HTTPListener(
                loop: loop,
                host: settings.address.host,
                port: settings.address.port,
                limits: limits
            ) { [weak self] in self?.handle($0) }
            self.listener = listener
            let host = settings.address.host
            url = "http://\(host.contains(":") ? "[\(host)]" : host):\(listener.port)"
        } catch {
            links.close()
            throw error
        }
    }

    /// Ends all streams and closes everything.
    package func close() {
        listener?.close()
        listener = nil
        for stream in streams.values { stream.close() }
        streams = [:]
        links.close()
    }

    // MARK: - Requests

    private func handle(_ exchange: HTTPExchange) {
        let head = HTTPRequestHead(
            method: exchange.method,
            path: exchange.path,
            query: exchange.query,
            headers: exchange.headers
        )
        do throws(GatewayError) {
            let route = try route(of: head)
            guard !exchange.isTooLarge else {
                throw GatewayError(.limit, "The body has more bytes than are allowed.")
            }
            switch route {
            case .page: return answerPage(exchange)
            case .openAPI: return PageReply.answer(exchange, 200, PageDocument.openAPI)
            case .session: return try openSession(exchange, head)
            default: break
            }
            let token = try token(of: head)
            switch route {
            case .page, .openAPI, .session: break
            case .metrics: answerMetrics(exchange, head)
            case .document(let get): answer(exchange, get, token)
            case .order(let order): try give(order, exchange, head, token)
            case .runEvents(let run, let level, let from):
                try open(
                    RunStream(exchange, loop: loop, run: run, level: level, from: from),
                    token
                )
            case .clusterEvents:
                let position = head.lastEventID.map { ClusterPosition($0) } ?? ClusterPosition()
                try open(
                    ClusterStream(exchange, loop: loop, token: token, position: position),
                    token
                )
            }
        } catch {
            PageReply.refuse(exchange, error)
        }
    }

    private func route(of head: HTTPRequestHead) throws(GatewayError) -> GatewayRoute {
        do throws(HTTPSite.Problem) {
            // Links from elsewhere may lead to the page, which has no data in it.
            if head.path == "/" { try site.check(head) } else { try site.checkOwn(head) }
        } catch {
            throw error == .foreignHost
                ? GatewayError(
                    421,
                    "foreign_host",
                    "The Host is not one of this server; see --allow-host of weft coordinator."
                )
                : GatewayError(403, "foreign_origin", "Another site asks for this.")
        }
        return try GatewayRoute(head)
    }

    /// Who asks, by the token.
    private func token(of head: HTTPRequestHead) throws(GatewayError) -> PageToken {
        guard let text = head.bearer,
            let token = PageToken(
                text,
                .token,
                in: sources.keyring(),
                at: sources.unixMilliseconds()
            )
        else { throw .unauthorized }
        return token
    }

    /// Gives a token for a ticket.
    private func openSession(
        _ exchange: HTTPExchange,
        _ head: HTTPRequestHead
    ) throws(GatewayError) {
        try checkType(head)
        let now = sources.unixMilliseconds()
        usedTickets = usedTickets.filter { $0.value > now }
        let fields = try? RawJSON(validating: exchange.body[...])
        guard let text = fields?.value(at: [.key("ticket")])?.stringValue,
            let ticket = PageToken(text, .ticket, in: sources.keyring(), at: now),
            usedTickets[ticket.nonce] == nil,
            let entry = sources.keyring().entry(named: ticket.name, at: now)
        else { throw .unauthorized }
        usedTickets[ticket.nonce] = ticket.expiry
        let token = PageToken(
            .token,
            of: ticket.name,
            as: ticket.role,
            until: min(now + Self.session, entry.validUntil ?? .max),
            nonce: SecureRandom.bytes(16)
        )
        let body = RawJSON.object { writer in
            writer.field("token", token.signed(with: entry.key))
            writer.field("role", token.role.rawValue)
            writer.field("name", token.name)
            writer.field("expires_at", UnixTime(milliseconds: token.expiry).text)
        }
        PageReply.answer(exchange, 200, Array(body.bytes))
    }

    private func checkType(_ head: HTTPRequestHead) throws(GatewayError) {
        let type = head.values("content-type").first?.lowercased() ?? ""
        guard type.hasPrefix("application/json") else {
            throw GatewayError(
                415,
                "bad_request",
                "The body must be JSON, with Content-Type: application/json."
            )
        }
    }

    // MARK: - Answers

    private func answerPage(_ exchange: HTTPExchange) {
        exchange.answer(
            200,
            headers: [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Security-Policy", page.policy), ("Cache-Control", "no-cache"),
                ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
            ],
            body: page.bytes
        )
    }

    private func answerMetrics(_ exchange: HTTPExchange, _ head: HTTPRequestHead) {
        let format = MetricsFormat(accept: head.values("accept").joined(separator: ","))
        exchange.answer(
            200,
            headers: [("Content-Type", format.contentType), ("Cache-Control", "no-store")],
            body: sources.metrics(format == .openMetrics)
        )
    }

    private func answer(
        _ exchange: HTTPExchange,
        _ get: Get,
        _ token: PageToken
    ) {
        links.shared(token.name) { result in
            switch result {
            case .failure(let error): PageReply.refuse(exchange, GatewayError(error))
            case .success(let client):
                client.getPage(get) { result in
                    switch result {
                    case .failure(let error): PageReply.refuse(exchange, GatewayError(error))
                    case .success(let (data, next)):
                        let body = GatewayDocument.body(get.what, data, next: next)
                        PageReply.answer(exchange, 200, Array(body.bytes))
                    }
                }
            }
        }
    }

    // MARK: - Orders

    private func give(
        _ order: GatewayOrder,
        _ exchange: HTTPExchange,
        _ head: HTTPRequestHead,
        _ token: PageToken
    ) throws(GatewayError) {
        guard token.role == .client else {
            throw GatewayError(
                .forbidden,
                "A viewer may only look; open the page by weft dashboard --control."
            )
        }
        try checkType(head)
        let key = Hex.encode(SecureRandom.bytes(16))
        let message = try order.message(body: exchange.body, key: key)
        links.shared(token.name) { result in
            switch result {
            case .failure(let error): PageReply.refuse(exchange, GatewayError(error))
            case .success(let client): PageOrders.send(message, client, exchange)
            }
        }
    }

    // MARK: - Streams

    private func open(
        _ stream: any PageStream,
        _ token: PageToken
    ) throws(GatewayError) {
        guard streams.count < Self.streamLimit else {
            throw GatewayError(
                503,
                "busy",
                "\(Self.streamLimit) streams are open already; close a page."
            )
        }
        let id = ObjectIdentifier(stream)
        streams[id] = stream
        stream.onEnd = { [weak self] in self?.streams[id] = nil }
        links.open(token.name) { stream.begin($0) }
    }
}

@available(*, unavailable)
extension PageServer: Sendable {}
