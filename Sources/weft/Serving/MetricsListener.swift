// Serves the metrics of this process at an address of their own, and nothing else.
internal import ArgumentParser
internal import Console
internal import HTTPServer
internal import Metrics
internal import Transport
internal import UVLoop

/// Answers `GET /metrics` to all who ask: metrics name tools, workers and models, and nothing that
/// is in runs.
///
/// Confined to its loop.
final class MetricsListener {
    private let listener: HTTPListener

    /// Listens, and says where.
    init(
        _ loop: EventLoop,
        _ endpoint: Endpoint,
        scrape: @escaping (_ isOpenMetrics: Bool) -> [UInt8]
    ) throws(CommandFailure) {
        var limits = HTTPListener.Limits()
        limits.bodyBytes = 1 << 10
        limits.allBodyBytes = 64 << 10
        limits.connections = 32
        do throws(HTTPListenerError) {
            listener = try HTTPListener(
                loop: loop,
                host: endpoint.host,
                port: endpoint.port,
                limits: limits
            ) { Self.answer($0, scrape) }
        } catch {
            throw CommandFailure(.usage, "--metrics: \(error)")
        }
        let address = Endpoint(host: endpoint.host, port: listener.port)
        Shell.tell("metrics at http://\(address)/metrics")
    }

    func close() { listener.close() }

    private static func answer(
        _ exchange: HTTPExchange,
        _ scrape: (_ isOpenMetrics: Bool) -> [UInt8]
    ) {
        guard exchange.path == "/metrics" else {
            return refuse(exchange, 404, "Only /metrics is here.")
        }
        guard ["GET", "HEAD"].contains(exchange.method) else {
            return refuse(exchange, 405, "Metrics are only read.", [("Allow", "GET, HEAD")])
        }
        let format = MetricsFormat(accept: exchange.values(of: "Accept").joined(separator: ","))
        exchange.answer(
            200,
            headers: [("Content-Type", format.contentType), ("Cache-Control", "no-store")],
            body: scrape(format == .openMetrics)
        )
    }

    private static func refuse(
        _ exchange: HTTPExchange,
        _ status: Int,
        _ sentence: String,
        _ headers: [(String, String)] = []
    ) {
        let headers = headers + [("Content-Type", "text/plain; charset=utf-8")]
        exchange.answer(status, headers: headers, body: Array("\(sentence)\n".utf8))
    }
}
