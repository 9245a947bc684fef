// A run changes only by records: the effect of each, the ends of runs, and the written form.

import Core
import JSON
import Plans
import Testing
import Wire

@testable import Runs

@Suite("Runs")
struct RunTests {
    /// A run of two nodes, the second one depending on the first, with the records so far.
    private struct Course {
        var run: Run
        var records: [RunRecord] = []

        init() throws {
            run = Run(try Course.acceptance(), at: .zero)
            let a = try Course.id("a")
            let nodes = [
                NodeDefinition(id: a, tool: "t"),
                NodeDefinition(id: try Course.id("b"), tool: "t", dependencies: [a]),
            ]
            add(.nodesAdded(nodes))
            add(.planClosed(isFinal: true))
        }

        static func acceptance() throws -> Acceptance {
            Acceptance(
                id: try #require(RunID("r1")),
                key: "k",
                label: "the \"label\"",
                join: .tool("j"),
                allowedTools: ["t", "j"],
                nodeBudget: 7,
                wallMilliseconds: 1_000,
                digest: [0, 255, 16],
                isStreamed: false,
                unixMilliseconds: 1_790_000_000_000
            )
        }

        static func id(_ text: String) throws -> NodeID { try #require(NodeID(text)) }

        mutating func add(_ change: RunChange, at: Int? = nil) {
            let record = RunRecord(at: at ?? records.count * 10, change)
            run.apply(record)
            records.append(record)
        }
    }

    @Test("A node goes from ready to its output, with times and counts")
    func lifeOfANode() throws {
        var course = try Course()
        course.add(.nodeReady(0), at: 100)
        course.add(.dispatched(node: 0, attempt: 1, worker: "w1", isRepeatable: true), at: 150)
        #expect(course.run.counts.running == 1)
        course.add(.started(node: 0, attempt: 1), at: 160)
        #expect(course.run.nodes[0].status == .running)
        course.add(
            .succeeded(node: 0, RawJSON(trusted: Array("42".utf8)[...]), microseconds: 90),
            at: 300
        )
        let node = course.run.nodes[0]
        #expect(node.status == .succeeded)
        #expect((node.queued, node.turnaround, node.work) == (50, 150, 90))
        #expect(course.run.workers[node.worker] == "w1")
        #expect(course.run.counts.running == 0 && course.run.counts.succeeded == 1)
        #expect(course.run.outcome(of: 0) == .succeeded(RawJSON(trusted: Array("42".utf8)[...])))
        #expect(course.run.times.criticalPath == 90)
        try course.run.validate()
    }

    @Test("An attempt that never ran does not count; a pause ends before the next attempt")
    func retries() throws {
        var course = try Course()
        let failure = Failure(code: .spawnFailed, message: "no such file", isRetryable: true)
        course.add(.nodeReady(0))
        course.add(.dispatched(node: 0, attempt: 1, worker: "w1", isRepeatable: true))
        course.add(.retrying(node: 0, attempt: 1, failure, afterMicroseconds: 0, cause: .neverRan))
        #expect(course.run.nodes[0].status == .ready && course.run.nodes[0].tries == 0)
        course.add(.dispatched(node: 0, attempt: 2, worker: "w2", isRepeatable: true))
        course.add(.retrying(node: 0, attempt: 2, failure, afterMicroseconds: 500, cause: .failed))
        #expect(course.run.nodes[0].status == .backingOff && course.run.nodes[0].tries == 1)
        course.add(.pauseEnded(0))
        #expect(course.run.nodes[0].status == .ready)
        #expect(course.run.counts.running == 0)
        try course.run.validate()
    }

    @Test("A refused plan changes nothing")
    func refusedPlan() throws {
        var run = Run(
            Acceptance(id: try #require(RunID("r")), key: "k", isStreamed: true),
            at: .zero
        )
        let twice = [
            NodeDefinition(id: try Course.id("a"), tool: "t"),
            NodeDefinition(id: try Course.id("a"), tool: "t"),
        ]
        let before = run
        #expect(throws: PlanProblems.self) {
            try run.applyChecked(RunRecord(at: 0, .nodesAdded(twice)))
        }
        #expect(run == before)
        #expect(run.phase == .growing)
    }

    @Test("The end of a run: its own failure comes first, then a cancel, then its nodes")
    func ends() throws {
        let failure = Failure(code: .timeout, message: "too long")
        var failing = try Course()
        failing.add(.failureDecided(failure))
        #expect(failing.run.finalStatus == .failed && failing.run.failure == failure)

        var late = try Course()
        late.add(.cancelAsked(reason: "why", by: "c", isCutShort: false))
        #expect(late.run.finalStatus == .succeeded, "nothing was kept from being done")
        late.add(.cancelled(0))
        #expect(late.run.finalStatus == .cancelled && late.run.cancelReason == "why")

        var cut = try Course()
        cut.add(.cancelAsked(reason: "why", by: "c", isCutShort: true))
        #expect(cut.run.finalStatus == .cancelled)

        var node = try Course()
        node.add(.failed(node: 0, failure))
        node.add(.skipped(node: 1, because: 0))
        #expect(node.run.finalStatus == .failed)
        node.add(.answered(.null))
        #expect(node.run.finalStatus == .succeeded, "the planner has the last word")
        node.add(.ended(.succeeded), at: 77)
        #expect(node.run.isEnded && node.run.endedAt == 77)
        try node.run.validate()
    }

    @Test("Reads every kind of record as written, and the fold of all is the run")
    func writtenForm() throws {
        var course = try Course()
        let failure = Failure(
            code: .toolError,
            message: "it \"broke\"",
            isRetryable: true,
            exitCode: 3,
            signal: 9,
            stderrTail: "é\u{1}"
        )
        let output = RawJSON(trusted: Array(#"{"n":[1,null]}"#.utf8)[...])
        let changes: [RunChange] = [
            .approvalAsked(node: 0, milliseconds: 5_000),
            .approved(node: 0, by: "alice", reason: "as \"agreed\""),
            .approvalAsked(node: 1, milliseconds: 5_000), .approved(node: 1, by: nil, reason: nil),
            .nodeReady(0), .unplaceable(node: 0, message: "nobody"),
            .dispatched(node: 0, attempt: 1, worker: "w \"1\"", isRepeatable: true),
            .started(node: 0, attempt: 1),
            .calledBack(node: 0, attempt: 1, .cancelled), .returned(node: 0, attempt: 1, .recalled),
            .dispatched(node: 0, attempt: 2, worker: "w2", isRepeatable: true),
            .worked(node: 0, microseconds: 12),
            .retrying(node: 0, attempt: 2, failure, afterMicroseconds: 9, cause: .failed),
            .pauseEnded(0), .dispatched(node: 0, attempt: 3, worker: "w2", isRepeatable: true),
            .succeeded(node: 0, output, microseconds: 1 << 33), .failed(node: 1, failure),
            .modelCalled(isRepair: true), .modelReplied,
            .tokensUsed(TokenUsage(input: 5, output: 7, cost: 0.25)),
            .planRefused([PlanProblem(code: .unknownTool, node: "a", message: "no")]),
            .roundSettled, .replanned(round: 2, reason: "more"), .joinInstructed("sum up"),
            .planClosed(isFinal: false), .roundSettled,
            .joinerAdded(tool: "j", arguments: output), .nodeReady(2),
            .skipped(node: 2, because: 1),
            .intakeEnded, .outputsDropped, .answered(output),
            .cancelAsked(reason: "r", by: "c", isCutShort: true), .failureDecided(failure), .joined,
            .ended(.failed),
        ]
        for change in changes { course.add(change) }
        let accepted = RunRecord(at: 0, .accepted(course.run.acceptance))
        #expect(try RunRecord(decoding: accepted.document) == accepted)
        var fold = Run(course.run.acceptance, at: .zero)
        for record in course.records {
            let read = try RunRecord(decoding: record.document)
            #expect(read == record)
            fold.apply(read)
        }
        #expect(fold.difference(from: course.run) == nil)
        try fold.validate()
    }

    @Test(
        "Refuses an invalid record with a reason",
        arguments: [
            ("[]", "no JSON object"), (#"{"kind":"joined"}"#, "no at"),
            (#"{"at":1}"#, "no kind"), (#"{"at":1,"kind":"dance"}"#, "kind dance is unknown"),
            (#"{"at":1,"kind":"dance","node":1}"#, "kind dance is unknown"),
            (#"{"at":1,"kind":"ready","node":-1}"#, "node is out of range"),
            (#"{"at":1,"kind":"succeeded","node":0,"work_us":1}"#, "no output"),
            (#"{"at":1,"kind":"ended","status":"well"}"#, "status is unknown"),
            (#"{"at":1,"kind":"accepted","version":4}"#, "version 4"),
        ]
    )
    func malformed(text: String, reason: String) {
        let error = #expect(throws: RunRecordError.self) {
            try RunRecord(decoding: RawJSON(trusted: Array(text.utf8)[...]))
        }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }
}
