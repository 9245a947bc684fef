// Documents: what is written is read as the same, what is missing is named, and pages share outputs.
import Core
import JSON
import OrderedCollections
import Plans
import Testing

@testable import Wire

private func known<Value>(_ value: Value?) -> Value {
    guard let value else { preconditionFailure("an id of the tests is none") }
    return value
}

private func trip<Value: Document>(_ document: Value) throws -> Value {
    try Value(decoding: RawJSON(validating: document.json.text))
}

/// One of each document, with all of its fields.
enum DocumentExamples {
    static let run = known(RunID("r7"))
    static let node = known(NodeID("t1"))
    static let failure = Failure(
        code: .toolError,
        message: "exit \"3\"",
        isRetryable: true,
        exitCode: 3,
        signal: 9,
        stderrTail: "no\n"
    )
    static let usage = TokenUsage(input: 1_200, output: 340)
    static let timing = RunTiming(wall: 2_150, criticalPath: 1_250, work: 3_001)
    static let counts: NodeCounts = {
        var counts = NodeCounts()
        counts.total = 21
        counts.running = 1
        counts.succeeded = 2
        counts.failed = 3
        counts.skipped = 4
        counts.cancelled = 5
        return counts
    }()
    static let status = StatusDocument(
        software: "weft 1",
        epoch: 3,
        uptimeMilliseconds: 4,
        workers: StatusDocument.Workers(connected: 1, draining: 2, slots: 3, inFlight: 4),
        runs: StatusDocument.Runs(active: 5, kept: 6, accepted: 7),
        settledNodes: 8,
        tools: 9,
        connections: 10
    )
    static let statusWithPage = {
        var document = status
        document.page = "http://127.0.0.1:7421"
        return document
    }()
    static let graph = GraphPage(
        nodes: [
            GraphPage.Node(
                id: node,
                course: NodeDocument(status: .running, tool: "search", attempts: 1, worker: "w-1"),
                dependencies: [0]
            )
        ],
        total: 2
    )
    static let worker = WorkerDocument(
        name: "w-1",
        state: .draining,
        slots: 4,
        inFlight: 2,
        host: "h1",
        pid: 4711,
        software: "weft 1",
        connectedMilliseconds: 90_000,
        labels: ["zone": "a", "gpu": "no \"one\""],
        tools: ["search"],
        refusedTools: [WithheldTool(name: "find", reason: "its schema")],
        withheldTools: [WithheldTool(name: "sum", reason: "no program")],
        coolingTools: [
            CoolingToolDocument(name: "x", refusals: 2, pauseMilliseconds: 500, reason: "why")
        ]
    )
    static let launch = KnownLaunchDocument(
        launch: LaunchDocument(
            name: "hosts",
            host: "h1",
            pid: 4711,
            groups: [
                LaunchGroupDocument(
                    name: "batch",
                    kind: .slurm,
                    wanted: 2,
                    running: 1,
                    pending: 1,
                    range: 1...8
                )
            ],
            members: [
                LaunchMemberDocument(
                    name: "hosts-batch-1",
                    group: "batch",
                    site: "slurm",
                    state: .pending,
                    slots: 8,
                    note: "Resources \"x\""
                )
            ],
            more: 3
        ),
        state: .gone,
        reportedBy: "alice",
        reportedMilliseconds: 1_250
    )
    static let plan = RememberedPlanDocument(
        plan: "p3",
        goal: "How warm is it in Lima?",
        calls: [#"weather("Lima")"#],
        run: RunID("r7"),
        addedAt: UnixTime(milliseconds: 1_795_833_783_250),
        obstacle: "weather has changed since then"
    )

    static let tool = ToolDocument(
        description: ToolDescription(
            name: "search",
            description: "Finds pages.",
            parameters: RawJSON(trusted: Array(#"{"type":"object"}"#.utf8)[...]),
            version: "2",
            isIdempotent: true,
            timeoutMilliseconds: 500,
            maxAttempts: 3,
            concurrency: 2
        ),
        workers: ["w-1", "w-2"],
        figures: ToolDocument.Figures(
            calls: 120,
            failures: 2,
            run: DurationDocument(median: 11_904, ninetyFifth: 40_960),
            queue: DurationDocument(median: 64, ninetyFifth: 1_536)
        )
    )
    static let wholeRun = RunDocument(
        run: run,
        label: "nightly",
        status: .failed,
        isGrowing: true,
        join: .tool("sum"),
        joinInstruction: "add",
        error: failure,
        reason: "why",
        submittedBy: "alice",
        cancelledBy: "bob",
        startedAt: UnixTime(milliseconds: 1_795_833_783_250),
        endedAt: UnixTime(milliseconds: 1_795_833_785_400),
        ageMilliseconds: 4,
        counts: counts,
        timing: timing,
        usage: usage
    )
    static let approval = ApprovalDocument(
        run: run,
        label: "nightly",
        node: node,
        question: ApprovalQuestion(
            tool: "pay",
            arguments: RawJSON(["amount": 5]),
            timeoutMilliseconds: 60_000
        ),
        askedAt: UnixTime(milliseconds: 1_795_833_783_250),
        failsAt: UnixTime(milliseconds: 1_795_833_843_250),
        waitMilliseconds: 1_250
    )
    static let reason = WaitingReason(code: .slotsBusy, message: "all slots are busy on w-1")
    static let course = NodeDocument(
        status: .backingOff,
        tool: "search",
        output: RawJSON(["a": [1, 2]]),
        because: known(NodeID("t0")),
        error: failure,
        attempts: 2,
        worker: "w-1",
        readyAt: 12_345,
        queued: 250,
        turnaround: 1_400,
        run: 1_250
    )
    static let details = NodeDetails(
        id: node,
        node: course,
        dependencies: [known(NodeID("t0"))],
        arguments: RawJSON(["q": "swift"]),
        areArgumentsOmitted: true,
        reasons: [reason]
    )
    static let explanation = ExplanationDocument(
        run: run,
        status: .running,
        nodes: [
            WaitingNode(
                id: node,
                tool: "search",
                requires: ["zone": "a"],
                status: .ready,
                waitMilliseconds: 1_250,
                reasons: [reason]
            )
        ]
    )
    static let story = StoryDocument(
        run: run,
        node: node,
        isComplete: false,
        records: [RawJSON(["at": 40, "kind": "ready", "node": 0])]
    )
    static let conversation: ConversationPage = {
        var first = ConversationPage.Call(
            number: 1,
            purpose: .planner,
            startedAt: 1_250,
            prompt: [
                ConversationPage.Text(role: "system", text: "Plan.", isCut: true),
                ConversationPage.Text(role: "user", text: "Sum it up."),
            ],
            reply: "1. sum("
        )
        first.isReplyCut = true
        first.took = 310_500
        first.end = ConversationPage.Call.failed
        first.problem = "timeout: no reply within 60 s"
        first.usage = usage
        var second = ConversationPage.Call(
            number: 2,
            purpose: .joiner,
            isRepair: true,
            startedAt: 400_000,
            sharedMessages: 2,
            prompt: [],
            reply: ""
        )
        second.isLeftOut = true
        return ConversationPage(run: run, calls: [first, second], total: 2)
    }()
    static let outcome = RunEndDocument(
        answer: RawJSON("x"),
        error: failure,
        reason: "why",
        counts: counts,
        timing: timing,
        usage: usage
    )
    static let planned =
        PlannedNodes(names: [(node, "search")], within: 100) ?? PlannedNodes(count: 1)
    /// The data of each kind of event that has any.
    static let events: [(EventKind, EventData)] = [
        (.planned, .planned(planned)),
        (.dispatched, .placed(PlacedNode(tool: "search"))),
        (.started, .placed(PlacedNode(tool: "search"))),
        (.retrying, .retrying(Retry(code: .timeout, message: "slow", afterMilliseconds: 500))),
        (.unplaceable, .unplaceable(MissingTool(tool: "find", message: "nobody has it"))),
        (.approvalAsked, .approvalAsked(approval.question)),
        (.approved, .approved(ApprovalAnswer(identity: "alice", reason: "as agreed"))),
        (.nodeSucceeded, .nodeSucceeded(NodeSuccess(run: 1_250))),
        (.nodeFailed, .nodeFailed(failure)),
        (.nodeSkipped, .nodeSkipped(SkippedNode(because: node))),
        (
            .planProblems,
            .planProblems(
                PlanProblemList(problems: [
                    PlanProblem(code: .cycle, node: "t1", message: "a circle")
                ])
            )
        ),
        (.replanned, .replanned(NextRound(round: 2, reason: "more", usage: usage))),
        (.answering, .answering(AnswerText(text: "The longest page "))),
        (.joined, .joined(JoinedAnswer(join: .llm))),
        (.snapshot, .progress(RunProgress(counts: counts, criticalPath: 7, usage: usage))),
        (.progress, .attemptProgress(AttemptProgress(fraction: 0.5, note: "page 3"))),
        (.chunk, .output(ToolOutput(stream: .standardOutput, bytes: Array("a\n".utf8)[...]))),
        (.chunk, .output(ToolOutput(stream: .standardError, bytes: [0xFF, 0xD8]))),
        (.runSucceeded, .ended(outcome)),
    ]
}

@Suite("Documents")
struct DocumentTests {
    @Test("Each answer is written and read as the same")
    func answers() throws {
        typealias Examples = DocumentExamples
        #expect(try trip(Examples.status) == Examples.status)
        #expect(try trip(Examples.statusWithPage) == Examples.statusWithPage)
        #expect(try trip(Examples.graph) == Examples.graph)
        #expect(try trip(Examples.worker) == Examples.worker)
        #expect(try trip(Examples.launch) == Examples.launch)
        #expect(try trip(Examples.tool) == Examples.tool)
        #expect(try trip(Examples.wholeRun) == Examples.wholeRun)
        #expect(try trip(Examples.course) == Examples.course)
        #expect(try trip(Examples.details) == Examples.details)
        #expect(try trip(Examples.explanation) == Examples.explanation)
        #expect(try trip(Examples.story) == Examples.story)
        #expect(try trip(Examples.conversation) == Examples.conversation)
        #expect(try trip(Examples.plan) == Examples.plan)
        #expect(try trip(Examples.approval) == Examples.approval)
        let workers = RawJSON(trusted: Array("[\(Examples.worker.json.text)]".utf8)[...])
        #expect(try WorkerDocument.list(decoding: workers) == [Examples.worker])
    }

    @Test("The data of each event is written and read as the same")
    func events() throws {
        for (kind, data) in DocumentExamples.events {
            let event = EventMessage(
                run: DocumentExamples.run,
                sequence: 0,
                kind: kind,
                node: kind == .progress ? DocumentExamples.node : nil,
                data: data.json,
                atMicroseconds: 0
            )
            #expect(try EventData(of: event) == data, "\(kind)")
        }
        let told = Set(DocumentExamples.events.map(\.0))
        for kind in EventKind.allCases where !kind.isTerminal {
            let event = EventMessage(
                run: DocumentExamples.run,
                sequence: 0,
                kind: kind,
                atMicroseconds: 0
            )
            guard let data = try? EventData(of: event) else { continue }
            #expect(told.contains(kind), "\(kind) has data \(data)")
        }
    }

    @Test("A field that is missing or of the wrong type is named")
    func faults() throws {
        let fields = try #require(JSONValue(DocumentExamples.status.json).objectValue)
        for key in fields.keys {
            for wrong in [nil, JSONValue.array([])] {
                var faulty = fields
                faulty[key] = wrong
                #expect(throws: WireError.self) {
                    try StatusDocument(decoding: RawJSON(.object(faulty)))
                }
            }
        }
        do throws(WireError) {
            _ = try RunDocument(decoding: RawJSON(["run": "r7"]))
            Issue.record("half a run is read")
        } catch {
            #expect(error.code == .badMessage && error.message.contains("field status "))
        }
        #expect(throws: WireError.self) { try StatusDocument(decoding: .null) }
        #expect(throws: WireError.self) { try ToolDocument.list(decoding: .emptyObject) }
    }

    @Test("A page of nodes is read node by node, and shares large outputs")
    func pages() throws {
        let large = RawJSON(String(repeating: "x", count: 100_000))
        var node = DocumentExamples.course
        var writer = NodesPage.Writer()
        writer.add(DocumentExamples.node, node)
        node.output = large
        writer.add(known(NodeID("t2")), node)
        let pieces = writer.finish(next: 2, total: 3)
        #expect(pieces.count > 100_000 && pieces.ownBytes < 2_000)
        let page = try NodesPage(decoding: RawJSON(validating: pieces.joined.text))
        #expect(page.next == 2 && page.total == 3)
        var read: [(String, NodeDocument)] = []
        try page.forEachNode { id, node in
            read.append((id, node))
            return true
        }
        #expect(read.map(\.0) == ["t1", "t2"])
        #expect(read.map(\.1) == [DocumentExamples.course, node])
        var count = 0
        try page.forEachNode { _, _ in
            count += 1
            return false
        }
        #expect(count == 1)
        var empty = NodesPage.Writer()
        #expect(empty.finish(next: nil, total: 0).joined.text == #"{"nodes":{},"total":0}"#)
    }

    @Test("A last event without its answer says so")
    func omittedAnswer() throws {
        var outcome = DocumentExamples.outcome
        #expect(!outcome.json.text.contains("answer_omitted"))
        outcome.answer = nil
        #expect(outcome.json.text.contains(#""answer_omitted":true"#))
        #expect(try trip(outcome) == outcome)
        outcome.answer = .null
        #expect(try trip(outcome) == outcome)
    }

    @Test("Nodes that are planned are told whole, or by name if they are long")
    func planned() throws {
        let node = NodeDefinition(id: DocumentExamples.node, tool: "search")
        let whole = try #require(PlannedNodes([node], within: 1_000))
        #expect(try trip(whole).nodes == [node])
        #expect(PlannedNodes([node], within: 10) == nil)
        let named = try #require(PlannedNodes(names: [(node.id, node.tool)], within: 100))
        #expect(named.nodes == [node])
        #expect(PlannedNodes(count: 7).json.text == #"{"nodes":7}"#)
    }
}

@Suite("Times of the calendar")
struct UnixTimeTests {
    @Test(
        "Times are written in UTC with milliseconds, and read",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_795_833_783_250, "2026-11-28T02:43:03.250Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ]
    )
    func times(milliseconds: Int, text: String) {
        #expect(UnixTime(milliseconds: milliseconds).text == text)
        #expect(UnixTime(text) == UnixTime(milliseconds: milliseconds))
    }

    @Test("Each day of 800 years has a date of its own, which is read")
    func days() {
        for day in stride(from: -146_097, through: 146_097, by: 1) {
            let time = UnixTime(milliseconds: day * 86_400_000)
            guard UnixTime(time.text) == time else {
                Issue.record("\(time.text) is read as another time")
                return
            }
        }
    }

    @Test(
        "What is no such time is refused",
        arguments: [
            "", "2026-11-28", "2026-11-28T02:43:03Z", "2026-02-30T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z", "2026-11-28T24:00:00.000Z", "2026-11-28T02:43:03.250+",
        ]
    )
    func refuses(_ text: String) {
        #expect(UnixTime(text) == nil)
    }
}
