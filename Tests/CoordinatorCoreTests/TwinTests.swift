// Two workers of one name, and workers with changing tools.

import JSON
import Plans
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Workers of one name and changing offers")
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

    @Test("Refuses a second worker of a live name without affecting the first")
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

    @Test("A worker that replaces gets the name at once, and the first one is told")
    func replaces() throws {
        let first = harness.worker("w", tools: [tool("t")])
        let second = twin(replaces: true)
        #expect(try first.nextError().code == .duplicateName)
        #expect(harness.isClosed(first))
        #expect(second.takeKinds() == [.registered])
    }

    @Test("A worker whose first connection is dead gets its name back")
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

    @Test("A worker that sends anything after a second one came is alive, even if it answers late")
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

    @Test("Accepts a restarted worker directly after an unnoticed end")
    func restartsAtOnce() throws {
        let first = harness.worker("w", tools: [tool("t")])
        first.answersPings = false
        let second = twin()
        harness.advance(.milliseconds(2_900))
        // The first one sent something just before, so it has longer than a heartbeat.
        #expect(second.takeKinds() == [])
        harness.advance(.milliseconds(200))
        #expect(second.takeKinds().first == .registered)
        #expect(try first.nextError().code == .duplicateName)
        #expect(harness.isClosed(first))
    }

    @Test("A second worker gets the name if the first leaves while it waits")
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

    @Test("Accepts a worker that restarts after its connection was lost at once")
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

    @Test("A withdrawn tool gets nothing new; an added one is used")
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
        // Running attempts continue there.
        worker.succeed(a)
        #expect(try client.get(.node, run, node: "a")["status"] == "succeeded")
        worker.send(.offer(Offer(slots: 2, tools: [tool("t"), tool("u")])))
        _ = try worker.nextDispatch()
    }

    @Test("The reason for a waiting node names the worker whose tool cannot run")
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

    @Test("Checks a changed schema of an offer against those of other workers")
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
