// One call of a model over HTTP: attempts, adaptations, waits, and its end. Not here: writing a
// request and reading a stream (the dialects), when to retry (RetryPolicy).
internal import Glibc
internal import HTTP
internal import JSON
internal import PlannerCore
internal import UVLoop

/// A running call.
final class HTTPModelCall: ModelCall {
    private enum Phase {
        /// Between two attempts.
        case waiting
        /// The request was sent and no head has arrived.
        case sent
        /// The reply arrives.
        case replying
        /// The request was refused; the error text arrives.
        case refused
        /// The end was reported; the transfer may finish, so that its connection can be reused.
        case ended
    }

    private let endpoint: ModelEndpoint
    private let request: ModelRequest
    private let policy: RetryPolicy
    private let deadline: Int64
    private var report: ((ModelEvent) -> Void)?
    private var phase = Phase.waiting
    private var adaptation: Adaptation
    private var retriesMade = 0
    private var transfer: HTTPTransfer?
    private var timer: Timer?
    private var onTimer: (() -> Void)?

    // State of the current attempt.
    private var head: HTTPHead?
    private var body: [UInt8] = []
    private var parser = SSEParser(limit: ModelLimits.event)
    private var reader: any ReplyReader
    private var isWhole = false
    // State of the call.
    private var textLength = 0
    private var hasToldFormat = false

    init(endpoint: ModelEndpoint, request: ModelRequest, report: @escaping (ModelEvent) -> Void) {
        self.endpoint = endpoint
        self.request = request
        self.report = report
        policy = RetryPolicy(
            retries: endpoint.settings.retries,
            firstDelay: endpoint.settings.firstRetryDelay
        )
        adaptation = endpoint.adaptation(for: request.format)
        reader = endpoint.dialect.makeReader()
        deadline = endpoint.loop.deadline(after: endpoint.settings.timeout)
    }

    var source: ModelSource {
        ModelSource(provider: endpoint.dialect.provider, model: endpoint.settings.model)
    }

    func cancel() { end(.failed(.cancelled)) }

    // MARK: - Attempts

    /// Sends the request, as the first or another time.
    func begin() {
        let settings = endpoint.settings
        head = nil
        body = []
        parser = SSEParser(limit: ModelLimits.event)
        reader = endpoint.dialect.makeReader()
        isWhole = false
        phase = .sent
        let remaining = max(0, deadline - endpoint.loop.nowNanoseconds)
        let headers = [
            ("Content-Type", "application/json"), ("Accept", "text/event-stream"),
            ("User-Agent", "weftline"),
        ]
        let request = HTTPRequest(
            method: "POST",
            url: endpoint.dialect.url(base: settings.baseURL),
            headers: headers + endpoint.dialect.headers(key: endpoint.key),
            body: endpoint.dialect.body(self.request, adaptation, settings),
            connectTimeout: settings.connectTimeout,
            idleTimeout: settings.idleTimeout,
            deadline: .nanoseconds(remaining),
            proxy: settings.proxy,
            caFile: settings.caFile
        )
        transfer = endpoint.client.start(
            request,
            onHead: { [self] in headArrived($0) },
            onBody: { [self] in bodyArrived($0) },
            onEnd: { [self] in transferEnded($0) }
        )
    }

    private func headArrived(_ head: HTTPHead) {
        guard phase == .sent else { return }
        self.head = head
        guard (200..<300).contains(head.status) else {
            phase = .refused
            // It is a refusal even if its error text does not arrive.
            schedule(after: .seconds(5)) { [self] in transfer?.cancel() }
            return
        }
        phase = .replying
        let type = head["content-type"]?.lowercased() ?? ""
        isWhole = type.hasPrefix("application/json")
        if type.hasPrefix("text/html") {
            return fail(
                ModelFailure(
                    code: .badConfiguration,
                    message: "There is a web page, not a model, at \(endpoint.settings.baseURL).",
                    status: head.status
                )
            )
        }
        endpoint.remember(adaptation, for: request.format)
        if adaptation.format != request.format, !hasToldFormat {
            hasToldFormat = true
            tell(.formatLowered(to: adaptation.format))
        }
    }

    private func bodyArrived(_ bytes: [UInt8]) {
        switch phase {
        case .refused:
            body += bytes.prefix(max(0, ModelLimits.errorBody - body.count))
        case .replying where isWhole:
            body += bytes
            if body.count > ModelLimits.reply { fail(.tooMuch) }
        case .replying:
            read { [self] (readings) throws(UnreadableReply) in
                var events: [ServerSentEvent] = []
                do throws(ServerSentEventTooLong) {
                    try parser.feed(bytes[...], into: &events)
                } catch {
                    throw UnreadableReply(
                        message: "The model's provider sent an event of more than \(error.limit)"
                            + " bytes."
                    )
                }
                for event in events { try reader.read(event, into: &readings) }
            }
        default:
            break
        }
    }

    private func transferEnded(_ result: Result<Void, HTTPError>) {
        transfer = nil
        switch phase {
        case .waiting:
            break
        case .ended:
            stopTimer()
        case .refused:
            stopTimer()
            refused()
        case .sent:
            if case .failure(let error) = result { fail(failure(error)) }
        case .replying:
            readEnd()
            guard phase == .replying else { return }
            if let stop = reader.stop { return end(.ended(stop)) }
            if case .failure(let error) = result { return fail(failure(error)) }
            fail(
                ModelFailure(
                    code: .badStream,
                    message: "The model's reply ended before it was complete.",
                    isRetryable: true,
                    status: head?.status
                )
            )
        }
    }

    // MARK: - The reply

    /// Reads the rest of the stream, or the value that came instead of a stream.
    private func readEnd() {
        read { [self] (readings) throws(UnreadableReply) in
            if isWhole {
                guard !body.isEmpty else { return }
                return try reader.read(whole: JSONValue(lenient: body), into: &readings)
            }
            var events: [ServerSentEvent] = []
            parser.finish(into: &events)
            // An incomplete event means that the connection broke.
            for event in events { try? reader.read(event, into: &readings) }
        }
    }

    private func read(_ body: (inout [Reading]) throws(UnreadableReply) -> Void) {
        var readings: [Reading] = []
        var problem: UnreadableReply?
        do throws(UnreadableReply) { try body(&readings) } catch { problem = error }
        for reading in readings where phase == .replying { handle(reading) }
        guard phase == .replying else { return }
        if let problem {
            return fail(
                ModelFailure(
                    code: .badStream,
                    message: problem.message,
                    isRetryable: true,
                    status: head?.status
                )
            )
        }
        guard let stop = reader.stop, timer == nil || onTimer == nil else { return }
        schedule(after: endpoint.settings.settleTime) { [self] in end(.ended(stop)) }
    }

    private func handle(_ reading: Reading) {
        switch reading {
        case .delta(let text):
            textLength += text.utf8.count
            guard textLength <= ModelLimits.reply else { return fail(.tooMuch) }
            tell(.delta(text))
        case .usage(let usage):
            tell(.usage(usage))
        case .failed(let error):
            fail(error.failure(status: nil))
        case .complete:
            end(.ended(reader.stop ?? .end))
        }
    }

    // MARK: - Failures

    /// Handles a refusal: writes the request in another way, waits and tries again, or fails.
    private func refused() {
        guard let head else { return }
        let error = ProviderError(body[...])
        if let next = adaptation(after: error, status: head.status) {
            adaptation = next
            return begin()
        }
        var failure = error.failure(status: head.status)
        if (300..<400).contains(head.status) {
            failure.message =
                "The model's provider redirects to \((head["location"] ?? "").quotedWords);"
                + " give that as base_url (HTTP \(head.status))."
        }
        fail(failure)
    }

    /// Another way to write a refused request; each step leaves out more.
    private func adaptation(after error: ProviderError, status: Int) -> Adaptation? {
        guard [400, 404, 415, 422, 500, 501].contains(status), !error.isTooLong else { return nil }
        if let field = endpoint.dialect.refusedField(error), !adaptation.omitted.contains(field) {
            var next = adaptation
            next.omitted.insert(field)
            return next
        }
        let isAboutRequest = status == 400 || status == 422
        // Few servers take a grammar, and some do not say which field they refuse.
        if isAboutRequest, endpoint.dialect.hasGrammar(request, endpoint.settings),
            !adaptation.omitted.contains(.grammar)
        {
            var next = adaptation
            next.omitted.insert(.grammar)
            return next
        }
        let isAboutFormat = error.mentions(
            "response_format",
            "json_schema",
            "json_object",
            "output_config",
            "grammar",
            "schema"
        )
        guard isAboutRequest || isAboutFormat,
            let format = endpoint.dialect.formatBelow(adaptation.format)
        else { return nil }
        var next = adaptation
        next.format = format
        return next
    }

    private func failure(_ error: HTTPError) -> ModelFailure {
        let place = endpoint.settings.baseURL
        let status = head?.status
        let words = error.message.quotedWords
        switch error.code {
        case .badRequest, .insecure, .unavailable:
            return ModelFailure(
                code: .badConfiguration,
                message: "The model at \(place) cannot be called: \(words)"
            )
        case .untrusted:
            // A certificate that is not trusted now will not be trusted on a retry.
            return ModelFailure(
                code: .badConfiguration,
                message: "The model at \(place) cannot be trusted: \(words). If its certificate is"
                    + " of an authority of your own, give that authority's certificate as ca_file."
            )
        case .unresolved, .unreachable, .connectTimeout, .forbidden, .other:
            return ModelFailure(
                code: .unreachable,
                message: "The model at \(place) cannot be reached: \(words)",
                isRetryable: true
            )
        case .idleTimeout, .deadline:
            return ModelFailure(
                code: .timeout,
                message: "The model at \(place) takes too long: \(words)",
                isRetryable: true,
                status: status
            )
        case .brokenOff, .badResponse, .tooLarge:
            return ModelFailure(
                code: status == nil && error.code == .brokenOff ? .unreachable : .badStream,
                message: "The reply of the model at \(place) broke off: \(words)",
                isRetryable: error.code == .brokenOff,
                status: status
            )
        case .cancelled:
            return .cancelled
        }
    }

    /// Waits and tries again, if the failure and the time allow it; otherwise ends the call.
    private func fail(_ failure: ModelFailure) {
        dropTransfer()
        guard textLength == 0 else { return end(.failed(failure)) }
        let decision = policy.decide(
            isRetryable: failure.isRetryable,
            made: retriesMade,
            header: { [head] name in head?[name] },
            now: time(nil),
            using: &endpoint.generator
        )
        switch decision {
        case .giveUp:
            end(.failed(failure))
        case .waitTooLong(let wait):
            var failure = failure
            failure.message += " It asks to wait \(wait), which is too long."
            end(.failed(failure))
        case .retry(let wait):
            let due = endpoint.loop.deadline(after: wait)
            guard due < deadline else { return end(.failed(failure)) }
            retriesMade += 1
            phase = .waiting
            schedule(after: wait) { [self] in begin() }
        }
    }

    // MARK: - The end

    private func tell(_ event: ModelEvent) { report?(event) }

    private func end(_ event: ModelEvent) {
        guard let report else { return }
        self.report = nil
        phase = .ended
        stopTimer()
        if case .ended = event, transfer != nil {
            // A stream that ends in time leaves its connection for the next call.
            schedule(after: .milliseconds(500)) { [self] in dropTransfer() }
        } else {
            dropTransfer()
        }
        guard case .failed(var failure) = event else { return report(event) }
        failure.message = endpoint.redactor.redact(failure.message)
        report(.failed(failure))
    }

    /// Ends the transfer of an attempt whose outcome is decided.
    private func dropTransfer() {
        stopTimer()
        let transfer = transfer
        self.transfer = nil
        if phase != .ended { phase = .waiting }
        transfer?.cancel()
    }

    // MARK: - Time

    private func schedule(after duration: Duration, _ body: @escaping () -> Void) {
        let timer = self.timer ?? Timer(loop: endpoint.loop) { [self] in timerFired() }
        self.timer = timer
        onTimer = body
        timer.schedule(after: duration)
    }

    private func timerFired() {
        let body = onTimer
        onTimer = nil
        body?()
    }

    private func stopTimer() {
        timer?.close()
        timer = nil
        onTimer = nil
    }
}

extension ModelFailure {
    fileprivate static let tooMuch = ModelFailure(
        code: .badStream,
        message: "The model's reply is longer than \(ModelLimits.reply) bytes."
    )
}
