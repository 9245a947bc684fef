// The names of runs and attempts in traces.
import Core
import Testing
import Wire

@Suite struct TraceContextTests {
    @Test func `attempts of one run share a trace and have spans of their own`() throws {
        let run = try #require(RunID("r7"))
        let first = AttemptID(run: run, node: 0, number: 1)
        let second = AttemptID(run: run, node: 0, number: 2)
        let parents = [first, second].map { TraceContext.parent(run: run, attempt: $0) }
        #expect(parents[0].prefix(36) == parents[1].prefix(36))
        #expect(parents[0] != parents[1])
        #expect(parents.allSatisfy { $0.utf8.count == 55 && $0.hasPrefix("00-") })
        #expect(TraceContext.traceID(of: run) != TraceContext.traceID(of: RunID("r8")!))
    }
}
