// How a coordinator or a worker lets itself be observed: its metrics and its log.
internal import ArgumentParser
internal import Console
internal import Transport
internal import UVLoop

struct ObservingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve /metrics for Prometheus at this address, to all who can reach it and without a "
                + "token; port 0 lets the system choose one (default: not served).",
            valueName: "host:port"
        )
    )
    var metrics: String?

    @Option(help: "Write the log as lines for people (text) or as a JSON object each (json).")
    var logFormat = LogFormat.text

    func validate() throws { _ = try endpoint() }

    /// Serves the metrics, if that is asked for.
    func serve(
        on loop: EventLoop,
        scrape: @escaping (_ isOpenMetrics: Bool) -> [UInt8]
    ) throws -> MetricsListener? {
        guard let endpoint = try endpoint() else { return nil }
        return try MetricsListener(loop, endpoint, scrape: scrape)
    }

    private func endpoint() throws -> Endpoint? {
        guard let metrics else { return nil }
        do throws(EndpointError) {
            let isChosen = metrics.hasSuffix(":0")
            var endpoint = try Endpoint.parse(isChosen ? "\(metrics.dropLast())1" : metrics)
            if isChosen { endpoint.port = 0 }
            if endpoint.host == "localhost" { endpoint.host = "127.0.0.1" }
            return endpoint
        } catch {
            throw ValidationError("--metrics: \(error)")
        }
    }
}
