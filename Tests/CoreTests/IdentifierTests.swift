// Ids, attempts, instants: what they accept and how they read on the wire.

import Core
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test("A node's id is 1–64 of letters, digits, underscore and hyphen")
    func nodeIDs() {
        for text in ["t1", "1", "_", "-", "A-b_9", String(repeating: "x", count: 64)] {
            #expect(NodeID(text)?.text == text)
        }
        for text in [
            "", " ", "a b", "a.b", "é", "a\u{0}", "t1\n", String(repeating: "x", count: 65),
        ] {
            #expect(NodeID(text) == nil)
        }
    }

    @Test("A run's id is 1–15 of lower-case letters, digits and hyphen")
    func runIDs() {
        #expect(RunID("r-0123456789abc")?.text == "r-0123456789abc")
        for text in ["", "R1", "a_b", "a/b", "0123456789abcdef"] {
            #expect(RunID(text) == nil)
            #expect(RunID(parsing: Array(text.utf8)[...]) == nil)
        }
    }

    @Test("Reads back the attempt that it wrote")
    func attempts() throws {
        let run = try #require(RunID("r-7"))
        for (node, number) in [(0, 1), (9, 10), (1_999_999, 100), (9_999_999_999, 9_999_999_999)] {
            let attempt = AttemptID(run: run, node: node, number: number)
            #expect(attempt.text == "r-7/\(node)/\(number)")
            let padded = Array("xx\(attempt.text)yy".utf8)
            #expect(AttemptID(parsing: padded[2..<(padded.count - 2)]) == attempt)
        }
    }

    @Test(
        "Refuses an attempt in any form but run/index/number",
        arguments: [
            "", "/", "//", "r", "r/1", "r/1/", "r//1", "/1/1", "r/1/0", "r/01/1", "r/1/01",
            "r/-1/1",
            "r/+1/1", "r/1/1/1", "r/1/1 ", "R/1/1", "r/a/1", "r/1/99999999999", "r/ 1/1",
        ]
    )
    func badAttempts(_ text: String) {
        #expect(AttemptID(parsing: Array(text.utf8)[...]) == nil)
    }

    @Test("Instants and durations add up and saturate")
    func instants() {
        let start = Instant(milliseconds: 5)
        #expect(start.nanoseconds == 5_000_000)
        #expect(start + .milliseconds(3) == Instant(milliseconds: 8))
        #expect(start - .milliseconds(7) == Instant(milliseconds: -2))
        #expect(Instant(milliseconds: 8) - start == .milliseconds(3))
        #expect(start.duration(since: Instant(milliseconds: 8)) == .milliseconds(-3))
        #expect(Instant(nanoseconds: -1).milliseconds == -1)
        #expect(Instant(nanoseconds: 1_999_999).milliseconds == 1)
        #expect(start < start + .nanoseconds(1))
        #expect((start + .seconds(Int64.max)).nanoseconds == .max)
        #expect((Instant.zero - .seconds(Int64.max)).nanoseconds == .min)
        #expect((Instant(nanoseconds: .max) + .nanoseconds(1)).nanoseconds == .max)
        #expect(Instant(milliseconds: .max).nanoseconds == .max)
        #expect(Instant(nanoseconds: .max) - Instant(nanoseconds: .min) == .nanoseconds(Int64.max))
    }

    @Test("A tool's own failure code is 1–64 of lower-case letters, digits and underscore")
    func failureCodes() {
        #expect(FailureCode(toolReported: "quota_exceeded")?.failureClass == .tool)
        #expect(FailureCode(toolReported: "timeout") == .timeout)
        for text in ["", "Bad", "a b", "a-b", String(repeating: "x", count: 65)] {
            #expect(FailureCode(toolReported: text) == nil)
        }
        #expect(FailureCode.workerLost.failureClass == .worker)
        #expect(FailureCode.referenceNotFound.failureClass == .caller)
        #expect(FailureCode.internal.failureClass == .internal)
    }
}
