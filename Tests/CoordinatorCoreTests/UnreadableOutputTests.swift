// Outputs that cannot be read: each affects one attempt, never the session of its worker.

import JSON
import Plans
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Outputs that cannot be read")
struct UnreadableOutputTests {
    private let harness = MachineHarness()

    @Test("A value in chunks that is not JSON fails only its attempt")
    func unreadableValue() throws {
        let worker = harness.worker("w1", tools: [idempotent()])
        let client = harness.client()
        let run = try client.submit([NodeText("a"), NodeText("b")])
        let attempt = try worker.nextDispatch().attempt
        worker.send(
            .chunk(Chunk(about: .attempt(attempt), sequence: 0, stream: .value, data: [0x5B]))
        )
        worker.send(
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .success(.chunked(count: 1, bytes: 1, sha256: nil))
                )
            )
        )
        #expect(try worker.nextAck().attempts == [attempt])
        #expect(!harness.isClosed(worker))
        let node = try client.get(.node, run, node: "a")
        #expect(node["error"]?["code"] == "bad_output")
    }

    @Test("Grants the window again for chunks that cannot be read")
    func windowOfUnreadableChunks() throws {
        var limits = Limits()
        limits.window = 4_000
        let harness = MachineHarness(limits: limits)
        let worker = harness.worker()
        let client = harness.client()
        let run = try client.submit([NodeText("a")])
        let attempt = try worker.nextDispatch().attempt
        let data = #""\ud800\#(String(repeating: "x", count: 400))""#
        var granted = 0
        for sequence in 0..<30 {
            let line =
                #"{"type":"chunk","attempt":"\#(attempt)","seq":\#(sequence),"stream":"value","#
                + #""data":\#(data)}"#
            try worker.send(line: line)
            for message in worker.take() {
                if case .window(let window) = message { granted += window.bytes }
            }
        }
        #expect(granted > 30 * 400 - limits.window / 4)
        worker.send(
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .success(.chunked(count: 30, bytes: 30 * 403, sha256: nil))
                )
            )
        )
        #expect(try worker.nextAck().attempts == [attempt])
        #expect(!harness.isClosed(worker))
        #expect(try client.get(.node, run, node: "a")["error"]?["code"] == "bad_output")
    }
}
