// Dispatched attempts: large arguments are sent one after the other, and no turn makes more than it
// has time for.

import Core
import JSON
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Dispatching")
struct DispatchingTests {
    private static let limits: Limits = {
        var limits = Limits()
        limits.maxLine = 64 << 10
        limits.chunkBytes = 16 << 10
        return limits
    }()

    let harness = MachineHarness(limits: DispatchingTests.limits)

    private func text(_ count: Int) -> String {
        #""\#(String(repeating: "x", count: count))""#
    }

    /// A node whose arguments repeat the output of `p` that many times.
    private func repeating(_ id: String, _ count: Int) -> NodeText {
        let list = Array(repeating: #""$p""#, count: count).joined(separator: ",")
        return NodeText(id, args: #"{"x":[\#(list)]}"#)
    }

    private func dispatches(in messages: [Message]) -> [Dispatch] {
        messages.compactMap { if case .dispatch(let dispatch) = $0 { dispatch } else { nil } }
    }

    /// The worker reads about as many bytes as one large value has.
    private func takeValue(_ worker: TestPeer) {
        harness.read(490_000, by: worker)
    }

    /// Submits a node `p` and others that depend on it, and lets `p` succeed; the worker reads less
    /// than one large value by itself.
    private func begin(_ nodes: [NodeText], on worker: TestPeer) throws -> RunID {
        let run = try harness.client("author").submit([NodeText("p")] + nodes)
        worker.wire.allowance = 50_000
        worker.succeed(try worker.nextDispatch().attempt, text(30_000))
        return run
    }

    @Test("Sends large arguments one after the other, as the worker reads them")
    func oneAfterTheOther() throws {
        let worker = harness.worker(slots: 12)
        let client = harness.client()
        let run = try begin((0..<24).map { repeating("n\($0)", 16) }, on: worker)
        for step in 0..<24 {
            takeValue(worker)
            let arrived = dispatches(in: worker.take())
            #expect(arrived.count == 1, "step \(step)")
            guard let dispatch = arrived.first else { break }
            guard case .chunked(_, let bytes, _) = dispatch.arguments else {
                Issue.record("\(dispatch.node) did not come in chunks")
                break
            }
            #expect(bytes > 16 * 30_000)
            worker.succeed(dispatch.attempt)
            #expect(dispatches(in: worker.take()).isEmpty)
        }
        #expect(try client.get(.run, run)["status"] == "succeeded")
        #expect(harness.machine.fleet.unsentWorkers.isEmpty)
    }

    @Test("Small arguments do not wait behind large ones")
    func smallOnesGoFirst() throws {
        let worker = harness.worker(slots: 4)
        _ = try begin(
            [
                repeating("first", 16), repeating("second", 16),
                NodeText("small", args: #"{"x":1}"#, after: ["p"]),
            ],
            on: worker
        )
        takeValue(worker)
        let arrived = Set(dispatches(in: worker.take()).map(\.node.text))
        #expect(arrived.count == 2 && arrived.contains("small"))
        takeValue(worker)
        #expect(dispatches(in: worker.take()).count == 1)
    }

    @Test("A worker never sees a cancelled attempt that was not sent")
    func cancelledUnsent() throws {
        let worker = harness.worker(slots: 3)
        let client = harness.client()
        let run = try begin([repeating("a", 16), repeating("b", 16)], on: worker)
        client.send(.cancelRun(CancelRun(run: run)))
        takeValue(worker)
        let messages = worker.take()
        let sent = dispatches(in: messages).map(\.attempt)
        let cancelled = messages.compactMap { message -> AttemptID? in
            if case .cancel(let cancel) = message { cancel.attempt } else { nil }
        }
        #expect(sent.count == 1 && cancelled == sent)
        for attempt in sent { worker.fail(attempt, .cancelled) }
        takeValue(worker)
        #expect(dispatches(in: worker.take()).isEmpty)
        #expect(try client.get(.run, run)["status"] == "cancelled")
    }

    @Test("An unsent attempt of a lost worker goes to another one, because it never ran")
    func lostUnsent() throws {
        let worker = harness.worker("w1", slots: 3)
        let client = harness.client()
        let run = try begin([repeating("a", 16), repeating("b", 16)], on: worker)
        let other = harness.worker("w2", slots: 3)
        worker.disconnect()
        let unsent = try other.nextDispatch().node.text
        harness.advance(.seconds(3))
        let sent = unsent == "a" ? "b" : "a"
        #expect(try client.get(.node, run, node: sent)["error"]?["code"] == "outcome_unknown")
        #expect(try client.get(.node, run, node: unsent)["error"] == nil)
    }

    @Test("A draining worker gets no attempt that was not sent")
    func drainedUnsent() throws {
        let worker = harness.worker("w1", slots: 3)
        _ = try begin([repeating("a", 16), repeating("b", 16)], on: worker)
        let other = harness.worker("w2", slots: 3)
        worker.send(.drain(Drain(reason: "leaving")))
        let elsewhere = try other.nextDispatch().node.text
        takeValue(worker)
        #expect(dispatches(in: worker.take()).map(\.node.text) == [elsewhere == "a" ? "b" : "a"])
        takeValue(worker)
        #expect(dispatches(in: worker.take()).isEmpty)
    }

    @Test("A pong without an unsent attempt does not lose it")
    func pongOfUnsent() throws {
        let worker = harness.worker(slots: 3)
        let client = harness.client()
        let run = try begin([repeating("a", 16), repeating("b", 16)], on: worker)
        takeValue(worker)
        let first = try worker.nextDispatch().node.text
        harness.advance(.seconds(9))
        takeValue(worker)
        let second = try worker.nextDispatch().node.text
        #expect(Set([first, second]) == ["a", "b"])
        _ = client.take()
        #expect(try client.get(.node, run, node: second)["attempts"] == 1)
    }

    @Test("Arguments that scan much are made in several turns, with pings in between")
    func boundedWork() throws {
        let worker = harness.worker(slots: 100)
        let nodes = (0..<100).map { NodeText("n\($0)", args: #"{"x":"${p.items[\#($0)]}"}"#) }
        let client = harness.client()
        let run = try client.submit([NodeText("p")] + nodes)
        let items = (0..<30_000).map { "\"item \($0)\"" }.joined(separator: ",")
        worker.succeed(try worker.nextDispatch().attempt, #"{"items":[\#(items)]}"#)
        let first = dispatches(in: worker.take()).count
        #expect(first > 0 && first < 50, "\(first) came in one turn")
        #expect(harness.machine.nextDeadline() == harness.now)
        harness.advance(.zero)
        #expect(dispatches(in: worker.take()).count == 100 - first)
        #expect(try client.get(.run, run)["counts"]?["running"] == 100)
    }

    @Test("Arguments beyond the largest value fail their node, with the limit in the message")
    func tooLarge() throws {
        var limits = Self.limits
        limits.maxValue = 100_000
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("p"), repeating("a", 16)])
        worker.succeed(try worker.nextDispatch().attempt, text(30_000))
        let node = try client.get(.node, run, node: "a")
        #expect(node["error"]?["code"] == "limit")
        #expect(node["error"]?["message"]?.stringValue?.contains("100000 bytes") == true)
    }

    @Test("A question about a node does not make large arguments")
    func largeArgumentsInReplies() throws {
        let worker = harness.worker(slots: 2)
        let client = harness.client()
        let run = try client.submit([NodeText("p"), repeating("a", 1_000)])
        worker.succeed(try worker.nextDispatch().attempt, text(30_000))
        let node = try client.get(.node, run, node: "a")
        #expect(node["args"] == nil)
        #expect(node["args_omitted"] == true)
        let small = try client.submit([NodeText("q", args: #"{"x":1}"#)], key: "k2")
        #expect(try client.get(.node, small, node: "q")["args"]?["x"] == 1)
    }
}
