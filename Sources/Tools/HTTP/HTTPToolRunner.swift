// Runs a tool that is a request to a server. Not here: one call (HTTPToolCall), what is sent
// (HTTPTemplate).
internal import Core
internal import HTTP
internal import JSON
internal import UVLoop
internal import Wire

/// Runs the invocations of an HTTP tool.
final class HTTPToolRunner: ToolRunner {
    let description: ToolDescription
    let tool: ManifestTool
    let http: HTTPTool
    let loop: EventLoop
    /// The tools of a worker share one, and with it connections.
    let client: HTTPClient
    /// The request, with the worker's variables put in.
    let template: HTTPTemplate
    /// The host of every request.
    private let host: String?
    private let missing: String?
    /// Values of the worker's variables, which no message may hold.
    private let secrets: [String]
    private var calls: [ObjectIdentifier: HTTPToolCall] = [:]
    private var isShutDown = false

    init(
        loop: EventLoop,
        tool: ManifestTool,
        http: HTTPTool,
        client: HTTPClient,
        environment: [String: String]
    ) {
        self.loop = loop
        self.tool = tool
        self.http = http
        self.client = client
        description = tool.description
        template = http.template.expanded(environment)
        host = HTTPTool.host(of: template.url)
        missing = http.obstacle(environment)
        // Short ones would be found everywhere.
        secrets = http.template.variables.compactMap { environment[$0] }.filter { $0.count >= 6 }
    }

    var checksOutput: Bool { tool.checksOutput }

    /// Tells if a variable is not set, the address is not allowed, or libcurl is missing.
    func obstacle() -> String? {
        if let missing { return missing }
        return HTTPLibrary.version == nil
            ? "libcurl.so.4 cannot be loaded; install it (Debian: libcurl4)" : nil
    }

    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        guard !isShutDown else {
            report(.failed(.shutDown(invocation.tool)))
            return FinishedInvocation()
        }
        do {
            let request = try request(invocation)
            let call = HTTPToolCall(runner: self, invocation, report: report)
            calls[ObjectIdentifier(call)] = call
            report(.started)
            call.begin(request.url, request.rendered)
            return call
        } catch {
            report(error.report(invocation.arguments))
            return FinishedInvocation()
        }
    }

    /// Ends the running calls.
    func shutDown() {
        isShutDown = true
        for call in Array(calls.values) { call.cancel(grace: .zero) }
        client.close()
    }

    func ended(_ call: HTTPToolCall) {
        calls[ObjectIdentifier(call)] = nil
    }

    private func request(
        _ invocation: Invocation
    ) throws(StartProblem) -> (url: HTTPURL, rendered: HTTPTemplate.Rendered) {
        if let obstacle = obstacle() {
            let failure = Failure(
                code: .spawnFailed,
                message: "\(invocation.tool) cannot run here: \(obstacle).",
                isRetryable: true
            )
            throw .refused(failure, isShortage: false)
        }
        let rendered: HTTPTemplate.Rendered
        do {
            rendered = try template.render(invocation.arguments)
        } catch {
            throw .failed(error)
        }
        guard let url = HTTPURL(rendered.url), url.host == host else {
            throw .failed(
                Failure(
                    code: .badArguments,
                    message: "The arguments make no address of the host \(host ?? "")."
                )
            )
        }
        return (url, rendered)
    }

    /// A text of a server for people, without the secrets that it may repeat.
    func shown(_ text: String) -> String {
        secrets.reduce(text) { $0.replacing($1, with: "…") }
    }
}
