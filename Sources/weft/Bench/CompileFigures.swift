// What `weft bench compile` measured and computed, and how it is shown. Pure.

internal import JSON

struct CompileFigures {
    var shape: CompileShape
    var calls: Int
    var runs: Int
    /// Of the machine, over the last minute.
    var load: Double
    var best: CompileScript.Times
    /// Measured, in milliseconds.
    var planned: Double
    var streamed: Double

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("shape", shape.rawValue)
        writer.field("calls", calls)
        writer.field("runs", runs)
        writer.field("load", tenths(load))
        writer.field("react_computed_ms", tenths(best.react))
        writer.field("sequential_computed_ms", tenths(best.sequential))
        writer.field("planned_measured_ms", tenths(planned))
        writer.field("planned_best_ms", tenths(best.planned))
        writer.field("planned_gap_ms", tenths(planned - best.planned))
        writer.field("streamed_measured_ms", tenths(streamed))
        writer.field("streamed_best_ms", tenths(best.streamed))
        writer.field("streamed_gap_ms", tenths(streamed - best.streamed))
        writer.endObject()
    }

    var lines: [(name: String, value: String?)] {
        [
            ("shape", "\(shape.rawValue), \(calls) calls, median of \(runs); load \(tenths(load))"),
            ("react", "\(tenths(best.react)) ms, computed"),
            ("sequential", "\(tenths(best.sequential)) ms, computed"),
            ("planned", measured(planned, best: best.planned)),
            ("streamed", measured(streamed, best: best.streamed)),
        ]
    }

    private func measured(_ time: Double, best: Double) -> String {
        "\(tenths(time)) ms, measured; best possible \(tenths(best)) ms, "
            + "gap \(tenths(time - best)) ms"
    }

    private func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
