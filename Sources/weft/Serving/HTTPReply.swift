// The response to one request over HTTP: a single message, or a stream of events once there is more to
// say. Not here: which messages there are.
internal import HTTPServer
internal import JSON
internal import MCP
internal import MCPServer
internal import UVLoop

/// The response to one request.
///
/// Confined to its loop.
final class HTTPReply {
    /// Called if the client is gone before the response is sent.
    var onGone: (() -> Void)?
    /// Further header lines.
    var headers: [(String, String)] = []

    private let exchange: HTTPExchange
    private let streams: Bool
    private var timer: Timer?

    /// Silence after which a stream is begun, or goes on with a comment: proxies and clients give up
    /// on longer ones.
    private static let silence = Duration.seconds(10)

    /// Prepares the response; without `streams` it is a single message in any case.
    init(_ exchange: HTTPExchange, loop: EventLoop, streams: Bool) {
        self.exchange = exchange
        self.streams = streams
        exchange.onGone = { [self] in
            close()
            onGone?()
        }
        guard streams else { return }
        timer = Timer(loop: loop) { [weak self] in self?.breakSilence() }
        timer?.schedule(after: Self.silence)
    }

    /// Sends a message; whether it is the last one.
    func send(_ message: JSONRPCMessage, status: Int) -> Bool {
        if case .notification = message {
            guard streams else { return false }
            beginStream()
            exchange.write(Self.event(message))
            timer?.schedule(after: Self.silence)
            return false
        }
        if exchange.isAnswered {
            exchange.write(Self.event(message))
            exchange.finish()
        } else {
            exchange.answer(
                status,
                headers: [("Content-Type", "application/json")] + headers,
                body: message.bytes
            )
        }
        close()
        return true
    }

    private func close() {
        timer?.close()
        timer = nil
    }

    private func beginStream() {
        guard !exchange.isAnswered else { return }
        let own = [
            ("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"),
            ("X-Accel-Buffering", "no"),
        ]
        exchange.begin(200, headers: own + headers)
    }

    private func breakSilence() {
        beginStream()
        exchange.write(Array(": still here\n\n".utf8))
        timer?.schedule(after: Self.silence)
    }

    private static func event(_ message: JSONRPCMessage) -> [UInt8] {
        Array("event: message\ndata: ".utf8) + message.bytes + Array("\n\n".utf8)
    }

    /// Refuses a request, with the id of its message if that can be read.
    static func refuse(_ exchange: HTTPExchange, _ refusal: HTTPRefusal, id: RawJSON?) {
        var headers = [("Content-Type", "application/json")]
        if let header = refusal.header { headers.append((header.name, header.value)) }
        exchange.answer(
            refusal.status,
            headers: headers,
            body: JSONRPCMessage.error(id: id, refusal.error).bytes
        )
    }
}
