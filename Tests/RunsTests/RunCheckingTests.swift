// Records that were read and cannot follow are refused before anything changes; `apply` would trap.

import Core
import JSON
import Plans
import Testing
import Wire

@testable import Runs

@Suite("Runs: records that cannot follow")
struct RunCheckingTests {
    /// A run of two nodes; the first one is with a worker.
    private func started() throws -> Run {
        var run = Run(
            Acceptance(id: try #require(RunID("r1")), key: "k", isStreamed: false),
            at: .zero
        )
        let a = try #require(NodeID("a"))
        let b = try #require(NodeID("b"))
        for change: RunChange in [
            .nodesAdded([
                NodeDefinition(id: a, tool: "t"),
                NodeDefinition(id: b, tool: "t", dependencies: [a]),
            ]),
            .planClosed(isFinal: true), .nodeReady(0),
            .dispatched(node: 0, attempt: 1, worker: "w", isRepeatable: true),
            .started(node: 0, attempt: 1),
        ] {
            try run.applyRead(RunRecord(at: 10, change))
        }
        return run
    }

    @Test("What cannot follow is refused and changes nothing")
    func refused() throws {
        let run = try started()
        let a = NodeDefinition(id: try #require(NodeID("c")), tool: "t")
        let changes: [RunChange] = [
            .accepted(run.acceptance), .nodesAdded([a]), .nodeReady(2), .nodeReady(-1),
            .dispatched(node: 0, attempt: 2, worker: "w", isRepeatable: true), .nodeReady(0),
            .dispatched(node: 1, attempt: 1, worker: "w", isRepeatable: true),
            .started(node: 1, attempt: 1),
            .approvalAsked(node: 0, milliseconds: 1), .approvalAsked(node: 1, milliseconds: -1),
            .approved(node: 1, by: nil, reason: nil),
            .started(node: 0, attempt: 2), .calledBack(node: 0, attempt: 2, .timeout),
            .skipped(node: 1, because: 7), .skipped(node: 0, because: 1), .ended(.succeeded),
            .ended(.running), .worked(node: 9, microseconds: 1),
            .retrying(
                node: 0,
                attempt: 1,
                Failure(code: .internal, message: ""),
                afterMicroseconds: .max,
                cause: .failed
            ),
        ]
        for change in changes {
            var copy = run
            #expect(throws: RunRecordError.self, "\(change)") {
                try copy.applyRead(RunRecord(at: 20, change))
            }
            #expect(copy == run, "\(change)")
        }
        for time in [-1, .max] {
            var copy = run
            #expect(throws: RunRecordError.self) {
                try copy.applyRead(RunRecord(at: time, .cancelled(1)))
            }
        }
    }

    @Test("Nothing follows the end, and a settled node settles once")
    func ended() throws {
        var run = try started()
        for change: RunChange in [
            .succeeded(node: 0, .true, microseconds: 1), .skipped(node: 1, because: 0),
        ] {
            try run.applyRead(RunRecord(at: 20, change))
        }
        #expect(throws: RunRecordError.self) { try run.applyRead(RunRecord(at: 30, .cancelled(0))) }
        try run.applyRead(RunRecord(at: 30, .ended(.failed)))
        #expect(throws: RunRecordError.self) { try run.applyRead(RunRecord(at: 30, .joined)) }
        try run.validate()
    }
}
