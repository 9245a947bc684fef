// The lists of `weft explain` and `weft show`: groups, failures first, never wider than the
// terminal.
import Core
import JSON
import OrderedCollections
import Testing
import Wire

@testable import Console
@testable import weft

private let plain = Style(isColored: false)

private func json(_ text: String) throws -> RawJSON { try RawJSON(validating: text) }

@Suite("Explanations")
struct ExplanationTests {
    private func node(_ id: String, _ status: String, _ code: String, _ message: String) -> String {
        """
        {"id":"\(id)","tool":"nap","status":"\(status)",\
        "reasons":[{"code":"\(code)","message":"\(message)"}]}
        """
    }

    private func answer(_ nodes: [String]) throws -> RawJSON {
        try json(
            "{\"run\":\"r1\",\"status\":\"running\",\"nodes\":[\(nodes.joined(separator: ","))]}"
        )
    }

    private func explanation(_ nodes: [String], unsettled: Int? = nil) throws -> Explanation {
        let answer = try ExplanationDocument(decoding: answer(nodes))
        return Explanation(answer, unsettled: unsettled)
    }

    @Test("Lists a few nodes one by one")
    func few() throws {
        let few = try explanation([
            node("a", "ready", "tool_missing", "no connected worker has the tool nap")
        ])
        #expect(few.lines(plain) == ["a (nap, ready): no connected worker has the tool nap"])
    }

    @Test("Shows many nodes with the same reason as one line, and counts all of them")
    func many() throws {
        let busy = (0..<296).map {
            node("t\($0)", "ready", "slots_busy", "all slots are busy on w1")
        }
        let waiting = (0..<40).map { node("d\($0)", "waiting", "dependencies", "waits for t\($0)") }
        let running = ["w1", "w2"].map { node("r\($0)", "running", "running", "runs on \($0)") }
        let one = [node("x", "backing_off", "backing_off", "tried and failed")]
        let nodes = running + busy + waiting + one
        let all = try explanation(nodes)
        #expect(
            all.lines(plain) == [
                "2 × nap (running): runs on a worker; such as rw1, rw2",
                "296 × nap (ready): all slots are busy on w1; such as t0, t1, t2",
                "40 × nap (waiting): other nodes come first; such as d0, d1, d2",
                "x (nap, backing_off): tried and failed",
                "339 nodes do not go on; name one to see its own reasons.",
            ]
        )
        let document = JSONValue(all.document(try answer(nodes)))
        #expect(document["total"] == 339)
        #expect(document["nodes"]?.arrayValue?.count == 339)
        #expect(document["groups"]?.arrayValue?.map { $0["count"] } == [2, 296, 40, 1])
    }

    @Test("Counts nodes that the coordinator left out")
    func leftOut() throws {
        let nodes = (0..<200).map { node("t\($0)", "ready", "slots_busy", "all slots are busy") }
        let some = try explanation(nodes, unsettled: 300)
        #expect(
            some.lines(plain).suffix(2) == [
                "and 100 more nodes, which one answer has no room for; weft show r1 --all lists "
                    + "every node",
                "300 nodes do not go on; name one to see its own reasons.",
            ]
        )
        let document = JSONValue(some.document(try answer(nodes)))
        #expect(document["total"] == 300 && document["left_out"] == 100)
    }

    @Test("Counts the remaining groups if there are very many")
    func manyGroups() throws {
        let nodes = (0..<60).map { number in
            node("a\(number)", "ready", "code_\(number)", "m") + ","
                + node("b\(number)", "ready", "code_\(number)", "m")
        }
        let lines = try explanation(nodes).lines(plain)
        #expect(lines.count == 42)
        #expect(lines[40] == "and 40 more nodes in 20 more groups; --json has them")
    }
}

@Suite("The list of a run's nodes")
struct RunViewTests {
    private func page(_ nodes: [(String, String)]) throws -> NodesPage {
        let fields = nodes.map { id, status in
            """
            "\(id)":{"status":"\(status)","tool":"nap","attempts":1,"worker":"w1",\
            "ready_at_ms":100,"queued_ms":50,"error":{"code":"tool_error","message":"no"}}
            """
        }
        return try NodesPage(
            decoding: json(
                "{\"nodes\":{\(fields.joined(separator: ","))},\"total\":\(nodes.count)}"
            )
        )
    }

    private func run() throws -> RunDocument {
        var counts = NodeCounts()
        counts.failed = 1
        counts.running = 1
        return RunDocument(
            run: try #require(RunID("r1")),
            status: .running,
            isGrowing: false,
            join: .concat,
            ageMilliseconds: 2650,
            counts: counts,
            timing: RunTiming(wall: 0, criticalPath: 0, work: 0)
        )
    }

    @Test("Lists failures first, then running nodes with their time, then the others")
    func order() throws {
        var view = RunView(of: try run(), limit: 3)
        try view.add(
            page([
                ("a", "succeeded"), ("b", "succeeded"), ("c", "running"), ("d", "waiting"),
                ("e", "failed"),
            ])
        )
        let lines = view.table.lines(width: nil, style: plain)
        #expect(lines.dropFirst().map { $0.prefix(1) } == ["e", "c", "a"])
        #expect(lines[2].contains("2.5 s …"), "\(lines[2])")
        #expect(view.unseen == 2 && view.isComplete)
    }

    @Test("Lists only the nodes in one state")
    func status() throws {
        var view = RunView(of: try run(), limit: 10, status: .succeeded)
        try view.add(page([("a", "succeeded"), ("b", "failed"), ("c", "succeeded")]))
        let lines = view.table.lines(width: nil, style: plain)
        #expect(lines.dropFirst().map { $0.prefix(1) } == ["a", "c"])
        #expect(view.unseen == 0)
    }

    @Test("No line is wider than the terminal", arguments: [20, 40, 60, 80, 120])
    func fits(width: Int) throws {
        var view = RunView(of: try run(), limit: 10)
        try view.add(
            page([
                (String(repeating: "long-", count: 12), "failed"), ("c", "backing_off"),
                ("d", "succeeded"),
            ])
        )
        for line in view.table.lines(width: width, style: plain) {
            #expect(Text.width(of: line) <= width, "\(line)")
        }
    }
}

@Suite("Remarks about workers")
struct WorkerRemarkTests {
    private func worker(_ name: String, _ software: String?) -> WorkerDocument {
        WorkerDocument(
            name: name,
            state: .ready,
            slots: 1,
            inFlight: 0,
            software: software,
            connectedMilliseconds: 1,
            labels: [:],
            tools: [],
            refusedTools: [],
            withheldTools: [],
            coolingTools: []
        )
    }

    @Test("Workers of another version are named, once for each version")
    func otherVersions() {
        let workers =
            [worker("same", "weft/2"), worker("silent", nil), worker("old", "weft/1")]
            + (1...5).map { worker("p\($0)", "python") }
        #expect(
            WorkersCommand.otherVersions(workers, coordinator: "weft/2") == [
                "old: weft/1, while the coordinator is weft/2; they speak the same protocol",
                "p1, p2, p3 and 2 more: python, while the coordinator is weft/2; they speak the"
                    + " same protocol",
            ]
        )
    }
}

@Suite("Text of tools")
struct HarmlessTextTests {
    @Test("Text for a terminal keeps its lines but no control characters")
    func harmless() {
        #expect(Text.harmless("a\n\tb\r\nc") == "a\n\tb\nc")
        #expect(
            Text.harmless("\u{1B}[31mx\u{9B}1m\u{8}\u{7F}\r\u{202E}y\u{0}")
                == "\u{FFFD}[31mx\u{FFFD}1m\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}y\u{FFFD}"
        )
        #expect(Text.harmless("日本 é 🚀") == "日本 é 🚀")
    }

    @Test("Outputs are labelled by node and tool")
    func parts() throws {
        let page = try NodesPage(
            decoding: json(
                #"""
                {"nodes":{"a":{"status":"succeeded","tool":"grep","output":"one\ntwo","attempts":1},\#
                "b":{"status":"failed","tool":"x","attempts":1},\#
                "c":{"status":"succeeded","tool":"x","output":{"n":1},"attempts":1}},"total":3}
                """#
            )
        )
        #expect(try PlanRun.parts(page, plain) == "a (grep)\none\ntwo\n\nc (x)\n{\"n\":1}\n")
    }
}
