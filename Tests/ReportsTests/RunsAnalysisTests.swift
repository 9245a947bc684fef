// The sum of the analyses of many runs.

import Core
import JSON
import Testing
import Wire

@testable import Reports

@Suite("Analysis of many runs")
struct RunsAnalysisTests {
    @Test("Parts and tools are added up; the slowest run and the dearest tool come first")
    func sum() throws {
        var analysis = RunsAnalysis()
        var short = try SampleRuns.run(
            [
                SampleRuns.node("a", tool: "x", ready: 0, turnaround: 100, work: 100),
                SampleRuns.node(
                    "b",
                    tool: "y",
                    .failed,
                    after: ["a"],
                    ready: 100,
                    queued: 20,
                    turnaround: 30,
                    work: 30
                ),
                SampleRuns.idle("c", tool: "z", after: ["b"]),
            ],
            wall: 150
        )
        short.run.run = try #require(RunID("short"))
        short.run.status = .failed
        var long = try SampleRuns.run(
            [SampleRuns.node("a", tool: "y", ready: 0, queued: 400, turnaround: 600, work: 500)],
            wall: 1000
        )
        long.run.run = try #require(RunID("long"))
        analysis.add(short)
        analysis.add(long)
        #expect(analysis.parts == Analysis.Parts(slots: 420, tools: 630, overhead: 100))
        #expect(analysis.parts.sum == 1150)
        #expect(analysis.runs.map(\.run.text) == ["long", "short"])
        #expect(analysis.count(.failed) == 1 && analysis.count(.succeeded) == 1)
        #expect(analysis.nodes == 4)
        #expect(
            analysis.tools == [
                RunsAnalysis.Tool(
                    name: "y",
                    nodes: 2,
                    attempts: 2,
                    failed: 1,
                    work: 530,
                    critical: 530,
                    slots: 420
                ),
                RunsAnalysis.Tool(name: "x", nodes: 1, attempts: 1, work: 100, critical: 100),
            ]
        )
    }

    @Test("No runs are no fault")
    func none() throws {
        let document = RunsAnalysis().document
        #expect(document.value(at: [.key("runs")])?.intValue == 0)
        #expect(document.value(at: [.key("slowest")])?.text == "[]")
    }
}
