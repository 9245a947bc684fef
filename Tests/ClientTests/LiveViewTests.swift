// The terminal during a run: which nodes are shown, their states, and what fits.
import Core
import JSON
import Plans
import Testing
import Weftline
import Wire

@testable import Console
@testable import weft

@Suite("The view of a run")
struct LiveViewTests {
    private var view = LiveView(style: Style(isColored: false))

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

    @Test("Nodes appear when planned, change, and move above when they end")
    mutating func life() throws {
        #expect(view.lines(width: 80, room: 21, elapsedMilliseconds: 0) == ["  the model writes"])
        #expect(view.handleEvent(try planned("t1"), elapsedMilliseconds: 0) == [])
        #expect(view.handleEvent(try planned("t2"), elapsedMilliseconds: 0) == [])
        _ = view.handleEvent(try event(.nodeReady, "t1"), elapsedMilliseconds: 0)
        _ = view.handleEvent(try event(.dispatched, "t1"), elapsedMilliseconds: 0)
        _ = view.handleEvent(try event(.started, "t1", at: 1_000_000), elapsedMilliseconds: 1_000)
        #expect(
            view.lines(width: 80, room: 21, elapsedMilliseconds: 1_250)
                == [
                    "  t1      search            running    250 ms",
                    "  t2      search            waiting",
                ]
        )
        #expect(view.progress.counts.total == 2 && view.progress.counts.running == 1)
        let ended = view.handleEvent(
            try event(.nodeSucceeded, "t1", #"{"run_ms":251}"#),
            elapsedMilliseconds: 0
        )
        #expect(ended == ["  t1      search            succeeded  251 ms"])
        #expect(view.progress.counts.succeeded == 1 && view.progress.counts.running == 0)
        #expect(view.lines(width: 80, room: 21, elapsedMilliseconds: 1_300).count == 1)
        let skipped = view.handleEvent(
            try event(.nodeSkipped, "t2", #"{"because":"t1"}"#),
            elapsedMilliseconds: 0
        )
        #expect(skipped == ["  t2      search            skipped    because of t1"])
        #expect(
            view.lines(width: 80, room: 21, elapsedMilliseconds: 1_300) == ["  the model writes"]
        )
        // A repeated end, and a node that was not planned, change nothing.
        #expect(view.handleEvent(try event(.nodeCancelled, "t2"), elapsedMilliseconds: 0) == [])
        #expect(view.handleEvent(try event(.started, "t9"), elapsedMilliseconds: 0) == [])
        #expect(view.progress.counts.settled == 2 && view.progress.counts.running == 0)
    }

    @Test("No line is wider than the terminal, and there are few", arguments: [20, 40, 80, 200])
    mutating func narrow(width: Int) throws {
        let long = String(repeating: "x", count: 64)
        _ = view.handleEvent(
            try planned(long, "b", "c", "d", "e", "f", "g", "h", "i", "j"),
            elapsedMilliseconds: 0
        )
        _ = view.handleEvent(try event(.started, long), elapsedMilliseconds: 0)
        let lines = view.lines(width: width, room: 21, elapsedMilliseconds: 1e9)
        #expect(lines.count == 9)
        #expect(lines.last == "  and 2 more")
        for line in lines { #expect(line.count < min(width, 80)) }
        let message = #"{"code":"tool_error","message":"\#(String(repeating: "bad ", count: 40))"}"#
        let ended = try #require(
            view.handleEvent(try event(.nodeFailed, long, message), elapsedMilliseconds: 0).first
        )
        #expect(ended.count < 80 && ended.contains("tool_error") && ended.hasSuffix("…"))
    }
}

@Suite("The view of a plan")
struct PlanViewTests {
    private var view = LiveView(style: Style(isColored: false), subject: .plan)

    private func event(
        _ kind: EventKind,
        _ node: String,
        _ data: String = "{}"
    ) throws
        -> EventMessage
    {
        EventMessage(
            run: try #require(RunID("r1")),
            sequence: 0,
            kind: kind,
            node: NodeID(node),
            data: try RawJSON(validating: data),
            atMicroseconds: 0
        )
    }

    private mutating func add(_ count: Int, named name: String = "n") {
        let nodes = (0..<count).compactMap { number in
            NodeID("\(name)\(number)").map { NodeDefinition(id: $0, tool: "nap") }
        }
        view.add(PlanDocument(nodes: nodes))
    }

    @Test("Shows lines for running nodes, keeps failures, counts all")
    mutating func life() throws {
        view.phase = "connecting"
        #expect(view.lines(width: 80, room: 9, elapsedMilliseconds: 5) == ["  connecting"])
        view.phase = nil
        add(5)
        #expect(view.lines(width: 80, room: 9, elapsedMilliseconds: 5) == [])
        _ = view.handleEvent(try event(.started, "n1"), elapsedMilliseconds: 100)
        _ = view.handleEvent(try event(.started, "n0"), elapsedMilliseconds: 400)
        #expect(
            view.lines(width: 80, room: 9, elapsedMilliseconds: 1_400)
                == [
                    "  n1      nap               running    1.3 s",
                    "  n0      nap               running    1.0 s",
                ]
        )
        #expect(view.handleEvent(try event(.nodeSucceeded, "n1"), elapsedMilliseconds: 1_500) == [])
        let failed = view.handleEvent(
            try event(.nodeFailed, "n0", #"{"code":"tool_error","message":"no"}"#),
            elapsedMilliseconds: 1_600
        )
        #expect(failed == ["  n0      nap               failed     tool_error: no"])
        #expect(view.toldFailures == 1)
        #expect(view.progress.counts.total == 5 && view.progress.counts.settled == 2)
        #expect(view.progress.counts.running == 0 && view.progress.counts.failed == 1)
    }

    @Test("There are never more lines than fit", arguments: 0...12)
    mutating func room(room: Int) throws {
        add(30)
        for number in 0..<20 {
            _ = view.handleEvent(try event(.started, "n\(number)"), elapsedMilliseconds: 0)
        }
        let lines = view.lines(width: 80, room: room, elapsedMilliseconds: 10)
        #expect(lines.count == min(room, 9))
        if room > 0 { #expect(lines.last == "  and \(20 - lines.count + 1) more") }
    }

    @Test("Keeps the lines of the first failures, and counts the others in the last sentence")
    mutating func failures() throws {
        add(30)
        var told = 0
        for number in 0..<30 {
            told +=
                view.handleEvent(try event(.nodeFailed, "n\(number)"), elapsedMilliseconds: 0).count
        }
        #expect(told == 20 && view.toldFailures == 20)
        #expect(FailureList(failed: 30, told: 20).shown == ["and 10 more failed"])
        #expect(FailureList(failed: 20, told: 20).isComplete)
    }

    @Test("A long id is cut in its middle")
    mutating func longIDs() throws {
        add(1, named: "a-very-long-name-of-a-node-")
        let id = "a-very-long-name-of-a-node-0"
        _ = view.handleEvent(try event(.started, id), elapsedMilliseconds: 0)
        let line = try #require(
            view.lines(width: 40, room: 5, elapsedMilliseconds: 10).first
        )
        #expect(line.hasPrefix("  a-ve…e-0  nap"))
        #expect(line.count < 40)
    }
}

@Suite("Columns of text")
struct TextWidthTests {
    @Test(
        "Letters, wide letters, marks and pictures have the width that terminals give them",
        arguments: [
            ("abc", 3), ("", 0), ("é", 1), ("e\u{301}", 1), ("日本語", 6), ("ｈａｌｆ", 8), ("한국", 4),
            ("🚀", 2), ("❤️", 2), ("❤", 1), ("🇩🇪", 2), ("a\u{200B}b", 2), ("ไทย", 3), ("→…✓", 3),
            ("☂︎", 1),
        ]
    )
    func widths(text: String, width: Int) {
        #expect(Text.width(of: text) == width)
    }

    @Test("Cut and shortened text fits into its columns", arguments: 0...14)
    func fits(width: Int) {
        for text in [
            "abcdefghijklm", "日本語日本語日", "a日b本c語d", "👩‍👩‍👧x👩‍👩‍👧", "e\u{301}e\u{301}e\u{301}e\u{301}",
        ] {
            #expect(Text.width(of: Text.cut(text, to: width)) <= width)
            #expect(Text.width(of: Text.shortened(text, to: width)) <= width)
            #expect(Text.width(of: Text.filled(text, to: width)) >= width)
        }
        if width > 1 {
            let text = "some words 日本語日本語 and-one-that-is-long"
            let lines = Text.wrapped(text, to: width)
            #expect(lines.allSatisfy { Text.width(of: $0) <= width })
            let letters = text.filter { $0 != " " }
            #expect(lines.joined().filter { $0 != " " } == letters)
        }
        #expect(Text.wrapped("one two three", to: 7) == ["one two", "three"])
        #expect(Text.shortened("abcdefghij", to: 7) == "abc…hij")
        #expect(Text.shortened("abcdefghij", to: 10) == "abcdefghij")
        #expect(Text.cut("日本語", to: 5) == "日本…")
    }
}
