// The text of metrics in both formats, byte for byte.
import Metrics
import Testing

@Suite("Text of metrics")
struct MetricsTextTests {
    private func text(_ format: MetricsFormat, _ body: (inout MetricsText) -> Void) -> String {
        var text = MetricsText(format)
        body(&text)
        return String(decoding: text.finished(), as: UTF8.self)
    }

    @Test("A counter is described by its whole name in one format, without its suffix in the other")
    func counters() {
        func write(_ text: inout MetricsText) {
            text.family("weft_runs", .counter, "Runs that ended")
            text.sample(3, [("outcome", "failed")])
            text.single("weft_tools", .gauge, "Tools", 2)
        }
        #expect(
            text(.prometheus, write) == """
                # HELP weft_runs_total Runs that ended
                # TYPE weft_runs_total counter
                weft_runs_total{outcome="failed"} 3
                # HELP weft_tools Tools
                # TYPE weft_tools gauge
                weft_tools 2

                """
        )
        #expect(
            text(.openMetrics, write) == """
                # HELP weft_runs Runs that ended
                # TYPE weft_runs counter
                weft_runs_total{outcome="failed"} 3
                # HELP weft_tools Tools
                # TYPE weft_tools gauge
                weft_tools 2
                # EOF

                """
        )
    }

    @Test("Values of labels cannot end their line or their quotes")
    func escaping() {
        let written = text(.prometheus) { text in
            text.family("weft_x", .gauge, "X")
            text.sample(1.5, [("tool", "a\"b\\c\nd}{,é"), ("b", "")])
        }
        #expect(written.hasSuffix("\nweft_x{tool=\"a\\\"b\\\\c\\nd}{,é\",b=\"\"} 1.5\n"))
    }

    @Test("A histogram has cumulative buckets, a sum in seconds and a count")
    func histograms() throws {
        var histogram = Histogram()
        histogram.observe(microseconds: 100)
        histogram.observe(microseconds: 1_500_000)
        let lines = text(.prometheus) { text in
            text.family("weft_x_seconds", .histogram, "X")
            text.sample(histogram, [("tool", "t")])
        }
        .split(separator: "\n")
        #expect(lines.count == 2 + Histogram.boundaries.count + 3)
        #expect(lines[2] == #"weft_x_seconds_bucket{tool="t",le="0.000016"} 0"#)
        #expect(lines.contains(#"weft_x_seconds_bucket{tool="t",le="1.048576"} 1"#))
        #expect(lines.contains(#"weft_x_seconds_bucket{tool="t",le="2.097152"} 2"#))
        #expect(
            lines.suffix(3) == [
                #"weft_x_seconds_bucket{tool="t",le="+Inf"} 2"#,
                #"weft_x_seconds_sum{tool="t"} 1.5001"#,
                #"weft_x_seconds_count{tool="t"} 2"#,
            ]
        )
    }

    @Test(
        "OpenMetrics is for readers that name it and prefer it",
        arguments: [
            ("", false), ("*/*", false), ("text/plain", false),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", true),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4", true),
            ("application/openmetrics-text;version=1.0.0;q=0.4,text/plain;q=0.5", false),
            ("APPLICATION/OpenMetrics-Text;Q=0.9, */*;q=1", true),
            ("application/openmetrics-text;q=no", false), (",;,=;q", false),
        ]
    )
    func negotiation(accept: String, isOpen: Bool) {
        #expect(MetricsFormat(accept: accept) == (isOpen ? .openMetrics : .prometheus))
    }

    @Test("Numbers that are no numbers have the names that readers expect")
    func numbers() {
        let written = text(.prometheus) { text in
            text.family("weft_x", .gauge, "X")
            for value in [Double.nan, .infinity, -.infinity, 0, 1e-9, 1e21] { text.sample(value) }
            text.sample(microseconds: -1_500_000)
            text.sample(microseconds: 20)
        }
        let values = written.split(separator: "\n").dropFirst(2).map { $0.dropFirst(7) }
        #expect(values == ["NaN", "+Inf", "-Inf", "0.0", "1e-09", "1e+21", "-1.5", "0.00002"])
    }
}

@Suite("Numbers of tools")
struct ToolTableTests {
    private func count(_ tool: String, in table: inout ToolTable, known: (String) -> Bool) {
        let row = table.row(of: tool) ?? table.addRow(of: tool, isKnown: known)
        table.change(row) { $0.succeeded += 1 }
    }

    @Test("Tools have rows of their own up to a bound, the rest is counted together")
    func bound() {
        var table = ToolTable(bound: 2)
        for tool in ["b", "a", "a", "c", "d", "c"] { count(tool, in: &table) { _ in true } }
        #expect(table.sorted.map(\.name) == ["a", "b", "other"])
        #expect(table.sorted.map(\.numbers.succeeded) == [2, 1, 3])
    }

    @Test("Tools that are not known have no row; one that is named as the rest is counted there")
    func unknown() {
        var table = ToolTable(bound: 2)
        for tool in ["x", "other", "a", "x"] { count(tool, in: &table) { $0 != "x" } }
        #expect(table.sorted.map(\.name) == ["a", "other"])
        #expect(table.sorted.map(\.numbers.succeeded) == [1, 3])
        #expect(table["x"] == nil)
    }

    @Test("Tools that are gone leave their rows when there is no room, and nothing is lost")
    func gone() {
        var table = ToolTable(bound: 2)
        for tool in ["a", "b", "b"] { count(tool, in: &table) { _ in true } }
        for _ in 0..<3 { count("c", in: &table) { $0 != "b" } }
        #expect(table.sorted.map(\.name) == ["a", "c", "other"])
        #expect(table.sorted.map(\.numbers.succeeded) == [1, 3, 2])
    }
}
