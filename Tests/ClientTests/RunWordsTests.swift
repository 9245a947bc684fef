// The words of commands about runs and plans: documents, failures, events, problems.
import Client
import Core
import JSON
import Plans
import Testing
import Wire

@testable import Console
@testable import Weftline
@testable import weft

private let run = known(RunID("r1"))

private func json(_ text: String) throws -> RawJSON { try RawJSON(validating: text) }

private func page(_ nodes: String, total: Int) throws -> NodesPage {
    try NodesPage(decoding: json("{\"nodes\":{\(nodes)},\"total\":\(total)}"))
}

private let times =
    #""counts":{"total":0,"running":0,"succeeded":0,"failed":0,"skipped":0,"cancelled":0},"#
    + #""timing":{"wall_ms":0,"critical_path_ms":0,"work_ms":0}}"#

private func event(
    _ kind: EventKind,
    node: String? = nil,
    worker: String? = nil,
    attempt: Int? = nil,
    _ data: String? = nil
) throws -> EventMessage {
    EventMessage(
        run: run,
        sequence: 0,
        kind: kind,
        node: node.flatMap { NodeID($0) },
        attempt: attempt,
        worker: worker,
        data: try data.map(json),
        atMicroseconds: 1_234_567
    )
}

@Suite("The end of a run")
struct RunEndTests {
    @Test("What models did is one line, of which the least important parts are left out")
    func models() {
        let short = PlanningDocument(
            calls: 2,
            repairs: 0,
            replans: 0,
            modelTime: 3_300_000,
            firstNode: 970_000
        )
        let usage = TokenUsage(input: 1_280, output: 27, cost: 0.00213)
        #expect(
            short.words(usage, columns: 71)
                == "2 calls in 3.3 s, 1280 + 27 tokens, cost 0.0021, first node 970 ms"
        )
        #expect(
            short.words(usage, columns: 64)
                == "2 calls in 3.3 s, 1280 + 27 tokens, cost 0.0021"
        )
        #expect(short.words(nil, columns: 71) == "2 calls in 3.3 s, first node 970 ms")
        let long = PlanningDocument(
            calls: 12,
            repairs: 3,
            replans: 2,
            modelTime: 333_000_000,
            firstNode: 970_000
        )
        let used = TokenUsage(input: 123_456_789, output: 1_234_567, cost: 1_234.5)
        let line = long.words(used, columns: 71)
        #expect(line.hasPrefix("12 calls in 5 min 33 s, 123456789 + 1234567 tokens"))
        #expect(line.count <= 71)
        #expect(
            PlanningDocument(calls: 1, repairs: 1, replans: 1, modelTime: 5_000)
                .words(nil, columns: 71) == "1 call in 5.00 ms, 1 repair, 1 replan"
        )
    }

    @Test("Small amounts have more digits after the point")
    func amounts() {
        for (amount, text) in [
            (0.0, "0.00"), (1.005, "1.00"), (12.345, "12.35"), (0.05, "0.050"), (0.00213, "0.0021"),
            (1e-9, "0.00000000100"),
        ] {
            #expect(Text.amount(amount) == text)
        }
    }

    @Test("A report has the nodes of its pages, with commas between them")
    func report() throws {
        var text = RunReport.Text()
        var bytes = RunReport.Text.opening(try json(#"{"run":"r1","n":3}"#), answer: RawJSON("x"))
        bytes += text.nodes(try page("", total: 3))
        bytes += text.nodes(try page(#""a":{"status":"succeeded"}"#, total: 3))
        bytes += text.nodes(try page("", total: 3))
        bytes += text.nodes(try page(#""b":{},"c":{"output":[1]}"#, total: 3))
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"run":"r1","n":3,"answer":"x","nodes":{"a":{"status":"succeeded"},"#
                + #""b":{},"c":{"output":[1]}"#
        )
        let open = RunReport.Text.opening(try json(#"{"run":"r1"}"#), answer: nil)
        #expect(String(decoding: open, as: UTF8.self) == #"{"run":"r1","nodes":{"#)
    }

    @Test("The last event determines the exit code and the sentence")
    func endings() throws {
        #expect(try RunEnd(event(.progress)) == nil)
        let succeeded = try #require(try RunEnd(event(.runSucceeded, "{" + times)))
        #expect(succeeded.exitStatus == .success)
        #expect(succeeded.sentence == nil)
        let cancelled = try #require(
            try RunEnd(event(.runCancelled, #"{"reason":"why not","# + times))
        )
        #expect(cancelled.exitStatus == .failed)
        #expect(cancelled.sentence == "was cancelled: why not")
        let failed = try #require(
            try RunEnd(
                event(.runFailed, #"{"error":{"code":"timeout","message":"too long"},"# + times)
            )
        )
        #expect(failed.sentence == "failed: timeout: too long")
        let unreadable = try #require(try RunEnd(event(.runSucceeded, "{}")))
        #expect(unreadable.exitStatus == .failed)
        #expect(unreadable.sentence?.contains("field counts") == true)
    }

    @Test("Prints a text answer without quotes, with one line end")
    func answers() {
        func text(_ answer: RawJSON) -> String {
            String(decoding: RunEnd.text(of: answer), as: UTF8.self)
        }
        #expect(text(RawJSON("a\nb")) == "a\nb\n")
        #expect(text(RawJSON("done\n")) == "done\n")
        #expect(text(RawJSON(["a": 1])) == "{\"a\":1}\n")
    }

    @Test("Names failures until there are enough")
    func failures() throws {
        var few = FailureList(failed: 2)
        try few.read(
            page(
                #""a":{"status":"succeeded","tool":"x","attempts":1},"#
                    + #""t3":{"status":"failed","tool":"grep","attempts":1,"#
                    + #""error":{"code":"tool_error","message":"no such file"}}"#,
                total: 3
            )
        )
        #expect(!few.isComplete)
        try few.read(page(#""b":{"status":"failed","tool":"x","attempts":0}"#, total: 3))
        #expect(few.isComplete)
        #expect(
            few.shown == [
                "t3 (grep) failed: tool_error: no such file", "b (x) failed: it does not say why",
            ]
        )
        var many = FailureList(failed: 25)
        let nodes = (0..<25).map {
            #""n\#($0)":{"status":"failed","tool":"x","attempts":1}"#
        }
        try many.read(page(nodes.joined(separator: ","), total: 25))
        #expect(many.isComplete)
        #expect(many.shown.count == 21)
        #expect(many.shown.last == "and 5 more failed")
        #expect(
            many.hint(RunID("r1")) == "More about a node: weft show r1 NODE; "
                + "all that failed: weft show r1 --status failed --all"
        )
        #expect(many.hint(nil) == "Every node: weft run --json")
        #expect(few.hint(RunID("r1")) == "More about a node: weft show r1 NODE")
        #expect(few.hint(nil) == nil)
        #expect(FailureList(failed: 0).hint(RunID("r1")) == nil)
    }
}

@Suite("Lines of events")
struct EventLineTests {
    private func lines(_ events: [EventMessage]) -> [String] {
        var lines = EventLines(style: Style(isColored: false))
        return events.flatMap { lines.lines(of: $0) }
    }

    @Test("An event is a line of time, kind, node, worker and words")
    func events() throws {
        let lines = lines([
            try event(.planned, #"{"nodes":1}"#),
            try event(.dispatched, node: "t1", worker: "w1", attempt: 2),
            try event(
                .nodeFailed,
                node: "t1",
                worker: "w1",
                attempt: 1,
                #"{"code":"tool_error","message":"no\nfile"}"#
            ),
            try event(.nodeSkipped, node: "t2", #"{"because":"t1"}"#),
            try event(.progress, node: "t1", #"{"fraction":0.5,"note":"half"}"#),
        ])
        #expect(
            lines == [
                "    1.235  planned         1 node",
                "    1.235  dispatched      t1  on w1  attempt 2",
                "    1.235  node_failed     t1  on w1  tool_error: no file",
                "    1.235  node_skipped    t2  because of t1",
                "    1.235  progress        t1  50 % half",
            ]
        )
    }

    @Test("Prints a tool's output line by line, and the rest when the node ends")
    func output() throws {
        func chunk(_ node: String, _ stream: String, _ text: String) throws -> EventMessage {
            try event(
                .chunk,
                node: node,
                RawJSON(["stream": .string(stream), "text": .string(text)]).text
            )
        }
        let lines = lines([
            try chunk("a", "stdout", "one\ntw"), try chunk("b", "stdout", "other\r\n"),
            try chunk("a", "stderr", "oops"), try chunk("a", "stdout", "o\n\nthr"),
            try event(.nodeSucceeded, node: "a", #"{"run_ms":3}"#),
        ])
        #expect(
            lines
                == [
                    "a | one", "b | other", "a | two", "a | ", "a | thr", "a ! oops",
                    "    1.235  node_succeeded  a  3.00 ms",
                ]
        )
    }

    @Test("Joins a character that was split between two chunks")
    func cutCharacters() throws {
        let bytes = Array("grün\n".utf8)
        let halves = [bytes[..<3], bytes[3...]]
            .map { String(decoding: Base64.encode(Array($0)), as: UTF8.self) }
        let lines = lines(
            try halves.map { half in
                try event(
                    .chunk,
                    node: "a",
                    RawJSON(["stream": "stdout", "base64": .string(half)]).text
                )
            }
        )
        #expect(lines == ["a | grün"])
    }
}

@Suite("Plans before they are sent")
struct PlanFileTests {
    @Test("Prints one problem a line; warnings alone do not stop a plan")
    func problems() {
        let bad = PlanFile(
            name: "p.json",
            bytes: Array(#"{"tasks":[{"id":"a","tool_name":"x","dependencies":["b"]}]}"#.utf8)
        )
        #expect(!bad.isValid)
        #expect(
            bad.lines == ["error: p.json:1:53: node a depends on b, which is not in the plan"]
        )
        let odd = PlanFile(
            name: "p.json",
            bytes: Array(#"{"tasks":[{"id":"a","tool_name":"x","args":{"v":"$b"}}]}"#.utf8)
        )
        #expect(odd.isValid)
        #expect(odd.nodeCount == 1)
        #expect(odd.lines.allSatisfy { $0.hasPrefix("warning: p.json:1:44: node a") })
        #expect(!odd.problems.isEmpty)
    }

    @Test("The document of problems says whether the plan can run")
    func document() throws {
        let problem = PlanProblem(code: .cycle, node: "a", message: "a circle")
        let placed = PlacedProblem(
            problem: problem,
            position: TextPosition().advanced(over: Array("1234567\n12".utf8)[...])
        )
        let document = try JSONValue(parsing: PlanFile.document(of: [placed], nodes: 2))
        #expect(document["valid"] == false)
        #expect(document["nodes"] == 2)
        #expect(document["problems"]?[0]?["code"] == "cycle")
        #expect(document["problems"]?[0]?["line"] == 2)
        #expect(document["problems"]?[0]?["column"] == 3)
        #expect(problem.line == "error: node a: a circle")
        #expect(placed.line(in: "p.json") == "error: p.json:2:3: node a: a circle")
    }
}

@Suite("Exit codes")
struct ExitStatusTests {
    @Test(
        "Errors of the client have the documented exit codes",
        arguments: [
            (ClientError.Kind.unreachable, ErrorCode?.none, Int32(3)),
            (.refused, .authFailed, 4), (.refused, .forbidden, 4),
            (.lost, nil, 3), (.rejected, .badPlan, 2),
            (.rejected, .unknownRun, 2), (.rejected, .busy, 3),
            (.rejected, .shuttingDown, 3), (.rejected, .conflict, 1),
        ]
    )
    func statuses(kind: ClientError.Kind, code: ErrorCode?, status: Int32) {
        let failure = CommandFailure(ClientError(kind: kind, code: code, message: "It broke."))
        #expect(failure.status.rawValue == status)
        #expect(failure.lines == ["error: It broke."])
    }

    @Test("Prints the problems of a refused plan, one a line")
    func problems() {
        let failure = CommandFailure(
            ClientError(
                kind: .rejected,
                code: .badPlan,
                message: "The plan has 1 problem.",
                problems: [PlanProblem(code: .unknownTool, node: "t3", message: "no such tool")]
            )
        )
        #expect(failure.lines == ["error: node t3: no such tool"])
    }
}
