// Nodes that need a person's approval: when they ask, what answers do, what is asked again. Commands
// and restarts are in the conformance suite, random orders in the simulator.

import CoordinatorCore
import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Testing
import Wire

@Suite("Approvals")
struct ApprovalTests {
    let harness = MachineHarness()

    private let pay = ToolDescription(
        name: "t",
        description: "",
        maxAttempts: 2,
        needsApproval: true
    )
    private let free = ToolDescription(name: "u", description: "")

    private func answer(_ run: RunID, _ nodes: [String]?, _ isApproved: Bool = true) -> Message {
        let ids = nodes?.compactMap { NodeID($0) }
        return .approve(Approve(run: run, nodes: ids, isApproved: isApproved, reason: "so"))
    }

    private func failure(_ client: TestPeer, _ run: RunID, _ node: String) throws -> String {
        _ = client.take()
        return try client.get(.node, run, node: node)["error"]?["code"]?.stringValue ?? ""
    }

    @Test("A node waits with its arguments made, holds no slot, and runs when it is approved")
    func approved() throws {
        let worker = harness.worker(tools: [pay, free])
        let client = harness.client()
        let nodes = [
            NodeText("a", tool: "u"), NodeText("b", args: #"{"x":"${a}"}"#),
            NodeText("c", tool: "u", after: ["a"]),
        ]
        let run = try client.submit(nodes, watch: .nodes)
        worker.succeed(try worker.nextDispatch().attempt, "7")
        // The only slot is free for another node.
        worker.succeed(try worker.nextDispatch().attempt, "8")
        #expect(worker.takeEvents().allSatisfy { !$0.hasPrefix("dispatch") })
        #expect(client.takeEvents().contains("approval_asked b"))
        let details = try client.get(.node, run, node: "b")
        #expect(details["status"]?.stringValue == "awaiting_approval")
        #expect("\(details)".contains("weft approve \(run) b"))
        let list = try client.get(.approvals)
        #expect(list.arrayValue?.first?["args"] == ["x": 7])
        client.send(answer(run, ["b"]))
        #expect(client.takeEvents().contains("approved b"))
        let dispatch = try worker.nextDispatch()
        #expect(dispatch.node.text == "b")
        // The same answer again changes nothing, another one is refused.
        client.send(answer(run, ["b"]))
        #expect(client.takeEvents().isEmpty)
        client.send(answer(run, ["b"], false))
        #expect(try client.nextError().code == .conflict)
        // Another attempt of it is not asked about.
        worker.fail(dispatch.attempt, retryable: true)
        harness.advance(.seconds(30))
        worker.succeed(try worker.nextDispatch().attempt, "9")
        #expect(client.takeEvents().last == "run_succeeded")
        #expect(try client.get(.approvals) == [])
    }

    @Test("A denial and a time that is over fail the node and skip what depends on it")
    func failed() throws {
        let worker = harness.worker(tools: [free])
        let client = harness.client()
        let submit = Submit(
            key: "k",
            plan: PlanText.plan([
                NodeText("a", tool: "u"), NodeText("b", tool: "u"),
                NodeText("c", tool: "u", after: ["a"]),
            ]),
            approve: ["*"],
            budget: Budget(approvalMilliseconds: 90_000)
        )
        client.send(.submit(submit))
        let run = try client.nextAccepted().run
        client.send(answer(run, ["c"]))
        #expect(try client.nextError().code == .conflict)
        client.send(answer(run, ["a", "nowhere"], false))
        #expect(try client.nextError().code == .unknownNode)
        client.send(answer(run, ["a"], false))
        #expect(try failure(client, run, "a") == "denied")
        #expect(try client.get(.node, run, node: "c")["status"]?.stringValue == "skipped")
        harness.advance(.seconds(91))
        #expect(try failure(client, run, "b") == "approval_timeout")
        #expect(try client.get(.run, run)["status"]?.stringValue == "failed")
        client.send(answer(run, nil))
        #expect(try client.nextError().code == .conflict)
        #expect(worker.takeEvents().isEmpty)
    }

    @Test("A tool that comes later is asked about before its nodes leave")
    func late() throws {
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")])
        harness.worker("first", tools: [ToolDescription(name: "x", description: "")])
        let worker = harness.worker(tools: [pay])
        // Each one is taken back from the slot, which is free for the next one then.
        harness.advance(.milliseconds(1))
        #expect(worker.takeEvents().isEmpty)
        #expect(try client.get(.approvals).arrayValue?.count == 2)
        client.send(answer(run, nil))
        let dispatch = try worker.nextDispatch()
        // It never left before, so this is its first try.
        worker.succeed(dispatch.attempt)
        worker.succeed(try worker.nextDispatch().attempt)
        _ = client.take()
        #expect(try client.get(.node, run, node: "a")["attempts"] == 1)
    }

    @Test("Nodes that a model plans wait while it goes on writing, and the goal is reached")
    func goal() throws {
        let harness = MachineHarness(hasModels: true)
        let worker = harness.worker(tools: [pay])
        let client = harness.client()
        let run = try client.submitGoal(planner: PlannerOptions(format: .json))
        let planner = try harness.nextCall(.planner)
        let plan = PlanText.plan([NodeText("t1"), NodeText("t2", args: #"{"x":"${t1}"}"#)]).text
        let half = plan.index(plan.startIndex, offsetBy: plan.count - 20)
        harness.say(String(plan[..<half]), in: planner)
        #expect(client.takeEvents().contains("approval_asked t1"))
        client.send(answer(run, ["t1"]))
        worker.succeed(try worker.nextDispatch().attempt, "7")
        harness.say(String(plan[half...]), in: planner)
        harness.end(planner)
        #expect(client.takeEvents().contains("approval_asked t2"))
        client.send(answer(run, ["t2"], false))
        let joiner = try harness.nextCall(.joiner)
        #expect(joiner.text.contains("denied") && joiner.text.contains("7"))
    }

    @Test("A tool needs approval as soon as one of its workers says so")
    func oneOfTwo() throws {
        let first = harness.worker("first", tools: [ToolDescription(name: "t", description: "")])
        let second = harness.worker("second", tools: [pay])
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        #expect(first.takeEvents().isEmpty && second.takeEvents().isEmpty)
        #expect(try client.get(.tools).arrayValue?.first?["approval"] == true)
        client.send(.cancelRun(CancelRun(run: run)))
        #expect(try client.get(.approvals) == [])
        #expect(try client.get(.run, run)["status"]?.stringValue == "cancelled")
    }
}
