// The results of a benchmark, by name for programs and in words for people. Pure.

internal import JSON

/// One figure: a number with its name and its meaning.
struct BenchFigure: Equatable {
    /// The name for programs, which ends with the unit.
    var name: String
    var value: Double
    /// The text before the number.
    var label: String
    /// The text after the number, such as its unit.
    var meaning: String

    /// The number of significant digits after the point.
    private var digits: Double {
        switch name {
        case "wall_s": 10_000
        case _ where name.hasSuffix("_s") && !name.hasSuffix("per_s"): 1_000
        case _ where name.contains("_over_") || name.hasSuffix("_percent"): 100
        default: 10
        }
    }

    init(_ name: String, _ value: Double, _ label: String, _ meaning: String) {
        self.name = name
        self.value = value
        self.label = label
        self.meaning = meaning
        self.value = (value * digits).rounded() / digits
    }
}

/// The figures of one shape.
struct BenchFigures {
    var shape: BenchShape
    var nodes: Int
    var workers: Int
    var slots: Int
    var isEncrypted = false
    /// Whether the coordinator kept a journal.
    var isDurable = false
    var cores: Int
    var figures: [BenchFigure]

    /// A figure's value.
    subscript(name: String) -> Double? { figures.first { $0.name == name }?.value }

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("shape", shape.rawValue)
        writer.field("nodes", nodes)
        writer.field("workers", workers)
        writer.field("slots", slots)
        writer.field("tls", isEncrypted)
        writer.field("durable", isDurable)
        writer.field("cores", cores)
        for figure in figures {
            writer.key(escaping: figure.name)
            writer.double(figure.value)
        }
        writer.endObject()
    }

    /// A line for each figure, for people.
    var lines: [(name: String, value: String?)] {
        let head =
            "\(shape.rawValue), \(nodes) \(shape.unit), \(workers) workers × \(slots) slots"
            + (isEncrypted ? ", encrypted" : "") + (isDurable ? ", durable" : "")
        return [("shape", head), ("machine", cores == 1 ? "1 core" : "\(cores) cores")]
            + figures.map { ($0.label, "\(Self.text($0.value)) \($0.meaning)") }
    }

    /// A number without insignificant digits.
    static func text(_ value: Double) -> String {
        guard value.magnitude < 1_000, value.rounded() != value else {
            return "\(Int(value.rounded()))"
        }
        return "\(value)"
    }

    /// The median of each figure over several rounds of one shape.
    static func medians(of rounds: [BenchFigures]) -> BenchFigures? {
        guard var medians = rounds.first else { return nil }
        for place in medians.figures.indices {
            let name = medians.figures[place].name
            let values = rounds.compactMap { $0[name] }.sorted()
            medians.figures[place].value = values[values.count / 2]
        }
        return medians
    }
}

extension [BenchFigure] {
    /// The figures of every shape that runs nodes.
    static func ofRuns(
        nodes: Int,
        seconds: Double,
        latencies: [Double],
        latencyMeaning: String,
        usage: ProcessUsage.Span
    ) -> [BenchFigure] {
        let sorted = latencies.sorted()
        func percentile(_ percent: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
            return sorted[Swift.min(Swift.max(rank - 1, 0), sorted.count - 1)]
        }
        return [
            BenchFigure("wall_s", seconds, "wall", "s"),
            BenchFigure("nodes_per_s", Double(nodes) / seconds, "throughput", "nodes/s"),
            BenchFigure("p50_us", percentile(50), "latency p50", "µs \(latencyMeaning)"),
            BenchFigure("p99_us", percentile(99), "latency p99", "µs"),
            BenchFigure(
                "coordinator_cpu_us_per_node",
                usage.cpuSeconds * 1e6 / Double(nodes),
                "coordinator",
                "µs of CPU a node"
            ),
            BenchFigure(
                "coordinator_peak_rss_mb",
                Double(usage.peakResidentBytes) / 1_048_576,
                "coordinator",
                "MiB at most"
            ),
        ]
    }
}
