// Facts from answers: attempts of entries of `nodes`, and of stories.

import Core
import JSON
import Testing
import Wire

@testable import Reports

@Suite("Facts")
struct FactsTests {
    private func story(_ records: [String], isComplete: Bool = true) throws -> StoryDocument {
        StoryDocument(
            run: try #require(RunID("r1")),
            node: SampleRuns.id("a"),
            isComplete: isComplete,
            records: try records.map { try RawJSON(validating: $0) }
        )
    }

    private let retried = [
        #"{"at":10,"kind":"ready","node":0}"#,
        #"{"at":20,"kind":"dispatched","node":0,"attempt":1,"worker":"w1","repeatable":true}"#,
        #"{"at":25,"kind":"returned","node":0,"attempt":1,"reason":"busy"}"#,
        #"{"at":30,"kind":"dispatched","node":0,"attempt":2,"worker":"w2","repeatable":true}"#,
        #"{"at":35,"kind":"started","node":0,"attempt":2}"#,
        #"{"at":80,"kind":"worked","node":0,"work_us":40}"#,
        #"{"at":80,"kind":"retrying","node":0,"attempt":2,"after_us":100,"cause":"failed","#
            + #""error":{"code":"tool_error","message":"no","retryable":true}}"#,
        #"{"at":180,"kind":"pause_ended","node":0}"#,
        #"{"at":190,"kind":"dispatched","node":0,"attempt":3,"worker":"w1","repeatable":true}"#,
        #"{"at":200,"kind":"a_later_kind","node":0}"#,
        #"{"at":250,"kind":"succeeded","node":0,"work_us":55,"output":1}"#,
    ]

    private var entry: NodeFacts {
        let document = NodeDocument(
            status: .succeeded,
            tool: "t",
            attempts: 2,
            worker: "w1",
            readyAt: 180,
            queued: 10,
            turnaround: 60,
            run: 55
        )
        return NodeFacts(SampleRuns.id("a"), document)
    }

    @Test("An entry has its latest attempt, a story every one that ran")
    func attempts() throws {
        var node = entry
        #expect(node.hasMoreToTell)
        #expect(node.attempts.map(\.dispatchedAt) == [190])
        node.add(try story(retried))
        #expect(node.readyAt == 10)
        #expect(node.attempts.map(\.number) == [2, 3])
        #expect(node.attempts.map(\.worker) == ["w2", "w1"])
        #expect(node.attempts.map(\.readyAt) == [25, 180])
        #expect(node.attempts.map(\.dispatchedAt) == [30, 190])
        #expect(node.attempts.map(\.endedAt) == [80, 250])
        #expect(node.attempts.map(\.work) == [40, 55])
        #expect(node.attempts.map(\.outcome) == [.retried, .succeeded])
        #expect(node.attempts[0].error?.code == .toolError)
    }

    @Test("A story that is not whole changes nothing")
    func part() throws {
        var node = entry
        node.add(try story(Array(retried.dropFirst(3)), isComplete: false))
        #expect(node == entry)
    }

    @Test("An approval is waited for until the answer, or the end without one")
    func approvals() throws {
        for end in [
            #"{"at":900,"kind":"approved","node":0,"by":"alice"}"#,
            #"{"at":900,"kind":"failed","node":0,"#
                + #""error":{"code":"denied","message":"no","retryable":false}}"#,
        ] {
            var node = SampleRuns.idle("a", .failed)
            node.add(
                try story([#"{"at":100,"kind":"approval_asked","node":0,"within_ms":5}"#, end])
            )
            #expect(node.approval == 800)
            #expect(node.attempts.isEmpty)
        }
    }

    @Test("What still runs ends with the run, and nothing ends later")
    func open() throws {
        let running = NodeFacts(
            SampleRuns.id("a"),
            NodeDocument(
                status: .running,
                tool: "t",
                attempts: 1,
                worker: "w",
                readyAt: 10,
                queued: 20
            )
        )
        let late = SampleRuns.node("b", ready: 50, turnaround: 200, work: 150)
        let run = try SampleRuns.run([running, late], wall: 100)
        #expect(run.nodes[0].attempts[0].endedAt == 100)
        #expect(run.nodes[0].attempts[0].work == 70)
        #expect(run.nodes[1].attempts[0].endedAt == 100)
        #expect(run.nodes[1].attempts[0].start == 50)
    }
}
