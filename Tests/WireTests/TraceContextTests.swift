// The names of runs and attempts in traces.
import Core
import Testing
import Wire

private let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

@Suite struct TraceContextTests {
    private let run: RunID
    private let first: AttemptID
    private let second: AttemptID

    init() throws {
        run = try #require(RunID("r7"))
        first = AttemptID(run: run, node: 0, number: 1)
        second = AttemptID(run: run, node: 0, number: 2)
    }

    @Test func `attempts of one run share a trace and have spans of their own`() throws {
        let parents = [first, second].map { TraceContext.parent(run: run, attempt: $0).text }
        #expect(parents[0].prefix(36) == parents[1].prefix(36))
        #expect(parents[0] != parents[1])
        #expect(parents.allSatisfy { $0.utf8.count == 55 && $0.hasPrefix("00-") })
        #expect(parents[0].hasSuffix("-\(TraceContext.spanID(of: first))-01"))
        #expect(parents[0].hasPrefix("00-\(TraceContext.traceID(of: run))-"))
        let other = try #require(RunID("r8"))
        #expect(TraceContext.traceID(of: run) != TraceContext.traceID(of: other))
    }

    @Test func `a run with a parent is part of its trace and keeps its flags`() throws {
        let parent = try #require(TraceParent(given))
        #expect(parent.text == given && !parent.isSampled)
        #expect(TraceContext.traceID(of: run, parent) == parent.traceID)
        let span = TraceContext.spanID(of: first)
        #expect(
            TraceContext.parent(run: run, attempt: first, of: parent).text
                == "00-\(parent.traceID)-\(span)-00"
        )
    }

    @Test(arguments: [
        "", "00", given.uppercased(), given + "0", given + "-0", "ff" + given.dropFirst(2),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ])
    func `other texts are no parent`(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test func `a later version may have more at its end`() {
        let text = "cc" + given.dropFirst(2)
        #expect(TraceParent(text)?.text == given && TraceParent(text + "-more")?.text == given)
        #expect(TraceParent(text + "more") == nil)
    }
}
