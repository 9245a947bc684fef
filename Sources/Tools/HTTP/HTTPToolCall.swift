// One call of an HTTP tool: its request, redirects within the host, waits that the server asks for,
// and its outcome. Not here: reading the body (HTTPResponse).
internal import Core
internal import Glibc
internal import HTTP
internal import JSON
internal import UVLoop
internal import Wire

/// A running call.
final class HTTPToolCall: RunningInvocation {
    private let runner: HTTPToolRunner
    private let invocation: Invocation
    private var report: ((ToolReport) -> Void)?
    private var transfer: HTTPTransfer?
    private var wait: Timer?
    private let deadline: Int64
    private let limit: Int

    private var request = HTTPRequest(method: "GET", url: "")
    private var url: HTTPURL?
    private var response = HTTPResponse()
    private var redirects = 0
    private var waits = 0

    private static let redirectsLimit = 5
    private static let waitsLimit = 10
    /// The longest wait that a server may ask for, where the call has no time limit.
    private static let longestWait: Duration = .seconds(300)
    /// How long a server may say nothing; calls with a time limit end before.
    private static let silence: Duration = .seconds(3_600)
    private static let connectTimeout: Duration = .seconds(10)

    init(
        runner: HTTPToolRunner,
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) {
        self.runner = runner
        self.invocation = invocation
        self.report = report
        limit = min(runner.tool.maxOutput ?? .max, invocation.maxOutput)
        deadline = runner.loop.deadline(after: invocation.timeout ?? Self.longestWait)
    }

    func begin(_ url: HTTPURL, _ rendered: HTTPTemplate.Rendered) {
        var headers = rendered.headers.map { ($0.name, $0.value) }
        if !headers.contains(where: { $0.0.lowercased() == "user-agent" }) {
            headers.append(("User-Agent", "weftline"))
        }
        if !headers.contains(where: { $0.0.lowercased() == "traceparent" }) {
            headers.append(("traceparent", invocation.traceParent.text))
        }
        request = HTTPRequest(
            method: rendered.method,
            url: url.text,
            headers: headers,
            body: rendered.body,
            connectTimeout: Self.connectTimeout,
            idleTimeout: Self.silence,
            proxy: runner.http.proxy ?? ""
        )
        request.bodyLimit = limit
        request.decodes = true
        if runner.http.proxy == nil {
            request.networks = AllowedHosts.networks(for: url.host, runner.http.allowed)
        }
        self.url = url
        send()
    }

    func cancel(grace: Duration) {
        finish(.failure(.cancelled(invocation.tool)))
    }

    private func send() {
        response = HTTPResponse()
        transfer = runner.client.start(
            request,
            onHead: { [self] in response.head = $0 },
            onBody: { [self] in response.append($0) },
            onEnd: { [self] in transferEnded($0) }
        )
    }

    private func transferEnded(_ result: Result<Void, HTTPError>) {
        transfer = nil
        guard report != nil else { return }
        if case .failure(let error) = result {
            // A refusal is one even if its words do not arrive.
            let isRefusal = response.head.map { !(200..<300).contains($0.status) } ?? false
            if !isRefusal || error.code == .cancelled { return finish(.failure(failure(error))) }
        }
        guard let head = response.head else { return }
        switch head.status {
        case 200..<300: finish(output())
        case 301, 302, 303, 307, 308: redirect(head)
        default: refused(head)
        }
    }

    private func output() -> Result<RawJSON, Failure> {
        let contract = runner.tool.output
        return response.value(contract.format, of: invocation.tool)
            .flatMap { contract.output(of: $0, invocation.tool) }
            .flatMap { output in
                output.count <= invocation.maxOutput
                    ? .success(output)
                    : .failure(.outputTooLarge(invocation.tool, limit: invocation.maxOutput))
            }
            .mapError { failure in
                var failure = failure
                failure.message = runner.shown(failure.message)
                return failure
            }
    }

    // MARK: - Redirects

    /// Follows a redirect within the host; one that leads to the same place without TLS is none.
    private func redirect(_ head: HTTPHead) {
        guard let url, let location = head["location"], !location.isEmpty else {
            return refused(head)
        }
        redirects += 1
        guard redirects <= Self.redirectsLimit else {
            return fail("redirected more than \(Self.redirectsLimit) times")
        }
        guard let next = HTTPURL(location, at: url) else {
            return fail("redirected to an address that is not one of http or https")
        }
        guard url.mayRedirect(to: next) else {
            return fail(
                "redirected to \(next.scheme)://\(next.host):\(next.port), and only redirects within"
                    + " the host and its port are followed; name that address in the tool's url"
            )
        }
        let becomesGet =
            head.status == 303 || (head.status < 303 && request.method == "POST")
        if becomesGet, request.method != "HEAD" {
            request.method = "GET"
            request.body = []
            request.headers.removeAll { $0.0.lowercased() == "content-type" }
        }
        self.url = next
        request.url = next.text
        send()
    }

    private func fail(_ words: String) {
        finish(
            .failure(Failure(code: .toolError, message: "\(place) \(words)."))
        )
    }

    // MARK: - Refusals

    private var place: String { "\(invocation.tool): \(url?.host ?? "")" }

    /// The server answered with a status that is no success.
    private func refused(_ head: HTTPHead) {
        let mayRunTwice = runner.description.mayBeRepeated
        let isRetried = runner.http.isRetried(head.status, mayRunTwice: mayRunTwice)
        var message = "\(place) answered with status \(head.status)"
        if let words = response.excerpt { message += ": \(runner.shown(words))" }
        var failure = Failure(code: .toolError, message: message, isRetryable: isRetried)
        if isRetried, let pause = retryAfter(head) {
            let end = runner.loop.deadline(after: pause)
            if end < deadline, waits < Self.waitsLimit { return send(after: pause) }
            // Another attempt would come before the server wants one.
            failure.isRetryable = false
            failure.message +=
                waits < Self.waitsLimit
                ? "; it wants to be asked again only after \(pause), which is longer than the call may"
                    + " take: raise its timeout"
                : "; it was asked again \(waits) times, each time when it wanted"
        }
        finish(.failure(failure))
    }

    private func send(after pause: Duration) {
        waits += 1
        report?(.progress(nil, "waits \(pause) as \(url?.host ?? "") asks"))
        let timer = wait ?? Timer(loop: runner.loop) { [weak self] in self?.send() }
        wait = timer
        timer.schedule(after: pause)
    }

    /// The pause that a server asks for, in seconds or until a date.
    private func retryAfter(_ head: HTTPHead) -> Duration? {
        guard let text = head["retry-after"] else { return nil }
        if let seconds = Int(text) { return .seconds(min(max(0, seconds), 1 << 30)) }
        guard let date = HTTPDate.seconds(text) else { return nil }
        let now = HTTPDate.seconds(head["date"] ?? "") ?? time(nil)
        return .seconds(min(max(0, date - now), 1 << 30))
    }

    private func failure(_ error: HTTPError) -> Failure {
        let mayRunTwice = runner.description.mayBeRepeated
        let words = runner.shown(error.message)
        var failure = Failure(code: .toolError, message: "\(place) \(words)", isRetryable: true)
        switch error.code {
        case .unresolved, .unreachable, .connectTimeout:
            failure.message = "\(place) cannot be reached: \(words)"
        case .forbidden:
            failure.isRetryable = false
            failure.message =
                "\(place) has the address \(error.message), which is not public. If it is meant, put"
                + " the host into allow_hosts."
        case .tooLarge: return .outputTooLarge(invocation.tool, limit: limit)
        case .cancelled: return .cancelled(invocation.tool)
        case .insecure, .untrusted, .badRequest, .unavailable:
            failure.isRetryable = false
            failure.message = "\(place) was not asked: \(words)"
        case .badResponse:
            failure.code = .badOutput
            failure.isRetryable = false
            failure.message = "\(place) gave no readable response: \(words)"
        case .brokenOff, .idleTimeout, .deadline, .other:
            failure.message = "\(place) gave no complete response: \(words)"
            if !mayRunTwice {
                failure.code = .outcomeUnknown
                failure.isRetryable = false
            }
        }
        return failure
    }

    private func finish(_ outcome: Result<RawJSON, Failure>) {
        guard let last = report else { return }
        report = nil
        wait?.close()
        wait = nil
        transfer?.cancel()
        transfer = nil
        runner.ended(self)
        last(.finished(outcome, isTruncated: false))
    }
}
