// HTTP requests on the event loop: libcurl makes the decisions, the loop watches its sockets and
// timers. Not here: the meaning of a response, retries, redirects (a redirect is a response like
// any other).
internal import CCurl
public import UVLoop

/// Sends HTTP requests on a loop; connections are kept for the next request.
///
/// Confined to the loop. Lives until it or its loop is closed. Nothing blocks: libcurl looks up
/// names on a thread of its own.
public final class HTTPClient {
    let loop: EventLoop
    /// The handle of libcurl; nil once closed, and when there is no libcurl.
    private(set) var curl: OpaquePointer?
    private var transfers: [UInt64: HTTPTransfer] = [:]
    /// The number of transfers whose end has not been reported; for tests.
    var openTransfers: Int { transfers.count }
    private var lastNumber: UInt64 = 0
    private var sources: [Int32: PollSource] = [:]
    private var timer: Timer?
    private var isHandling = false

    /// Whether ``close()`` was called.
    private(set) var isClosed = false

    /// Makes a client without connections.
    ///
    /// libcurl is loaded here, by the first client. Without it each request fails.
    public init(loop: EventLoop) {
        self.loop = loop
        curl = weft_curl_new()
        timer = Timer(loop: loop) { [self] in timeIsUp() }
    }

    deinit {
        // Closing the loop releases timers and sources, and with them the client.
        for transfer in transfers.values { transfer.free() }
        if let curl { weft_curl_free(curl) }
    }

    /// Starts a request.
    ///
    /// All closures are called on the loop, none within this call: `onHead` at most once, then
    /// `onBody` for each piece of the body, and `onEnd` exactly once at the end, in every case.
    /// Only when the loop itself closes, it is not called. A bad status counts as success here.
    ///
    /// - Returns: The transfer, for cancelling it; it need not be kept.
    @discardableResult
    public func start(
        _ request: HTTPRequest,
        onHead: @escaping (HTTPHead) -> Void,
        onBody: @escaping ([UInt8]) -> Void,
        onEnd: @escaping (Result<Void, HTTPError>) -> Void
    ) -> HTTPTransfer {
        lastNumber += 1
        let transfer = HTTPTransfer(client: self, number: lastNumber)
        transfer.handlers = HTTPTransfer.Handlers(head: onHead, body: onBody, end: onEnd)
        transfers[lastNumber] = transfer
        if let problem = transfer.begin(request) {
            loop.nextTurn { transfer.end(.failure(problem)) }
        }
        handleEvents()
        return transfer
    }

    /// Ends all transfers as cancelled and frees everything.
    ///
    /// Calling it again does nothing; a request started later fails as cancelled.
    public func close() {
        isClosed = true
        for transfer in transfers.values.sorted(by: { $0.number < $1.number }) { transfer.cancel() }
        timer?.close()
        timer = nil
        if let curl {
            self.curl = nil
            weft_curl_free(curl)
        }
        for source in sources.values { source.close() }
        sources = [:]
    }

    // MARK: - Transfers

    func forget(_ transfer: HTTPTransfer) {
        transfers[transfer.number] = nil
        handleEvents()
    }

    // MARK: - Events

    private func timeIsUp() {
        guard let curl else { return }
        weft_curl_timeout(curl)
        handleEvents()
    }

    private func ready(_ descriptor: Int32, _ readiness: PollSource.Readiness) {
        guard let curl else { return }
        var bits: Int32 = 0
        if readiness.contains(.readable) { bits |= Int32(WEFT_CURL_READABLE) }
        if readiness.contains(.writable) { bits |= Int32(WEFT_CURL_WRITABLE) }
        if readiness.contains(.broken) {
            // Data before the break can still be read; libcurl then reports the error.
            bits |= Int32(WEFT_CURL_BROKEN | WEFT_CURL_READABLE | WEFT_CURL_WRITABLE)
        }
        weft_curl_ready(curl, descriptor, bits)
        handleEvents()
    }

    /// Does what libcurl asked for and passes on its data.
    ///
    /// A closure called from here may start, cancel or close; such changes are handled afterwards.
    private func handleEvents() {
        guard !isHandling else { return }
        isHandling = true
        defer { isHandling = false }
        var event = weft_curl_event()
        while let curl, weft_curl_next(curl, &event) {
            switch event.kind {
            case WEFT_CURL_SOCKET: watch(event.descriptor, for: event.value)
            case WEFT_CURL_TIMER: schedule(milliseconds: event.value)
            default: hand(event, bytes: bytes(of: event, curl))
            }
        }
    }

    private func bytes(of event: weft_curl_event, _ curl: OpaquePointer) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: event.length)
        weft_curl_copy(curl, &bytes)
        return bytes
    }

    private func watch(_ descriptor: Int32, for bits: Int64) {
        guard bits != 0 else {
            sources.removeValue(forKey: descriptor)?.close()
            return
        }
        guard let source = sources[descriptor] ?? makeSource(descriptor) else { return }
        sources[descriptor] = source
        var readiness: PollSource.Readiness = []
        if bits & Int64(WEFT_CURL_READABLE) != 0 { readiness.insert(.readable) }
        if bits & Int64(WEFT_CURL_WRITABLE) != 0 { readiness.insert(.writable) }
        source.watch(readiness)
    }

    private func makeSource(_ descriptor: Int32) -> PollSource? {
        do throws(UVError) {
            return try PollSource(loop: loop, descriptor: descriptor) { [self] readiness in
                ready(descriptor, readiness)
            }
        } catch {
            // libcurl finds the error of a socket that cannot be watched.
            loop.nextTurn { [self] in ready(descriptor, .broken) }
            return nil
        }
    }

    private func schedule(milliseconds: Int64) {
        if milliseconds < 0 {
            timer?.cancel()
        } else {
            timer?.schedule(after: .milliseconds(milliseconds))
        }
    }

    private func hand(_ event: weft_curl_event, bytes: [UInt8]) {
        // Events of a cancelled transfer are dropped.
        guard let transfer = transfers[event.transfer] else { return }
        switch event.kind {
        case WEFT_CURL_HEAD:
            transfer.headArrived(HTTPHead(status: Int(event.value), lines: bytes))
        case WEFT_CURL_BODY:
            transfer.bodyArrived(bytes)
        default:
            transfer.end(HTTPError.result(event.value, String(decoding: bytes, as: UTF8.self)))
        }
    }
}

@available(*, unavailable)
extension HTTPClient: Sendable {}

extension HTTPError {
    fileprivate static func result(_ value: Int64, _ words: String) -> Result<Void, HTTPError> {
        let code: Code
        switch weft_curl_result(UInt32(truncatingIfNeeded: value)) {
        case WEFT_CURL_DONE: return .success(())
        case WEFT_CURL_BAD_URL: code = .badRequest
        case WEFT_CURL_UNRESOLVED: code = .unresolved
        case WEFT_CURL_UNREACHABLE: code = .unreachable
        case WEFT_CURL_CONNECT_TIMEOUT: code = .connectTimeout
        case WEFT_CURL_INSECURE: code = .insecure
        case WEFT_CURL_UNTRUSTED: code = .untrusted
        case WEFT_CURL_BROKEN_OFF: code = .brokenOff
        case WEFT_CURL_NO_HTTP: code = .badResponse
        case WEFT_CURL_TOO_LARGE: code = .tooLarge
        case WEFT_CURL_FORBIDDEN: code = .forbidden
        default: code = .other
        }
        return .failure(HTTPError(code: code, message: words))
    }
}
