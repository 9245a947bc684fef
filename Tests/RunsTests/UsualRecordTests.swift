// The records of every node are read byte by byte: the same as by the reader of any form, or not at
// all.

import Core
import JSON
import Plans
import Testing
import Wire

@testable import Runs

@Suite("Runs: usual records")
struct UsualRecordTests {
    private func raw(_ text: String) -> RawJSON { RawJSON(trusted: Array(text.utf8)[...]) }

    @Test("What is written is read in the usual form")
    func written() throws {
        let outputs: [RawJSON] = [
            .null, .emptyString, RawJSON("a \"quote\" }"), RawJSON(-7), RawJSON(["a": [1, "}"]]),
        ]
        var changes: [RunChange] = [
            .nodeReady(0), .nodeReady(.max), .started(node: 3, attempt: 12),
            .dispatched(
                node: 10,
                attempt: 1,
                worker: "a worker with a long name",
                isRepeatable: true
            ),
            .dispatched(node: 10, attempt: 1, worker: "", isRepeatable: true),
        ]
        changes += outputs.map { .succeeded(node: 8, $0, microseconds: 10_000_000_000) }
        for change in changes {
            let record = RunRecord(at: 120, change)
            #expect(RunRecord(usual: record.document) == record)
            #expect(try RunRecord(reading: record.document) == record)
            #expect(try RunRecord(line: record.document.bytes) == record)
        }
    }

    @Test("Names with escapes, other kinds and other forms are left to the other reader")
    func others() throws {
        for record in [
            RunRecord(at: 1, .dispatched(node: 0, attempt: 1, worker: "Zoë", isRepeatable: true)),
            RunRecord(at: 1, .dispatched(node: 0, attempt: 1, worker: "a\\b", isRepeatable: true)),
            RunRecord(at: -1, .nodeReady(0)),
            RunRecord(at: 1, .roundSettled), RunRecord(at: 1, .skipped(node: 1, because: 0)),
            RunRecord(at: 1, .succeeded(node: 1, .true, microseconds: -4)),
        ] {
            #expect(RunRecord(usual: record.document) == nil)
            #expect(try RunRecord(line: record.document.bytes) == record)
        }
        let spaced = raw(#"{"at":1, "kind":"ready","node":2}"#)
        #expect(RunRecord(usual: spaced) == nil)
        #expect(try RunRecord(decoding: spaced) == RunRecord(at: 1, .nodeReady(2)))
        let more = raw(#"{"at":1,"kind":"succeeded","node":2,"work_us":3,"output":4,"more":5}"#)
        #expect(
            try RunRecord(decoding: more)
                == RunRecord(at: 1, .succeeded(node: 2, raw("4"), microseconds: 3))
        )
    }

    @Test("Every cut and every changed byte is read as by the other reader, or refused by both")
    func changed() throws {
        let texts = [
            RunRecord(at: 10, .nodeReady(5)), RunRecord(at: 10, .started(node: 5, attempt: 1)),
            RunRecord(at: 10, .dispatched(node: 5, attempt: 1, worker: "w1", isRepeatable: true)),
            RunRecord(at: 10, .succeeded(node: 5, RawJSON(["a": "b"]), microseconds: 77)),
        ].map { Array($0.document.bytes) }
        for text in texts {
            for position in text.indices {
                try compare(Array(text[..<position]))
                for byte in [0, 9, 10, 32, 34, 44, 45, 48, 57, 92, 123, 125, 200] as [UInt8] {
                    var changed = text
                    changed[position] = byte
                    try compare(changed)
                }
            }
        }
    }

    private func compare(_ bytes: [UInt8]) throws {
        guard let usual = RunRecord(usual: RawJSON(trusted: bytes[...])) else { return }
        let other = try RunRecord(reading: RawJSON(trusted: bytes[...]))
        #expect(usual == other, "\(String(decoding: bytes, as: UTF8.self))")
    }
}
