// Metrics as Prometheus reads them: text format 0.0.4, or OpenMetrics 1.0. Which metrics there are is
// not known here.

/// Writes metrics, one family after the other.
///
/// `family` begins one; its samples follow until the next one begins. A name comes without the
/// `_total` of counters, which is added.
public struct MetricsText: Sendable {
    /// What the values of a family are.
    public enum Kind: String, Sendable {
        /// A number that only grows.
        case counter
        /// A number that goes up and down.
        case gauge
        /// Counts of durations by size.
        case histogram
    }

    /// A label and its value.
    public typealias Label = (name: StaticString, value: String)

    private let format: MetricsFormat
    private var bytes: [UInt8] = []
    /// The name of the samples of the family that is being written.
    private var name: [UInt8] = []

    /// An empty text in a format.
    public init(_ format: MetricsFormat) {
        self.format = format
        bytes.reserveCapacity(16 << 10)
    }

    /// Begins a family.
    ///
    /// - Parameters:
    ///   - family: Its name: letters, digits and underscores, the unit last.
    ///   - kind: What its values are.
    ///   - help: One sentence for people, without a full stop.
    public mutating func family(_ family: StaticString, _ kind: Kind, _ help: StaticString) {
        name = Array("\(family)".utf8)
        var described = name
        if kind == .counter {
            name += Array("_total".utf8)
            // OpenMetrics describes a counter without the suffix of its samples.
            if format == .prometheus { described = name }
        }
        append("# HELP ")
        bytes += described
        append(" \(help)\n# TYPE ")
        bytes += described
        append(" \(kind.rawValue)\n")
    }

    /// A family with one value and without labels.
    public mutating func single(
        _ family: StaticString,
        _ kind: Kind,
        _ help: StaticString,
        _ value: Int
    ) {
        self.family(family, kind, help)
        sample(value)
    }

    /// A value of the family.
    public mutating func sample(_ value: Int, _ labels: [Label] = []) {
        sample("\(value)", labels)
    }

    /// A value of the family.
    public mutating func sample(_ value: Double, _ labels: [Label] = []) {
        sample(Self.written(value), labels)
    }

    /// A number of microseconds, written in seconds.
    public mutating func sample(microseconds: Int, _ labels: [Label] = []) {
        sample(Self.seconds(microseconds), labels)
    }

    /// A histogram of the family.
    public mutating func sample(_ histogram: Histogram, _ labels: [Label] = []) {
        for exponent in Histogram.boundaries {
            let label = ("le" as StaticString, Self.seconds(1 << exponent))
            line("_bucket", labels + [label], "\(histogram.count(upTo: exponent))")
        }
        line("_bucket", labels + [("le", "+Inf")], "\(histogram.count)")
        line("_sum", labels, Self.seconds(histogram.sum))
        line("_count", labels, "\(histogram.count)")
    }

    /// The whole text.
    public consuming func finished() -> [UInt8] {
        if format == .openMetrics { append("# EOF\n") }
        return bytes
    }

    private mutating func sample(_ value: String, _ labels: [Label]) {
        line("", labels, value)
    }

    private mutating func line(_ suffix: StaticString, _ labels: [Label], _ value: String) {
        bytes += name
        append("\(suffix)")
        for (index, label) in labels.enumerated() {
            append(index == 0 ? "{" : ",")
            append("\(label.name)=\"")
            append(escaping: label.value)
            append("\"")
        }
        append(labels.isEmpty ? " " : "} ")
        append(value)
        append("\n")
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// What would end the value or its line is escaped.
    private mutating func append(escaping value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\n"): append("\\n")
            default: bytes.append(byte)
            }
        }
    }

    private static func written(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }

    /// Microseconds as seconds, without digits that say nothing.
    private static func seconds(_ microseconds: Int) -> String {
        let (whole, rest) = microseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        let sign = microseconds < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(whole).0" }
        var digits = String(1_000_000 + rest).dropFirst()
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(sign)\(whole).\(digits)"
    }
}
