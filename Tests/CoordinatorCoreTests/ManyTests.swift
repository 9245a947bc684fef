// Large numbers: the cost of one run, connection or question does not grow with the number of
// others.

import CoordinatorCore
import Core
import Glibc
import JSON
import TestKit
import Testing
import Wire

@Suite("Large numbers", .serialized)
struct ManyTests {
    /// The allowed ratio of costs with twelve times as many others.
    ///
    /// Caches are colder, and the machine may be busy. Walking over all of them would cost about
    /// twelve times as much.
    private static let mostRatio = 2.0

    /// The least processor time of a body in a few tries, in nanoseconds for each of its parts.
    private func cost(of parts: Int, _ body: () throws -> Void) rethrows -> Double {
        func processorTime() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
        }
        var best = Double.infinity
        for _ in 0..<15 {
            let begin = processorTime()
            try body()
            best = min(best, (processorTime() - begin) / Double(parts))
        }
        return best
    }

    private func harness(timedRuns count: Int) throws -> (MachineHarness, TestPeer) {
        let harness = MachineHarness()
        harness.validates = false
        let client = harness.client()
        for number in 0..<count { submitTimed(client, "k\(number)") }
        _ = client.take()
        return (harness, client)
    }

    private func submitTimed(_ client: TestPeer, _ key: String) {
        client.send(
            .submit(
                Submit(
                    key: key,
                    plan: PlanText.plan([NodeText("a", tool: "nobody")]),
                    budget: Budget(wallMilliseconds: 600_000),
                    watch: .end
                )
            )
        )
    }

    @Test("A run with a time limit costs the same with many and few others")
    func timedRuns() throws {
        var costs: [Int: Double] = [:]
        for count in [200, 2_400] {
            let (harness, client) = try harness(timedRuns: count)
            var number = 0
            costs[count] = try cost(of: 20) {
                for _ in 0..<20 {
                    number += 1
                    submitTimed(client, "n\(number)")
                    let run = try client.nextAccepted().run
                    client.send(.cancelRun(CancelRun(run: run)))
                    _ = client.take()
                    _ = harness.machine.nextDeadline()
                }
            }
        }
        let few = try #require(costs[200])
        let many = try #require(costs[2_400])
        #expect(many < few * Self.mostRatio, "\(few) ns and \(many) ns a run")
    }

    @Test("Removing a watcher costs the same with many and few runs")
    func leaving() throws {
        var costs: [Int: Double] = [:]
        for count in [200, 2_400] {
            let (harness, _) = try harness(timedRuns: count)
            costs[count] = cost(of: 20) {
                for _ in 0..<20 { harness.client("v", role: .viewer).disconnect() }
            }
        }
        let few = try #require(costs[200])
        let many = try #require(costs[2_400])
        #expect(many < few * Self.mostRatio, "\(few) ns and \(many) ns an observer")
    }

    @Test("Explains a large run in pages, each with limited work")
    func explainPages() throws {
        let harness = MachineHarness()
        harness.validates = false
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: nil, isStreamed: true)))
        let run = try client.nextAccepted().run
        for first in stride(from: 0, to: 20_000, by: 2_000) {
            let tasks = (first..<(first + 2_000)).map { NodeText("n\($0)", tool: "nobody").raw }
            client.send(.nodes(Nodes(key: "k", tasks: tasks)))
        }
        _ = client.take()
        var from: Int? = 0
        var pages = 0
        var nodes = 0
        while let position = from {
            let reply = try ask(client, .explain, run, from: position)
            #expect(reply.next ?? .max > position)
            let page = JSONValue(try #require(reply.data.inlineValue))
            nodes += page["nodes"]?.arrayValue?.count ?? 0
            from = reply.next
            pages += 1
        }
        #expect(nodes == 20_000)
        #expect(pages > 10)
        #expect(try ask(client, .explain, run, from: 0, limit: 3).next == 3)
    }

    @Test("A list with a filter that matches nothing does limited work, too")
    func emptyPages() throws {
        let harness = MachineHarness()
        harness.validates = false
        let worker = harness.worker(slots: 4_000)
        let client = harness.client()
        client.send(.submit(Submit(key: "k", plan: nil, isStreamed: true)))
        let run = try client.nextAccepted().run
        let tasks = (0..<12_000).map { NodeText("n\($0)").raw }
        for first in stride(from: 0, to: 12_000, by: 2_000) {
            client.send(.nodes(Nodes(key: "k", tasks: Array(tasks[first..<(first + 2_000)]))))
        }
        while let attempt = worker.held.first { worker.succeed(attempt) }
        _ = client.take()
        // All nodes have succeeded, so there is nothing to explain, but the plan still grows.
        let reply = try ask(client, .explain, run, from: 0)
        #expect(try #require(reply.next) < 12_000)
    }

    @Test("Lists of workers, tools and runs come in pages")
    func lists() throws {
        let harness = MachineHarness()
        harness.validates = false
        for number in 0..<300 {
            let tools = (0..<40).map { ToolDescription(name: "t\(number)-\($0)", description: "") }
            harness.worker("w\(number)", tools: tools)
        }
        let client = harness.client()
        for number in 0..<900 { try client.submit([NodeText("a")], key: "k\(number)") }
        for (what, count) in [(GetKind.workers, 300), (.tools, 12_000), (.runs, 900)] {
            var names: [String] = []
            var from: Int? = 0
            while let position = from {
                let limit = what == .runs ? 1_000 : nil
                let reply = try ask(client, what, nil, from: position, limit: limit)
                let data = JSONValue(try #require(reply.data.inlineValue)).arrayValue ?? []
                names += data.compactMap { ($0["name"] ?? $0["run"])?.stringValue }
                from = reply.next
            }
            #expect(Set(names).count == count, "\(what)")
            #expect(names.count == count, "\(what)")
        }
    }

    private func ask(
        _ client: TestPeer,
        _ what: GetKind,
        _ run: RunID?,
        from: Int,
        limit: Int? = nil
    ) throws -> Reply {
        _ = client.take()
        client.send(
            .get(Get(request: 1, what: what, id: run?.text, from: from, limit: limit))
        )
        return try client.next {
            if case .reply(let reply) = $0 { reply } else { nil }
        }
    }
}
