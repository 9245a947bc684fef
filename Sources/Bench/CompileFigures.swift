// The measured and computed results of `weft bench compile`, and their text. Pure.

internal import JSON
internal import Plans
internal import Wire

struct CompileFigures {
    var shape: CompileShape
    var calls: Int
    var runs: Int
    /// The load of the machine, over the last minute.
    var load: Double
    var best: CompileScript.Times
    /// In milliseconds.
    var measured: CompileScript.Times

    /// The slowest first.
    private static let order: [PlanningStrategy] = [
        .react, .sequential, .planned, .streamed,
    ]

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("shape", shape.rawValue)
        writer.field("calls", calls)
        writer.field("runs", runs)
        writer.field("load", tenths(load))
        writer.field("react_measured_ms", tenths(measured.react))
        writer.field("react_best_ms", tenths(best.react))
        writer.field("react_gap_ms", tenths(measured.react - best.react))
        writer.field("sequential_measured_ms", tenths(measured.sequential))
        writer.field("sequential_best_ms", tenths(best.sequential))
        writer.field("sequential_gap_ms", tenths(measured.sequential - best.sequential))
        writer.field("planned_measured_ms", tenths(measured.planned))
        writer.field("planned_best_ms", tenths(best.planned))
        writer.field("planned_gap_ms", tenths(measured.planned - best.planned))
        writer.field("streamed_measured_ms", tenths(measured.streamed))
        writer.field("streamed_best_ms", tenths(best.streamed))
        writer.field("streamed_gap_ms", tenths(measured.streamed - best.streamed))
        writer.field("speedup_over_react", hundredths(speedup))
        writer.endObject()
    }

    /// How many times as fast the streamed plan is as a model that is asked before each call.
    private var speedup: Double { measured.react / measured.streamed }

    var lines: [(name: String, value: String?)] {
        let rows = Self.order.map { strategy -> (name: String, value: String?) in
            let (time, least) = (measured[strategy], best[strategy])
            return (
                strategy.rawValue,
                "\(tenths(time)) ms; best possible \(tenths(least)) ms, gap \(tenths(time - least)) ms"
            )
        }
        return [
            ("shape", "\(shape.rawValue), \(calls) calls, median of \(runs); load \(tenths(load))")
        ] + rows + [("speed-up", "\(hundredths(speedup)), streamed over react")]
    }

    private func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }
    private func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
