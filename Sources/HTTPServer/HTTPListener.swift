// Listens for HTTP requests on the event loop: libmicrohttpd reads and writes, the loop watches its
// one descriptor and keeps its time. Not here: a single request (HTTPExchange), what requests mean.
internal import CMicroHTTPD
internal import Glibc
package import UVLoop

/// Why there is no listener.
package struct HTTPListenerError: Error, Equatable, CustomStringConvertible {
    /// What is wrong and what to do, in a sentence.
    package var description: String
}

/// Accepts HTTP/1.1 requests at one address.
///
/// Confined to its loop. Lives until it is closed.
package final class HTTPListener {
    /// What is allowed.
    package struct Limits: Sendable {
        /// Bytes of a request's body.
        package var bodyBytes = 16 << 20
        /// Bytes of the bodies of all requests that are being read.
        package var allBodyBytes = 64 << 20
        /// Connections at a time.
        package var connections = 256
        /// How long a connection may be silent while something of it is due.
        package var idleSeconds = 60

        /// The usual limits.
        package init() {}
    }

    let loop: EventLoop
    /// The handle of libmicrohttpd; nil once closed.
    private(set) var httpd: OpaquePointer?
    private let onRequest: (HTTPExchange) -> Void
    private var exchanges: [UInt64: HTTPExchange] = [:]
    private var source: PollSource?
    private var timer: Timer?
    private var isRunning = false
    private var isWoken = false

    /// The port that it listens on.
    package let port: Int

    /// The version of libmicrohttpd; nil if this host has none.
    package static var libraryVersion: String? {
        weft_httpd_version().map { String(cString: $0) }
    }

    /// Listens on a numeric address; port 0 lets the system choose.
    ///
    /// `onRequest` is called for each request once its body has arrived.
    package init(
        loop: EventLoop,
        host: String,
        port: Int,
        limits: Limits = Limits(),
        onRequest: @escaping (HTTPExchange) -> Void
    ) throws(HTTPListenerError) {
        let allowed = weft_httpd_limits(
            body_limit: limits.bodyBytes,
            all_bodies_limit: limits.allBodyBytes,
            connection_limit: UInt32(limits.connections),
            idle_seconds: UInt32(limits.idleSeconds)
        )
        guard let httpd = weft_httpd_new(host, UInt16(clamping: port), allowed) else {
            throw Self.error(errno, "\(host):\(port)")
        }
        self.loop = loop
        self.httpd = httpd
        self.onRequest = onRequest
        self.port = Int(weft_httpd_port(httpd))
        do throws(UVError) {
            let source = try PollSource(loop: loop, descriptor: weft_httpd_descriptor(httpd)) {
                [self] _ in run()
            }
            source.watch(.readable)
            self.source = source
        } catch {
            weft_httpd_free(httpd)
            self.httpd = nil
            throw HTTPListenerError(description: "HTTP cannot be served: \(error.explanation).")
        }
        timer = Timer(loop: loop) { [self] in run() }
        schedule()
    }

    private static func error(_ code: Int32, _ address: String) -> HTTPListenerError {
        if code == ENOSYS {
            return HTTPListenerError(
                description: "libmicrohttpd.so.12 cannot be loaded. Install it (Debian: "
                    + "libmicrohttpd12)."
            )
        }
        let reason = strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return HTTPListenerError(description: "HTTP cannot be served at \(address): \(reason).")
    }

    /// Closes all connections; no closure is called any more.
    ///
    /// Calling it again does nothing.
    package func close() {
        guard let httpd else { return }
        self.httpd = nil
        source?.close()
        source = nil
        timer?.close()
        timer = nil
        for exchange in exchanges.values { exchange.forget() }
        exchanges = [:]
        weft_httpd_free(httpd)
    }

    // MARK: - Events

    /// Lets libmicrohttpd do what is due, and handles what has come of it.
    private func run() {
        guard !isRunning, let httpd else { return }
        isRunning = true
        weft_httpd_run(httpd)
        var event = weft_httpd_event()
        while let httpd = self.httpd, weft_httpd_next(httpd, &event) {
            switch event.kind {
            case WEFT_HTTPD_REQUEST:
                let exchange = HTTPExchange(self, event, httpd)
                exchanges[event.exchange] = exchange
                onRequest(exchange)
            default:
                exchanges.removeValue(forKey: event.exchange)?.end()
            }
        }
        isRunning = false
        schedule()
    }

    /// Lets libmicrohttpd run in the next turn, since a response has more to send.
    func wake() {
        guard !isWoken else { return }
        isWoken = true
        loop.nextTurn { [self] in
            isWoken = false
            run()
        }
    }

    private func schedule() {
        guard let httpd else { return }
        let milliseconds = weft_httpd_timeout(httpd)
        if milliseconds < 0 {
            timer?.cancel()
        } else {
            timer?.schedule(after: .milliseconds(milliseconds))
        }
    }
}

@available(*, unavailable)
extension HTTPListener: Sendable {}
