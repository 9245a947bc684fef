// Workers: registration, tools, names, drain, silence, congestion.

import CoordinatorCore
import Core
import JSON
import TestKit
import Testing
import Wire

@Suite("Workers")
struct RegistrationTests {
    let harness = MachineHarness()

    @Test("Registers a worker with its tools and dispatches to it")
    func registers() throws {
        let worker = harness.connect(.worker, "w")
        worker.shakeHands()
        worker.send(
            .register(Register(slots: 2, tools: [ToolDescription(name: "t", description: "")]))
        )
        #expect(worker.take() == [.registered(Registered())])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let dispatch = try worker.nextDispatch()
        #expect(dispatch.node.text == "a")
        #expect(dispatch.tool == "t")
        #expect(dispatch.number == 1)
        #expect(dispatch.leaseMilliseconds == Limits().leaseMilliseconds)
        #expect(dispatch.maxOutput == Limits().maxOutput)
        harness.expectNothingElse()
    }

    @Test("More slots or tools than allowed end the connection")
    func tooLarge() throws {
        var limits = Limits()
        limits.slotsPerWorker = 4
        limits.toolsPerWorker = 1
        let harness = MachineHarness(limits: limits)
        for register in [
            Register(slots: 5, tools: []),
            Register(
                slots: 1,
                tools: [
                    ToolDescription(name: "a", description: ""),
                    ToolDescription(name: "b", description: ""),
                ]
            ),
        ] {
            let worker = harness.connect(.worker, "w")
            worker.shakeHands()
            worker.send(.register(register))
            #expect(try worker.nextError().code == .limit)
            #expect(harness.isClosed(worker))
        }
    }

    @Test("A schema with its fields in another order is the same; another schema is a conflict")
    func conflicts() throws {
        harness.worker("w1", tools: [tool("t", schema: #"{"type":"object","required":["a"]}"#)])
        let same = harness.connect(.worker, "w2")
        same.shakeHands()
        same.send(
            .register(
                Register(
                    slots: 1,
                    tools: [tool("t", schema: #"{"required":["a"],"type":"object"}"#)]
                )
            )
        )
        #expect(same.take() == [.registered(Registered())])
        let other = harness.connect(.worker, "w3")
        other.shakeHands()
        other.send(
            .register(
                Register(
                    slots: 1,
                    tools: [tool("t", schema: "{}"), tool("u", schema: #"{"type":"nothing"}"#)]
                )
            )
        )
        let answer = try other.next { if case .registered(let answer) = $0 { answer } else { nil } }
        #expect(answer.conflicts == ["t", "u"])
        #expect(answer.refused.map(\.name) == ["t", "u"])
        #expect(answer.refused[0].reason.contains("another worker offers t"))
        #expect(answer.refused[1].reason.contains("its parameter schema cannot be used"))
        let refused = harness.notices.filter {
            if case .toolRefused = $0 { true } else { false }
        }
        #expect(refused.count == 2)
        let viewer = harness.client("v", role: .viewer)
        let tools = try viewer.get(.tools)
        #expect(tools.arrayValue?.count == 1)
        #expect(tools[0]?["workers"] == ["w1", "w2"])
    }

    @Test("Refuses only the tool that cannot be read, when registering and in a later offer")
    func unreadableTool() throws {
        let worker = harness.connect(.worker, "w")
        worker.shakeHands()
        let register =
            #"{"type":"register","slots":1,"tools":[{"name":"a"},"#
            + #"{"name":"b","parameters":{"const":NaN}},{"name":"c","parameters":7},7]}"#
        try worker.send(line: register)
        let answer = try worker.next {
            if case .registered(let answer) = $0 { answer } else { nil }
        }
        #expect(Set(answer.conflicts) == ["b", "c", "tools[3]"])
        #expect(answer.refused.count == 3)
        let viewer = harness.client("v", role: .viewer)
        #expect(try viewer.get(.tools)[0]?["name"] == "a")
        let refused = try viewer.get(.workers)[0]?["refused_tools"]?.arrayValue
        #expect(refused?.count == 3)
        let offer =
            #"{"type":"offer","slots":1,"tools":[{"name":"a"},{"name":"d","parameters":"\ud800"}]}"#
        try worker.send(line: offer)
        let error = try worker.nextError()
        #expect(!error.isFatal)
        #expect(error.message.hasPrefix("The tool d is not offered: The parameters is no JSON"))
        #expect(try viewer.get(.tools).arrayValue?.count == 1)
        harness.expectNothingElse()
    }

    @Test("A tool may get another schema when its last worker has gone")
    func toolIsFreed() throws {
        let first = harness.worker("w1", tools: [tool("t", schema: #"{"required":["a"]}"#)])
        first.send(.bye(Bye(reason: "done")))
        let second = harness.connect(.worker, "w2")
        second.shakeHands()
        second.send(.register(Register(slots: 1, tools: [tool("t", schema: "{}")])))
        #expect(second.take() == [.registered(Registered())])
    }

    @Test("A second worker that replaces a name fences the first and its attempts")
    func duplicateName() throws {
        let first = harness.worker("w", tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a")])
        let old = try first.nextDispatch()
        let second = harness.connect(.worker, "w")
        second.shakeHands()
        second.send(.register(Register(slots: 2, tools: [idempotent()], isReplacing: true)))
        _ = try second.next { if case .registered(let answer) = $0 { answer } else { nil } }
        let error = try first.nextError()
        #expect(error.code == .duplicateName)
        #expect(error.isFatal)
        #expect(harness.isClosed(first))
        harness.endTurn()
        let again = try second.nextDispatch()
        #expect(again.number == 2)
        first.succeed(old.attempt, "\"late\"")
        harness.expectNothingElse()
        second.succeed(old.attempt, "\"stale\"")
        #expect(try second.nextAck() == Ack(attempts: [], stale: [old.attempt]))
        second.succeed(again.attempt)
        #expect(try second.nextAck() == Ack(attempts: [again.attempt]))
    }

    @Test("A drained worker finishes its attempts; other workers continue")
    func drain() throws {
        let worker = harness.worker("w", slots: 1)
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b")])
        let dispatch = try worker.nextDispatch()
        client.send(.drain(Drain(reason: "update", deadlineMilliseconds: 500, worker: "w")))
        #expect(
            worker.take() == [.drain(Drain(reason: "update", deadlineMilliseconds: 500))]
        )
        worker.succeed(dispatch.attempt)
        #expect(worker.takeKinds() == [.ack])
        worker.send(.bye(Bye(reason: "drained")))
        #expect(harness.isClosed(worker))
        let other = harness.worker("w2")
        _ = try other.nextDispatch()
        client.send(.drain(Drain(worker: "nobody")))
        #expect(try client.nextError().code == .unknownWorker)
        client.send(.drain(Drain()))
        #expect(try client.nextError().code == .unknownWorker)
        harness.expectNothingElse()
    }

    @Test("A worker that drains itself gets nothing new")
    func drainsItself() throws {
        let worker = harness.worker()
        worker.send(.drain(Drain(reason: "asked to end")))
        let client = harness.client()
        let run = try client.submit([NodeText("a")], watch: .progress)
        #expect(client.takeEvents() == ["planned", "unplaceable a"])
        #expect(worker.take() == [])
        let explained = try client.get(.explain, run)
        #expect(explained["nodes"]?[0]?["reasons"]?[0]?["code"] == "workers_draining")
    }

    @Test("A dispatch that crosses a drained worker's bye never ran and goes elsewhere")
    func dispatchCrossesBye() throws {
        let worker = harness.worker("w1")
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        // The dispatch is on its way while the idle worker drains and leaves.
        worker.send(.drain(Drain(reason: "asked to end")))
        worker.send(.bye(Bye(reason: "drained")))
        let other = harness.worker("w2")
        let dispatch = try other.nextDispatch()
        #expect(dispatch.number == 2)
        other.succeed(dispatch.attempt)
        #expect(try client.get(.run, run)["status"] == "succeeded")
    }

    @Test("A silent worker is suspect after three heartbeats and lost when its lease ends")
    func silence() throws {
        var limits = Limits()
        limits.heartbeat = .seconds(1)
        limits.lease = .seconds(10)
        let harness = MachineHarness(limits: limits)
        let silent = harness.worker("w1", slots: 2, tools: [idempotent()])
        let client = harness.client()
        try client.submit([NodeText("a")])
        _ = try silent.nextDispatch()
        silent.answersPings = false
        harness.advance(.milliseconds(4_500))
        try client.submit([NodeText("b")], key: "k2")
        #expect(silent.takeKinds().allSatisfy { $0 == .ping })
        silent.send(.pong(Pong(n: 1)))
        #expect(try silent.nextDispatch().node.text == "b")
        harness.advance(.milliseconds(9_000))
        #expect(!harness.isClosed(silent))
        harness.advance(.milliseconds(2_000))
        #expect(harness.isClosed(silent))
        let next = harness.worker("w2", slots: 2, tools: [idempotent()])
        #expect(Set([try next.nextDispatch().number, try next.nextDispatch().number]) == [2])
    }

    @Test("Any message of a silent worker renews its lease")
    func anyMessageCounts() throws {
        var limits = Limits()
        limits.heartbeat = .seconds(1)
        limits.lease = .seconds(10)
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker("w1", slots: 2)
        let client = harness.client()
        try client.submit([NodeText("a")])
        let dispatch = try worker.nextDispatch()
        worker.answersPings = false
        harness.advance(.milliseconds(4_500))
        try client.submit([NodeText("b")], key: "k2")
        _ = worker.take()
        worker.send(.progress(Progress(attempt: dispatch.attempt, fraction: 0.5)))
        #expect(try worker.nextDispatch().node.text == "b")
    }

    @Test("A client that does not answer pings is dropped when its lease ends")
    func silentClient() {
        let client = harness.client()
        client.answersPings = false
        harness.advance(.seconds(30))
        #expect(harness.isClosed(client))
    }

    @Test("Without peers no timer runs")
    func idle() {
        let client = harness.client()
        #expect(harness.machine.nextDeadline() != nil)
        client.disconnect()
        harness.advance(.seconds(10))
        #expect(harness.machine.nextDeadline() == nil)
    }
}
