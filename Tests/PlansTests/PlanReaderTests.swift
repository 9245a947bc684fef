// The incremental reader: the same nodes whatever the pieces, and errors that say where.

import JSON
import Plans
import Testing

@Suite("Plan reader")
struct PlanReaderTests {
    private static let sample = #"""
         {
          "tasks" : [ {"id":"t1","tool_name":"x","args":{"q":"a { b } \" \\"}},
            {"id":"é\\","n":[[],{}]} , 12, "s\"]", null],
          "join_instruction": "say \"é\" \u00e9"}
        """#

    private struct Seen: Equatable {
        var nodes: [String] = []
        var joinInstruction: String?
    }

    private func read(_ pieces: [ArraySlice<UInt8>]) throws -> Seen {
        var reader = PlanReader()
        var seen = Seen()
        for piece in pieces {
            try reader.feed(piece) { seen.nodes.append($0.text) }
        }
        seen.joinInstruction = try reader.finish()
        return seen
    }

    @Test("Nodes come out as written, whatever is around them")
    func readsSample() throws {
        let seen = try read([Array(Self.sample.utf8)[...]])
        #expect(
            seen
                == Seen(
                    nodes: [
                        #"{"id":"t1","tool_name":"x","args":{"q":"a { b } \" \\"}}"#,
                        #"{"id":"é\\","n":[[],{}]}"#, "12", #""s\"]""#, "null",
                    ],
                    joinInstruction: #"say "é" é"#
                )
        )
    }

    @Test("A field that no plan has is a problem that names the one that was meant")
    func unknownFields() throws {
        for (field, meant) in [
            ("task", "did you mean tasks?"), ("nodes", "did you mean tasks?"),
            ("join_instuction", "did you mean join_instruction?"),
            ("other", "known are tasks, join_instruction"),
        ] {
            let text = #"{"\#(field)": {"a": [1, {"b": "]}\""}], "tasks": [3]}, "tasks": [1]}"#
            let error = #expect(throws: PlanProblems.self) { try read([Array(text.utf8)[...]]) }
            let problem = try #require(error?.problems.first)
            #expect(problem.code == .badPlan)
            #expect(problem.message == "the plan has the unknown field \"\(field)\"; \(meant)")
        }
    }

    @Test("Every split of the bytes in two gives the same")
    func everySplit() throws {
        let bytes = Array(Self.sample.utf8)
        let whole = try read([bytes[...]])
        for cut in 0...bytes.count {
            // A piece of its own buffer, as from a socket, with other bytes around it.
            let tail = [0x7B] + bytes[cut...] + [0x7D]
            let seen = try read([bytes[..<cut], tail[1..<(tail.count - 1)]])
            #expect(seen == whole, "cut at \(cut)")
        }
    }

    @Test("Byte by byte gives the same, and each node comes with its last byte")
    func byteByByte() throws {
        let bytes = Array(Self.sample.utf8)
        let whole = try read([bytes[...]])
        #expect(try read(bytes.indices.map { bytes[$0...$0] }) == whole)

        var reader = PlanReader()
        var count = 0
        let early = Array(#"{"tasks":[{"id":"t1"}"#.utf8)
        try reader.feed(early.dropLast()[...]) { _ in count += 1 }
        #expect(count == 0)
        try reader.feed(early.suffix(1)) { _ in count += 1 }
        #expect(count == 1)
    }

    @Test(
        "Other pleasant documents",
        arguments: [
            (#"{"tasks":[]}"#, 0), (#" { "tasks" : [ ] } "#, 0),
            (#"{"join_instruction":null,"tasks":[{}]}"#, 1), ("{\r\n\"tasks\":\t[{},{}]}\n", 2),
            (#"{"\u0074asks":[{}]}"#, 1), (#"{"tasks":[1 ,2]}"#, 2),
        ]
    )
    func accepts(_ text: String, _ nodes: Int) throws {
        let seen = try read([Array(text.utf8)[...]])
        #expect(seen.nodes.count == nodes)
        #expect(seen.joinInstruction == nil)
    }

    @Test(
        "What is not JSON is refused where it is",
        arguments: [
            ("", "the plan is empty"),
            ("  ", "the plan ends at byte 2, where the { of a plan should come"),
            ("[]", "at byte 0 stands [, where the { of a plan should come"),
            ("\u{FEFF}{}", "at byte 0 stands the byte 0xEF, where the { of a plan should come"),
            ("{", "the plan ends at byte 1, where a key or } should come"),
            ("{,", "at byte 1 stands ,, where a key or } should come"),
            (#"{"tasks""#, "the plan ends at byte 8, where a colon should come"),
            (#"{"tasks",1}"#, "at byte 8 stands ,, where a colon should come"),
            (#"{"tasks":[{}"#, "the plan ends at byte 12, where a comma or ] should come"),
            (#"{"tasks":[{},]}"#, "at byte 13 stands ], where a node should come"),
            (#"{"tasks":[,{}]}"#, "at byte 10 stands ,, where a node or ] should come"),
            (#"{"tasks":[{} {}]}"#, "at byte 13 stands {, where a comma or ] should come"),
            (#"{"tasks":[{}]"#, "the plan ends at byte 13, where a comma or } should come"),
            (#"{"tasks":[{}],}"#, "at byte 14 stands }, where a key should come"),
            (#"{"tasks":[{}]} x"#, "at byte 15 stands x, where nothing more should come"),
            (#"{"tasks":[{}]}{"#, "at byte 14 stands {, where nothing more should come"),
            (
                #"{"tasks":[{},{"id":"#,
                "the plan ends at byte 19, where the rest of the 2nd node (at byte 13) should come"
            ),
            (
                #"{"a":tru"#,
                "the plan ends at byte 8, where the rest of the value at byte 5 should come"
            ),
            (#"{"a":"#, "the plan ends at byte 5, where a value should come"),
            (#"{"a":}"#, "at byte 5 stands }, where a value should come"),
        ]
    )
    func refuses(_ text: String, _ message: String) throws {
        let bytes = Array(text.utf8)
        let expected = [PlanProblem(code: .badJSON, message: message)]
        #expect(try problems { _ = try read([bytes[...]]) } == expected)
        #expect(try problems { _ = try read(bytes.indices.map { bytes[$0...$0] }) } == expected)
    }

    @Test(
        "A value that is not JSON is named with its place",
        arguments: [
            (#"{"tasks":[{},{"a":tru}]}"#, "the 2nd node (at byte 13) is not valid JSON"),
            (#"{"tasks":[{"a":[}]}]}"#, "the 1st node (at byte 10) is not valid JSON"),
            (#"{"tasks":[nul]}"#, "the 1st node (at byte 10) is not valid JSON"),
            (#"{"x":01,"tasks":[]}"#, "the value at byte 5 is not valid JSON"),
            (
                #"{"tasks":["# + String(repeating: "[", count: 66),
                "the 1st node (at byte 10) is nested deeper than 64 levels"
            ),
        ]
    )
    func refusesValues(_ text: String, _ message: String) throws {
        let found = try problems { _ = try read([Array(text.utf8)[...]]) }
        #expect(outline(found) == ["bad_json"])
        #expect(found.first?.message.hasPrefix(message) == true, "\(found)")
    }

    @Test("An error is final")
    func errorIsFinal() throws {
        var reader = PlanReader()
        let first = try problems { try reader.feed(Array("x".utf8)[...]) { _ in } }
        let again = try problems { try reader.feed(Array("{}".utf8)[...]) { _ in } }
        #expect(first == again)
        #expect(try problems { _ = try reader.finish() } == first)
    }

    @Test(
        "Faults of form are told at the end, the nodes before that",
        arguments: [
            ("{}", 0, ["the plan has no tasks"]),
            (
                #"{"tasks":{}}"#, 0,
                ["the plan has an object as its tasks; it must be a list of nodes"]
            ),
            (#"{"tasks":[1],"tasks":[2,3]}"#, 1, ["the plan has tasks twice"]),
            (
                #"{"join_instruction":5,"join_instruction":"x","tasks":[1]}"#, 1,
                [
                    "the join_instruction is a number; it must be a string",
                    "the plan has a join_instruction twice",
                ]
            ),
        ]
    )
    func faultsOfForm(_ text: String, _ nodes: Int, _ messages: [String]) throws {
        var reader = PlanReader()
        var count = 0
        try reader.feed(Array(text.utf8)[...]) { _ in count += 1 }
        #expect(count == nodes)
        let found = try problems { _ = try reader.finish() }
        #expect(found.map(\.message).starts(with: messages))
        #expect(Set(found.map(\.code)) == [.badPlan])
    }

    @Test("A join instruction has a limit")
    func joinInstructionLimit() throws {
        func text(_ count: Int) -> [UInt8] {
            Array(
                #"{"tasks":[],"join_instruction":"\#(String(repeating: "j", count: count))"}"#.utf8
            )
        }
        #expect(try read([text(16 << 10)[...]]).joinInstruction?.utf8.count == 16 << 10)
        #expect(try outline(problems { _ = try read([text((16 << 10) + 1)[...]]) }) == ["limit"])
    }

    @Test("A node larger than the limit is refused while it arrives")
    func nodeLimit() throws {
        var reader = PlanReader()
        try reader.feed(Array(#"{"tasks":[{"a":""#.utf8)[...]) { _ in }
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        var pieces = 0
        let found = try problems {
            while pieces < 40 {
                try reader.feed(piece[...]) { _ in }
                pieces += 1
            }
        }
        #expect(outline(found) == ["limit"])
        #expect(pieces == 31)
    }
}
