// A response that is a stream of events: it begins with the first event, goes on with comments while
// there is nothing to say, and holds its source back while the reader is slow. Not here: which events.
internal import Client
internal import Gateway
internal import HTTPServer
internal import UVLoop
internal import Wire

/// A stream of events to one reader.
protocol PageStream: AnyObject {
    /// Called once when it has ended, for whatever reason but `close`.
    var onEnd: (() -> Void)? { get set }
    /// Goes on with a connection to the coordinator, or says why there is none.
    func begin(_ result: Result<CoordinatorClient, ClientError>)
    /// Ends it; `onEnd` is not called.
    func close()
}

/// The sending side of a stream.
///
/// Confined to its loop.
final class EventSender {
    /// Called once when the reader is gone.
    var onGone: (() -> Void)?
    /// What events come from; it is held back while the reader is slow.
    var client: CoordinatorClient?

    private let exchange: HTTPExchange
    private let loop: EventLoop
    private var timer: Timer?
    private var isPaused = false
    private var isEnded = false
    private var lastWrite: Int64

    /// Bytes that may wait for the reader before the source is held back, and at which it goes on.
    private static let (highWater, lowWater) = (1 << 20, 128 << 10)
    private static let silence = Duration.seconds(10)
    private static let look = Duration.milliseconds(20)

    init(_ exchange: HTTPExchange, loop: EventLoop) {
        self.exchange = exchange
        self.loop = loop
        lastWrite = loop.nowNanoseconds
        exchange.onGone = { [weak self] in
            guard let self, !isEnded else { return }
            let onGone = onGone
            stop()
            onGone?()
        }
        timer = Timer(loop: loop) { [weak self] in self?.passTime() }
    }

    /// Begins the response.
    func begin() {
        guard !isEnded, !exchange.isAnswered else { return }
        exchange.begin(
            200,
            headers: [
                ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
                ("X-Accel-Buffering", "no"), ("X-Content-Type-Options", "nosniff"),
            ]
        )
        timer?.schedule(after: Self.silence)
    }

    /// Sends bytes of the stream.
    func send(_ bytes: [UInt8]) {
        guard !isEnded else { return }
        exchange.write(bytes)
        lastWrite = loop.nowNanoseconds
        guard !isPaused, exchange.unsentBytes > Self.highWater else { return }
        isPaused = true
        client?.pauseReading()
        timer?.schedule(after: Self.look)
    }

    private func passTime() {
        if isPaused {
            guard exchange.unsentBytes < Self.lowWater else {
                timer?.schedule(after: Self.look)
                return
            }
            isPaused = false
            client?.resumeReading()
        }
        let silent = Duration.nanoseconds(loop.nowNanoseconds - lastWrite)
        if silent >= Self.silence { send(ServerSentEvent.comment) }
        timer?.schedule(after: Self.silence)
    }

    /// Refuses the request if the response has not begun, else ends it.
    func fail(_ error: GatewayError) {
        guard !isEnded else { return }
        if exchange.isAnswered { return finish() }
        PageReply.refuse(exchange, error)
        stop()
    }

    /// Ends the response.
    func finish() {
        guard !isEnded else { return }
        exchange.finish()
        stop()
    }

    private func stop() {
        isEnded = true
        onGone = nil
        timer?.close()
        timer = nil
        client?.close()
        client = nil
    }
}
