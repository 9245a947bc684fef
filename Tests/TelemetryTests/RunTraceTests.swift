// A run as spans, some at a time.
import Core
import JSON
import Plans
import Runs
import Telemetry
import Testing
import Wire

@Suite("Traces of runs")
struct RunTraceTests {
    /// A run of nodes that all succeeded.
    private func run(nodes count: Int, label: String? = nil) throws -> Run {
        var run = Run(
            Acceptance(id: try #require(RunID("r7")), key: "k", label: label),
            at: Instant(nanoseconds: 0)
        )
        let names = (0..<count).compactMap { NodeID("n\($0)") }
        let nodes = names.indices.map { index in
            NodeDefinition(
                id: names[index],
                tool: "t",
                arguments: .emptyObject,
                dependencies: index > 0 ? [names[index - 1]] : []
            )
        }
        try run.applyChecked(RunRecord(at: 0, .nodesAdded(nodes)))
        try run.applyChecked(RunRecord(at: 0, .planClosed(isFinal: true)))
        for node in 0..<Int32(count) {
            run.apply(RunRecord(at: 1, .nodeReady(node)))
            let dispatched = RunChange.dispatched(
                node: node,
                attempt: 1,
                worker: "w",
                isRepeatable: false
            )
            run.apply(RunRecord(at: 2, dispatched))
            let succeeded = RunChange.succeeded(node: node, .emptyObject, microseconds: 1)
            run.apply(RunRecord(at: 3, succeeded))
        }
        run.apply(RunRecord(at: 4, .ended(.succeeded)))
        return run
    }

    @Test("Spans come in parts of any size, each once", arguments: [1, 3, 100])
    func parts(size: Int) throws {
        var trace = RunTrace(try run(nodes: 7))
        var spans: [Span] = []
        var rounds = 0
        while !trace.isDone {
            let before = spans.count
            trace.makeSpans(size, into: &spans)
            #expect(spans.count - before <= size)
            rounds += 1
            try #require(rounds < 20)
        }
        #expect(trace.rest == 0)
        #expect(spans.count == 8)
        #expect(Set(spans.map(\.id)).count == 8)
        #expect(spans.dropFirst().allSatisfy { $0.parent == spans[0].id })
        #expect(spans[3].links == [spans[2].id])
    }

    @Test("Of a very large run the first nodes have spans, and the run says how many have none")
    func large() throws {
        var trace = RunTrace(try run(nodes: RunTrace.mostNodes + 5))
        var spans: [Span] = []
        trace.makeSpans(.max >> 1, into: &spans)
        #expect(trace.isDone)
        #expect(spans.count == RunTrace.mostNodes + 1)
        let omitted = spans[0].attributes.first { $0.name == "weft.run.nodes_without_spans" }
        #expect(omitted?.value == .number(5))
    }

    @Test("Any text becomes valid JSON")
    func hostile() throws {
        let label = "a\"b\\c\nd\u{0}\u{202e}\u{1F600}"
        var trace = RunTrace(try run(nodes: 1, label: label))
        var spans: [Span] = []
        trace.makeSpans(10, into: &spans)
        let batch = SpanBatch(resource: [], version: "1", spans: spans)
        let value = try JSONValue(parsing: batch.json)
        let written = value["resourceSpans"]?[0]?["scopeSpans"]?[0]?["spans"]
        #expect(written?[0]?["name"]?.stringValue == "invoke_workflow \(label)")
        #expect(written?[1]?["attributes"]?[3]?["value"]?["stringValue"] == "n0")
        #expect(!batch.protobuf.isEmpty)
    }
}
