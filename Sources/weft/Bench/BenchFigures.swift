// What a benchmark measured, and how it is shown. Medians and percentiles over one run.

internal import JSON

struct BenchFigures {
    var shape: BenchShape
    var nodes: Int
    var workers: Int
    var slots: Int
    var cores: Int
    /// From submit to the last event, as the client saw it.
    var wallSeconds: Double
    /// Latencies in microseconds: of a hop (chain), of a run (single), else from ready to result.
    var latencies: [Double]
    var coordinatorCPUSeconds: Double
    var coordinatorPeakBytes: Int
    var payloadBytes = 0
    /// Medians of what the machine gives without Weftline.
    var floorMicroseconds: Double?
    var floorPerSecond: Double?

    var nodesPerSecond: Double { Double(nodes) / wallSeconds }

    /// The latency that so many percent of the samples do not exceed.
    func percentile(_ percent: Double) -> Double {
        guard !latencies.isEmpty else { return 0 }
        let sorted = latencies.sorted()
        let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank - 1, 0), sorted.count - 1)]
    }

    /// What the latencies are of.
    var latencyMeaning: String {
        switch shape {
        case .chain: "from one node's readiness to the next one's"
        case .single: "from submit to answer"
        case .fanout, .layers, .payload, .spawn: "of a node, from ready to result"
        }
    }

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("shape", shape.rawValue)
        writer.field("nodes", nodes)
        writer.field("workers", workers)
        writer.field("slots", slots)
        writer.field("cores", cores)
        writer.field("nodes_per_s", rounded(nodesPerSecond))
        writer.field("p50_us", rounded(percentile(50)))
        writer.field("p99_us", rounded(percentile(99)))
        writer.field(
            "coordinator_cpu_us_per_node",
            rounded(coordinatorCPUSeconds * 1e6 / Double(nodes))
        )
        writer.field(
            "coordinator_peak_rss_mb",
            rounded(Double(coordinatorPeakBytes) / 1_048_576)
        )
        writer.field("wall_s", (wallSeconds * 10_000).rounded() / 10_000)
        if payloadBytes > 0 {
            writer.field("payload_mb_per_s", rounded(Double(payloadBytes) / wallSeconds / 1e6))
        }
        if let floorMicroseconds {
            writer.field("floor_p50_us", rounded(floorMicroseconds))
            writer.field("p50_over_floor", hundredths(percentile(50) / floorMicroseconds))
        }
        if let floorPerSecond {
            writer.field("floor_per_s", rounded(floorPerSecond))
            writer.field("floor_over_rate", hundredths(floorPerSecond / nodesPerSecond))
        }
        writer.endObject()
    }

    /// A line for each figure, for people.
    var lines: [(label: String, value: String)] {
        var lines: [(String, String)] = [
            ("shape", "\(shape.rawValue), \(nodes) nodes, \(workers) workers × \(slots) slots"),
            ("machine", cores == 1 ? "1 core" : "\(cores) cores"),
            ("wall", "\(hundredths(wallSeconds * 1_000)) ms"),
            ("throughput", "\(Int(nodesPerSecond)) nodes/s"),
            (
                "latency",
                "p50 \(rounded(percentile(50))) µs, p99 \(rounded(percentile(99))) µs "
                    + latencyMeaning
            ),
            (
                "coordinator",
                "\(rounded(coordinatorCPUSeconds * 1e6 / Double(nodes))) µs of CPU a node, "
                    + "\(rounded(Double(coordinatorPeakBytes) / 1_048_576)) MiB at most"
            ),
        ]
        if payloadBytes > 0 {
            let rate = Double(payloadBytes) / wallSeconds / 1e6
            lines.append(("payload", "\(rounded(rate)) MB/s into the last node"))
        }
        if let floorMicroseconds {
            let ratio = hundredths(percentile(50) / floorMicroseconds)
            lines.append(
                (
                    "floor",
                    "p50 \(rounded(floorMicroseconds)) µs for a bare line there and back; "
                        + "\(ratio) times that"
                )
            )
        }
        if let floorPerSecond {
            let ratio = hundredths(floorPerSecond / nodesPerSecond)
            lines.append(
                ("floor", "\(Int(floorPerSecond)) bare processes a second; \(ratio) times as many")
            )
        }
        return lines
    }

    private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
    private func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
