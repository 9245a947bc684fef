// Large answers and documents: made in parts over several turns, shared instead of copied, and
// limited in size before they are made.

import Core
import JSON
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Large answers")
struct AnswerTests {
    private let harness = MachineHarness()

    private func text(_ count: Int) -> String {
        #""\#(String(repeating: "x", count: count))""#
    }

    /// A streamed run of that many nodes without workers, and its client.
    private func largeRun(nodes count: Int, join: JoinKind = .json) throws -> (RunID, TestPeer) {
        harness.validates = false
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: nil, isStreamed: true, join: join)))
        let run = try client.nextAccepted().run
        for first in stride(from: 0, to: count, by: 2_000) {
            let last = min(first + 2_000, count)
            let tasks = (first..<last).map { NodeText("n\($0)", tool: "nobody").raw }
            client.send(.nodes(Nodes(key: "k", tasks: tasks, isLast: last == count)))
        }
        _ = client.take()
        return (run, client)
    }

    private func ask(_ run: RunID, _ what: GetKind = .answer, _ request: Int = 1) -> Message {
        .get(Get(request: request, what: what, id: run.text))
    }

    @Test("Makes the answer of many nodes over several turns, and answers others in between")
    func overSeveralTurns() throws {
        let (run, client) = try largeRun(nodes: 90_000)
        client.send(.cancelRun(CancelRun(run: run)))
        let other = harness.client("other", role: .viewer)
        _ = client.take()
        client.send(ask(run))
        #expect(client.isPaused)
        #expect(harness.machine.nextDeadline() == harness.now)
        var turns = 0
        while client.isPaused, turns < 100 {
            other.send(.ping(Ping(n: turns)))
            turns += 1
        }
        #expect((2...20).contains(turns), "\(turns) turns")
        #expect(other.takeKinds().count { $0 == .pong } == turns)
        let reply = try client.next { if case .reply(let reply) = $0 { reply } else { nil } }
        #expect(reply.request == 1)
        // The answer is kept.
        client.send(ask(run, .answer, 2))
        #expect(!client.isPaused)
        harness.validates = true
        harness.endTurn()
    }

    @Test("The answer of a running run shows its state at the time of the request")
    func runsThatGoOn() throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")], join: .json)
        worker.succeed(try worker.nextDispatch().attempt, "1")
        #expect(try client.get(.answer, run)["a"] == 1)
        #expect(try client.get(.answer, run)["b"]?["error"] != nil)
        worker.succeed(try worker.nextDispatch().attempt, "2")
        #expect(try client.get(.answer, run) == ["a": 1, "b": 2])
    }

    @Test("Makes an unfinished answer again when its run ends, and reports a forgotten run")
    func endsMeanwhile() throws {
        let (run, client) = try largeRun(nodes: 90_000)
        let viewer = harness.client("viewer", role: .viewer)
        viewer.send(ask(run))
        #expect(viewer.isPaused)
        client.send(.cancelRun(CancelRun(run: run)))
        var turns = 0
        while viewer.isPaused, turns < 100 {
            harness.endTurn()
            turns += 1
        }
        #expect(viewer.takeKinds().last == .reply)
        let slot = try #require(harness.machine.runs.slot(of: run))
        let answer = JSONValue(try #require(harness.machine.runs[slot].answer).joined)
        #expect(answer["n7"]?["error"]?["code"] == "cancelled")
    }

    @Test("Answers and documents share large outputs with the run")
    func sharing() throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")])
        for _ in 0..<2 { worker.succeed(try worker.nextDispatch().attempt, text(900_000)) }
        let before = harness.machine.runs.ledger.total
        let answer = try client.get(.answer, run).stringValue ?? ""
        #expect(answer.utf8.count == 1_800_000 + "[t] \n\n[t] ".utf8.count)
        #expect(harness.machine.runs.ledger.total < before + 1_000)
        let slot = try #require(harness.machine.runs.slot(of: run))
        let (page, next) = harness.machine.nodesPage(slot, from: 0, limit: 10)
        #expect(page.count > 1_800_000)
        #expect(page.ownBytes < 2_000)
        #expect(next == nil)
        let document = JSONValue(page.joined)
        #expect(document["nodes"]?["a"]?["output"]?.stringValue?.utf8.count == 900_000)
        #expect(document["nodes"]?["a"]?["attempts"] == 1)
        #expect(document["total"] == 2)
        let node = harness.machine.nodeDetails(slot, 1, .zero).pieces
        #expect(node.ownBytes < 2_000)
        #expect(JSONValue(node.joined)["output"]?.stringValue?.utf8.count == 900_000)
    }

    @Test("Stops making an answer that is too large", arguments: [JoinKind.concat, .json])
    func bounded(_ join: JoinKind) throws {
        var limits = Limits()
        limits.maxValue = 100_000
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker(slots: 10)
        let client = harness.client()
        let run = try client.submit((0..<10).map { NodeText("n\($0)") }, join: join)
        // Twice as long after its quotes are escaped, or within the limit unchanged.
        let quotes = "[" + Array(repeating: #""""#, count: 3_000).joined(separator: ",") + "]"
        for _ in 0..<10 { worker.succeed(try worker.nextDispatch().attempt, quotes) }
        let slot = try #require(harness.machine.runs.slot(of: run))
        client.send(ask(run))
        if join == .json {
            #expect(client.takeKinds().contains(.reply))
        } else {
            let error = try client.nextError()
            #expect(error.code == .limit)
            #expect(error.message.contains("max_value"))
        }
        #expect(harness.machine.runs[slot].answers.bytes < 130_000)
    }

    @Test("A late watcher gets earlier events as it reads, for a limited number of nodes a turn")
    func restating() throws {
        var limits = Limits()
        limits.eventBytes = 10_000
        limits.outboxHighWater = 200_000
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker(slots: 300)
        let client = harness.client()
        let run = try client.submit((0..<300).map { NodeText("n\($0)") } + [NodeText("z")])
        for _ in 0..<300 {
            let failure = Failure(
                code: .toolError,
                message: "it broke",
                stderrTail: String(repeating: "e", count: 10_000)
            )
            let attempt = try worker.nextDispatch().attempt
            worker.send(.result(ResultMessage(attempt: attempt, outcome: .failure(failure))))
        }
        let late = harness.client("late")
        harness.read(0, by: late)
        late.send(.watch(Watch(run: run, from: 0, level: .nodes)))
        #expect(late.wire.backlog.encodedBytes < 250_000)
        // Events that happen meanwhile are sent once.
        worker.succeed(try worker.nextDispatch().attempt)
        var events: [String] = []
        for _ in 0..<200 {
            harness.read(50_000, by: late)
            #expect(late.wire.backlog.encodedBytes < 250_000)
            events += late.takeEvents()
        }
        #expect(events.count { $0.hasPrefix("node_failed") } == 300)
        #expect(Set(events).count == events.count, "some are sent twice")
        #expect(events.last == "run_failed")
    }

    @Test("Large arguments wait while too many bytes wait for all peers")
    func argumentsWaitForRoom() throws {
        var limits = Limits()
        limits.maxLine = 16 << 10
        limits.chunkBytes = 4 << 10
        limits.allUnsentBytes = 1 << 20
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        try client.submit([NodeText("p"), NodeText("q", args: #"{"x":["$p","$p"]}"#)])
        let first = try worker.nextDispatch().attempt
        let lazy = harness.client("lazy")
        harness.read(0, by: lazy)
        harness.handle(.backlog(lazy.id, Backlog(encodedBytes: 2 << 20)))
        worker.succeed(first, text(12_000))
        worker.forgetHeld()
        #expect(!worker.takeKinds().contains(.dispatch))
        harness.handle(.backlog(lazy.id, Backlog(encodedBytes: 0, takenBytes: 2 << 20)))
        #expect(worker.takeKinds().contains(.dispatch))
    }
}
