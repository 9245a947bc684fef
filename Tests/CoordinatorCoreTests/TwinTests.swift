// Two workers of one name, and workers whose tools come and go.

import JSON
import Plans
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Twins and changing offers")
struct TwinTests {
    let harness = MachineHarness()

    private func tool(_ name: String, schema: String = "{}") -> ToolDescription {
        ToolDescription(
            name: name,
            description: "",
            parameters: RawJSON(trusted: Array(schema.utf8)[...]),
            isIdempotent: true
        )
    }

    /// A second worker that has sent its registration.
    private func twin(_ name: String = "w", replaces: Bool = false) -> TestPeer {
        let peer = harness.connect(.worker, name)
        peer.shakeHands()
        peer.send(.register(Register(slots: 1, tools: [tool("t")], isReplacing: replaces)))
        return peer
    }

    @Test("A second worker of a live name is refused, and the first notices nothing")
    func refused() throws {
        let first = harness.worker("w", tools: [tool("t")])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let attempt = try first.nextDispatch().attempt
        let second = twin()
        let error = try second.nextError()
        #expect(error.code == .duplicateName)
        #expect(error.message == "A worker named w is connected already.")
        #expect(harness.isClosed(second))
        #expect(!harness.isClosed(first))
        first.succeed(attempt)
        #expect(try first.nextAck().attempts == [attempt])
    }

    @Test("A worker that replaces takes the name at once, and the first is told")
    func replaces() throws {
        let first = harness.worker("w", tools: [tool("t")])
        let second = twin(replaces: true)
        #expect(try first.nextError().code == .duplicateName)
        #expect(harness.isClosed(first))
        #expect(second.takeKinds() == [.registered])
    }

    @Test("A worker whose first connection is dead without a word gets its name back")
    func halfOpen() throws {
        let first = harness.worker("w", tools: [tool("t")])
        first.answersPings = false
        harness.advance(.seconds(2))
        let second = twin()
        #expect(second.takeKinds() == [])
        harness.advance(.seconds(2))
        #expect(try first.nextError().code == .duplicateName)
        #expect(harness.isClosed(first))
        #expect(second.takeKinds().first == .registered)
    }

    @Test("A worker that says anything after a second one came lives, though it answers late")
    func slow() throws {
        let first = harness.worker("w", tools: [tool("t")])
        first.answersPings = false
        let second = twin()
        harness.advance(.seconds(1))
        first.send(.offer(Offer(slots: 1, tools: [tool("t")])))
        harness.advance(.seconds(1))
        #expect(try second.nextError().code == .duplicateName)
        #expect(!harness.isClosed(first))
    }

    @Test("A worker that is started again right after an end that nobody noticed is taken on")
    func restartsAtOnce() throws {
        let first = harness.worker("w", tools: [tool("t")])
        first.answersPings = false
        let second = twin()
        harness.advance(.milliseconds(2_900))
        // The first one was heard of just before, so it has longer than a heartbeat.
        #expect(second.takeKinds() == [])
        harness.advance(.milliseconds(200))
        #expect(second.takeKinds().first == .registered)
        #expect(try first.nextError().code == .duplicateName)
        #expect(harness.isClosed(first))
    }

    @Test("A second worker gets the name when the first leaves while it waits")
    func firstLeaves() throws {
        let first = harness.worker("w", tools: [tool("t")])
        first.answersPings = false
        let second = twin()
        let third = twin()
        first.disconnect()
        #expect(second.takeKinds() == [.registered])
        // Now the second is the one that lives.
        #expect(third.takeKinds().isEmpty)
        harness.advance(.seconds(1))
        second.send(.offer(Offer(slots: 1, tools: [tool("t")])))
        harness.advance(.seconds(1))
        #expect(try third.nextError().code == .duplicateName)
    }

    @Test("A worker that restarts after its connection was lost is taken on at once")
    func restarts() throws {
        let first = harness.worker("w", tools: [tool("t")])
        let client = harness.client()
        try client.submit([NodeText("a")])
        _ = try first.nextDispatch()
        first.disconnect()
        let second = twin()
        _ = try second.next { if case .registered(let answer) = $0 { answer } else { nil } }
        #expect(try second.nextDispatch().number == 2)
    }

    @Test("A tool that a worker withdraws gets nothing new there; one that comes is used")
    func offers() throws {
        let worker = harness.worker("w", slots: 2, tools: [tool("t")])
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let a = try worker.nextDispatch().attempt
        worker.send(
            .offer(
                Offer(
                    slots: 2,
                    tools: [tool("u")],
                    withheld: [WithheldTool(name: "t", reason: "the program t is not there")]
                )
            )
        )
        let workers = try client.get(.workers)
        #expect(workers[0]?["tools"] == ["u"])
        #expect(workers[0]?["withheld_tools"]?[0]?["name"] == "t")
        try client.submit([NodeText("b")], key: "k2")
        #expect(worker.take() == [])
        let explained = try client.get(.tools)
        #expect(explained[0]?["name"] == "u")
        // What is under way there goes on.
        worker.succeed(a)
        #expect(try client.get(.node, run, node: "a")["status"] == "succeeded")
        worker.send(.offer(Offer(slots: 2, tools: [tool("t"), tool("u")])))
        _ = try worker.nextDispatch()
    }

    @Test("Why nobody can run a node names the worker that has the tool and cannot run it")
    func withheldIsExplained() throws {
        let worker = harness.connect(.worker, "w")
        worker.shakeHands()
        let missing = WithheldTool(name: "t", reason: "the program t is not there")
        worker.send(.register(Register(slots: 1, tools: [], withheld: [missing])))
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let explained = try client.get(.explain, run)
        #expect(
            explained["nodes"]?[0]?["reasons"]?[0]?["message"]
                == "no connected worker has the tool t ready; on w: the program t is not there"
        )
    }

    @Test("A schema that changes with the offer is checked against those of other workers")
    func conflictingOffer() throws {
        let first = harness.worker("w1", tools: [tool("t")])
        let second = harness.worker("w2", tools: [tool("u")])
        second.send(.offer(Offer(slots: 1, tools: [tool("t", schema: #"{"type":"object"}"#)])))
        let client = harness.client()
        let workers = try client.get(.workers)
        #expect(workers[1]?["refused_tools"]?[0]?["name"] == "t")
        #expect(workers[1]?["tools"] == [])
        first.send(.bye(Bye(reason: "done")))
        second.send(.offer(Offer(slots: 1, tools: [tool("t", schema: #"{"type":"object"}"#)])))
        #expect(try client.get(.workers)[0]?["tools"] == ["t"])
    }
}
