// Metrics: what is counted of runs, nodes, attempts, workers and peers, and that labels are bounded.

import CoordinatorCore
import Core
import JSON
import Metrics
import TestKit
import Testing
import Wire

@Suite("Metrics")
struct MetricsTests {
    let harness = MachineHarness()

    /// The samples by their name and labels as they are written.
    private func scrape() -> [String: String] {
        var text = MetricsText(.prometheus)
        harness.machine.write(at: harness.now, into: &text)
        let lines = String(decoding: text.finished(), as: UTF8.self).split(separator: "\n")
        let samples = lines.filter { !$0.hasPrefix("#") }
            .compactMap { line -> (String, String)? in
                guard let space = line.lastIndex(of: " ") else { return nil }
                return (String(line[..<space]), String(line[line.index(after: space)...]))
            }
        #expect(samples.count == Set(samples.map(\.0)).count, "a sample comes twice")
        return Dictionary(samples) { first, _ in first }
    }

    @Test("Runs, nodes and attempts are counted by outcome, tool and reason")
    func outcomes() throws {
        let worker = harness.worker("w", slots: 2, tools: [idempotent(maxAttempts: 2)])
        let client = harness.client()
        try client.submit([NodeText("a"), NodeText("b", after: ["a"])], key: "1")
        let first = try worker.nextDispatch().attempt
        worker.fail(first, .toolError, retryable: true)
        harness.advance(.seconds(5))
        worker.succeed(try worker.nextDispatch().attempt, microseconds: 30_000)
        worker.fail(try worker.nextDispatch().attempt)
        try client.submit([NodeText("a"), NodeText("b", after: ["a"])], key: "2")
        worker.fail(try worker.nextDispatch().attempt)
        let samples = scrape()
        #expect(samples[#"weft_runs_total{outcome="failed"}"#] == "2")
        #expect(samples[#"weft_runs_total{outcome="succeeded"}"#] == "0")
        #expect(samples["weft_runs_accepted_total"] == "2")
        #expect(samples["weft_run_duration_seconds_count"] == "2")
        #expect(samples[#"weft_nodes_total{tool="t",outcome="succeeded"}"#] == "1")
        #expect(samples[#"weft_nodes_total{tool="t",outcome="failed"}"#] == "2")
        #expect(samples[#"weft_nodes_total{tool="t",outcome="skipped"}"#] == "1")
        #expect(samples[#"weft_failed_attempts_total{tool="t"}"#] == "3")
        #expect(samples[#"weft_retries_total{reason="failed"}"#] == "1")
        #expect(samples[#"weft_tool_duration_seconds_count{tool="t"}"#] == "4")
        #expect(samples[#"weft_queue_seconds_count{tool="t"}"#] == "4")
        let tool = try client.get(.tools)[0]
        #expect(tool?["calls"] == 4)
        #expect(tool?["failures"] == 3)
        #expect(tool?["run_ms"]?["p95"] != nil)
        #expect(tool?["queue_ms"]?["p50"] != nil)
    }

    @Test("A tool that was never called has no figures")
    func uncalled() throws {
        harness.worker("w")
        let tool = try harness.client().get(.tools)[0]
        #expect(tool?["name"] == "t")
        #expect(tool?["calls"] == nil)
        #expect(tool?["run_ms"] == nil)
    }

    @Test("Slots are those of connected workers; one that left is gone")
    func slots() throws {
        let worker = harness.worker("w", slots: 3)
        harness.worker("x", slots: 1).send(.drain(Drain()))
        try harness.client().submit([NodeText("a")])
        _ = try worker.nextDispatch()
        var samples = scrape()
        #expect(samples[#"weft_worker_slots{worker="w",state="busy"}"#] == "1")
        #expect(samples[#"weft_worker_slots{worker="w",state="idle"}"#] == "2")
        #expect(samples[#"weft_worker_slots{worker="x",state="unavailable"}"#] == "1")
        #expect(samples[#"weft_workers{state="draining"}"#] == "1")
        #expect(samples[#"weft_connections{role="worker"}"#] == "2")
        worker.send(.bye(Bye(reason: "gone")))
        samples = scrape()
        #expect(samples[#"weft_worker_slots{worker="w",state="busy"}"#] == nil)
        #expect(samples[#"weft_connections{role="worker"}"#] == "1")
    }

    @Test("Of very many workers most are counted together")
    func manyWorkers() {
        for index in 0..<503 { harness.worker("w\(index)", slots: 2) }
        let samples = scrape()
        #expect(samples[#"weft_worker_slots{worker="w499",state="idle"}"#] == "2")
        #expect(samples[#"weft_worker_slots{worker="w500",state="idle"}"#] == nil)
        #expect(samples[#"weft_worker_slots{worker="other",state="idle"}"#] == "6")
    }

    @Test("Names of tools that no worker has make no series")
    func inventedTools() throws {
        harness.worker("w")
        let client = harness.client()
        for index in 0..<3 {
            let run = try client.submit([NodeText("a", tool: "invented\(index)")], key: "\(index)")
            client.send(.cancelRun(CancelRun(run: run)))
        }
        let samples = scrape()
        #expect(samples[#"weft_nodes_total{tool="other",outcome="cancelled"}"#] == "3")
        #expect(!samples.keys.contains { $0.contains("invented") })
    }

    @Test("Peers whose connection is ended are counted by the code")
    func refusedPeers() {
        harness.connect(.client, "v").send(.ping(Ping(n: 1)))
        #expect(scrape()[#"weft_refused_peers_total{code="not_ready"}"#] == "1")
    }
}
