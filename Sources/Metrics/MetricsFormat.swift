// Which of the two formats a reader gets.

/// How metrics are written.
public enum MetricsFormat: Sendable, Equatable {
    /// The text format of Prometheus, version 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    /// The `Content-Type` of a response in the format.
    public var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that the header line `Accept` of a request asks for: OpenMetrics if it is named
    /// and preferred to plain text, else that of Prometheus.
    public init(accept: String) {
        var openMetrics = 0.0
        var plain = 0.0
        for entry in accept.split(separator: ",") {
            let parts = entry.split(separator: ";").map { part in
                String(part.filter { $0 != " " && $0 != "\t" }).lowercased()
            }
            guard let type = parts.first else { continue }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }
            let weight = quality.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            let version = parts.dropFirst().first { $0.hasPrefix("version=") }
            switch type {
            case "application/openmetrics-text"
            where [nil, "version=1.0.0", "version=1"].contains(version):
                openMetrics = max(openMetrics, weight)
            case "text/plain": plain = max(plain, weight)
            default: break
            }
        }
        self = openMetrics > plain ? .openMetrics : .prometheus
    }
}
