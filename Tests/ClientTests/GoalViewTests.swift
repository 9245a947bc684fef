// What a terminal shows of a goal: which nodes are there, how they stand, and what fits.
import JSON
import Plans
import Testing
import Wire

@testable import weft

@Suite("The view of a goal")
struct GoalViewTests {
    private var view = GoalView(style: Style(isColored: false))

    private func event(
        _ kind: EventKind,
        _ node: String? = nil,
        _ data: String? = nil,
        at microseconds: Int = 0
    ) throws -> EventMessage {
        EventMessage(
            run: try #require(RunID("r1")),
            sequence: 0,
            kind: kind,
            node: node.flatMap { NodeID($0) },
            data: try data.map { try RawJSON(validating: $0) },
            atMicroseconds: microseconds
        )
    }

    private func planned(_ ids: String...) throws -> EventMessage {
        let tasks = ids.map { #"{"id":"\#($0)","tool_name":"search"}"# }.joined(separator: ",")
        return try event(.planned, nil, #"{"nodes":\#(ids.count),"tasks":[\#(tasks)]}"#)
    }

    @Test("Nodes appear when they are planned, change, and go above when they end")
    mutating func life() throws {
        #expect(view.lines(width: 80, elapsedMilliseconds: 0) == ["  the model writes"])
        #expect(view.take(try planned("t1")) == [])
        #expect(view.take(try planned("t2")) == [])
        _ = view.take(try event(.nodeReady, "t1"))
        _ = view.take(try event(.dispatched, "t1"))
        _ = view.take(try event(.started, "t1", at: 1_000_000))
        #expect(
            view.lines(width: 80, elapsedMilliseconds: 1_250)
                == [
                    "  t1      search            running    250 ms",
                    "  t2      search            waiting",
                ]
        )
        #expect(view.progress.total == 2 && view.progress.running == 1)
        let ended = view.take(try event(.nodeSucceeded, "t1", #"{"run_ms":251}"#))
        #expect(ended == ["  t1      search            succeeded  251 ms"])
        #expect(view.progress.succeeded == 1 && view.progress.running == 0)
        #expect(view.lines(width: 80, elapsedMilliseconds: 1_300).count == 1)
        let skipped = view.take(try event(.nodeSkipped, "t2", #"{"because":"t1"}"#))
        #expect(skipped == ["  t2      search            skipped    because of t1"])
        #expect(view.lines(width: 80, elapsedMilliseconds: 1_300) == ["  the model writes"])
        // The same end again, and a node that nobody planned, say nothing.
        #expect(view.take(try event(.nodeCancelled, "t2")) == [])
        #expect(view.take(try event(.started, "t9")) == [])
        #expect(view.progress.settled == 2 && view.progress.running == 0)
    }

    @Test("No line is wider than the terminal, and there are few", arguments: [20, 40, 80, 200])
    mutating func narrow(width: Int) throws {
        let long = String(repeating: "x", count: 64)
        _ = view.take(try planned(long, "b", "c", "d", "e", "f", "g", "h", "i", "j"))
        _ = view.take(try event(.started, long))
        let lines = view.lines(width: width, elapsedMilliseconds: 1e9)
        #expect(lines.count == 9)
        #expect(lines.last == "  and 2 more")
        for line in lines { #expect(line.count < min(width, 80)) }
        let message = #"{"code":"tool_error","message":"\#(String(repeating: "bad ", count: 40))"}"#
        let ended = try #require(view.take(try event(.nodeFailed, long, message)).first)
        #expect(ended.count < 80 && ended.contains("tool_error") && ended.hasSuffix("…"))
    }
}
