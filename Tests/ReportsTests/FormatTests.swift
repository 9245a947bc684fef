// The formats of other programs: what is in them, and that no text of a tool breaks them.

import Core
import JSON
import Testing
import Wire

@testable import Reports

@Suite("Formats")
struct FormatTests {
    private let hostile = "a\"b\\\n\t<script>]\u{1B}[31m\u{2028};|"

    private func run() throws -> RunFacts {
        try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 0, queued: 10, turnaround: 110_000, work: 100_000),
                SampleRuns.node(
                    "b",
                    tool: hostile,
                    .failed,
                    after: ["a"],
                    on: hostile,
                    ready: 110_010,
                    turnaround: 50_000,
                    work: 50_000,
                    error: Failure(
                        code: .toolError,
                        message: hostile,
                        isRetryable: false,
                        exitCode: 3
                    )
                ),
                SampleRuns.idle("c", after: ["b", "gone"]),
            ],
            wall: 200_000
        )
    }

    @Test("Lanes: attempts of one lane follow each other, and a free lane is used again")
    func lanes() throws {
        let run = try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 0, turnaround: 100, work: 100),
                SampleRuns.node("b", ready: 0, turnaround: 50, work: 40),
                SampleRuns.node("c", ready: 0, turnaround: 90, work: 40),
                SampleRuns.node("d", on: "v", ready: 0, turnaround: 90, work: 40),
            ],
            wall: 100
        )
        let lanes = Lanes(of: run)
        #expect(lanes.workers == ["w", "v"])
        #expect(lanes.lanes == [2, 1])
        let places = Dictionary(uniqueKeysWithValues: lanes.bars.map { ($0.node, $0.lane) })
        #expect(places == [0: 0, 1: 1, 2: 1, 3: 0])
        #expect(lanes.bars.first { $0.node == 2 }?.freeSince == 50)
    }

    @Test("A timeline names workers and slots, and has a slice for each attempt")
    func timeline() throws {
        let text = Timeline.text(of: try run())
        let trace = try RawJSON(validating: String(decoding: text, as: UTF8.self))
        var names: [String] = []
        var slices: [[Int?]] = []
        trace.value(at: [.key("traceEvents")])?.forEachElement { event in
            guard event.value(at: [.key("ph")])?.stringValue == "X" else {
                names.append(event.value(at: [.key("args"), .key("name")])?.stringValue ?? "")
                return
            }
            let fields = ["ts", "dur", "pid", "tid"]
            slices.append(fields.map { event.value(at: [.key($0)])?.intValue })
        }
        #expect(names == ["w", "slot 1", hostile, "slot 1"])
        #expect(slices == [[10_010, 100_000, 1, 1], [110_010, 50_000, 2, 1]])
    }

    @Test("A log has a line of nine fields for each node")
    func joblog() throws {
        let lines = Joblog.text(of: try run()).split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        #expect(lines[0] == Joblog.columns)
        #expect(
            lines[1]
                == ["1", "w", "1700000000.260", "0.100", "0", "4", "0", "0", "t a"]
        )
        #expect(lines[2].prefix(3) == ["2", "a\"b\\  <script>] [31m ;|", "1700000000.360"])
        #expect(lines[2].dropFirst(6).prefix(2) == ["3", "0"])
        #expect(lines[3] == ["3", "-", "0.000", "0.000", "0", "0", "-1", "0", "t c"])
        #expect(lines.count == 4)
    }

    @Test("Graphs have the edges between nodes of the run, and every text escaped")
    func graphs() throws {
        let dot = GraphDrawing.dot(try run())
        #expect(dot.contains("    \"a\" -> \"b\"\n    \"b\" -> \"c\"\n}"))
        #expect(dot.contains(#"[label="b\na\"b\\  <script>] [31m"#), "\(dot)")
        #expect(dot.contains("fillcolor=\"#f4a582\"]"))
        #expect(!dot.contains("gone"))
        let mermaid = GraphDrawing.mermaid(try run())
        #expect(mermaid.contains("    n0 --> n1\n    n1 --> n2\n"))
        #expect(mermaid.contains("n1[\"b<br/>a#34;b#92;  #60;script#62;"), "\(mermaid)")
        #expect(mermaid.contains("\"]:::failed\n"))
        #expect(mermaid.contains("classDef skipped "))
    }

    @Test("A picture has a box for each node, the critical path thick, and every text escaped")
    func picture() throws {
        let svg = SVGDrawing.graph(try run())
        #expect(svg.ranges(of: "<rect class=\"thick\"").count == 2)
        #expect(svg.ranges(of: "class=\"edge\"").count == 1, "to the skipped node")
        #expect(svg.ranges(of: "class=\"edge thick\"").count == 1)
        #expect(svg.contains("a&quot;b\\  &lt;script&gt;]\u{FFFD}[31m"))
        #expect(!svg.contains("<script") && !svg.contains("\u{1B}") && !svg.contains("\u{2028}"))
        #expect(svg.hasSuffix("</svg>\n"))
    }

    @Test("Many nodes are summed up by level, tool and state")
    func summary() throws {
        let first = (0..<300).map {
            SampleRuns.node("a\($0)", tool: "x", ready: 0, turnaround: 9, work: 9)
        }
        let second = (0..<300).map { SampleRuns.idle("b\($0)", tool: "y", after: ["a\($0)"]) }
        let facts = try SampleRuns.run(first + second, wall: 10)
        let layout = GraphLayout(of: facts, mostNodes: SVGDrawing.mostNodes)
        #expect(layout.boxes.map(\.name) == ["300 nodes", "300 nodes"])
        #expect(layout.boxes.map(\.dependencies) == [[], [0]] && layout.columns == [[0], [1]])
        #expect(SVGDrawing.graph(facts).utf8.count < 4_000)
    }

    @Test("A run without nodes is a picture, too")
    func nothing() throws {
        #expect(SVGDrawing.graph(try SampleRuns.run([], wall: 1)).hasSuffix("</svg>\n"))
    }
}
