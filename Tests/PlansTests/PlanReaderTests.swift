// The incremental reader: the same nodes in any split, and errors with positions.

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

    @Test("Delivers nodes as written, with any text around them")
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

    @Test("Reports an unknown field and suggests the right one")
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

    @Test("Gives the same in every split in two")
    func everySplit() throws {
        let bytes = Array(Self.sample.utf8)
        let whole = try read([bytes[...]])
        for cut in 0...bytes.count {
            // A piece with its own buffer, like that of a socket, with other bytes around it.
            let tail = [0x7B] + bytes[cut...] + [0x7D]
            let seen = try read([bytes[..<cut], tail[1..<(tail.count - 1)]])
            #expect(seen == whole, "cut at \(cut)")
        }
    }

    @Test("Gives the same byte by byte, each node with its last byte")
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

    /// A document that is refused, with the position and the reason.
    struct Refusal: Sendable, CustomTestStringConvertible {
        var text: String
        /// `line:column`.
        var place: String
        var message: String

        init(_ text: String, _ place: String, _ message: String) {
            self.text = text
            self.place = place
            self.message = message
        }

        var testDescription: String { text }

        static let documents = [
            Refusal("", "", "the plan is empty"),
            Refusal("  ", "1:3", "expected { to begin the plan, found the end of the text"),
            Refusal("[]", "1:1", "expected { to begin the plan, found ["),
            Refusal("\u{FEFF}{}", "1:1", "expected { to begin the plan, found the byte 0xEF"),
            Refusal("{", "1:2", "expected a key or }, found the end of the text"),
            Refusal("{,", "1:2", "expected a key or }, found ,"),
            Refusal(#"{"tasks""#, "1:9", "expected a colon, found the end of the text"),
            Refusal(#"{"tasks",1}"#, "1:9", "expected a colon, found ,"),
            Refusal(#"{"tasks":[{}"#, "1:13", "expected a comma or ], found the end of the text"),
            Refusal(#"{"tasks":[{},]}"#, "1:14", "expected a node, found ]"),
            Refusal(#"{"tasks":[,{}]}"#, "1:11", "expected a node or ], found ,"),
            Refusal(#"{"tasks":[{} {}]}"#, "1:14", "expected a comma or ], found {"),
            Refusal(#"{"tasks":[{}]"#, "1:14", "expected a comma or }, found the end of the text"),
            Refusal(#"{"tasks":[{}],}"#, "1:15", "expected a key, found }"),
            Refusal(#"{"tasks":[{}]} x"#, "1:16", "expected the end of the plan, found x"),
            Refusal("{\"tasks\":\n [{}]}\n{", "3:1", "expected the end of the plan, found {"),
            Refusal(#"{"tasks":[{},{"id":"#, "1:20", "the 2nd node is not complete"),
            Refusal("{\"tasks\":[{},\n {\"id\":\"é}]}", "2:8", "the 2nd node is not complete"),
            Refusal(#"{"a":tru"#, "1:6", "the value of \"a\" is not complete"),
            Refusal(#"{"tas"#, "1:2", "a key is not complete"),
            Refusal(#"{"a":"#, "1:6", "expected a value, found the end of the text"),
            Refusal(#"{"a":}"#, "1:6", "expected a value, found }"),
        ]

        static let values = [
            Refusal(#"{"tasks":[{},{"a":tru}]}"#, "1:19", "the 2nd node is not valid JSON"),
            Refusal("{\"tasks\":[\n {\"é\":[}]}]}", "2:8", "the 1st node is not valid JSON"),
            Refusal(#"{"tasks":[nul]}"#, "1:11", "the 1st node is not valid JSON"),
            Refusal(#"{"x":01,"tasks":[]}"#, "1:6", "the value of \"x\" is not valid JSON"),
            Refusal(#"{"a\q":1}"#, "1:4", "a key is not valid JSON"),
            Refusal(
                #"{"tasks":["# + String(repeating: "[", count: 66),
                "1:76",
                "the 1st node is nested deeper than 64 levels"
            ),
        ]
    }

    /// The problems, the same in every split.
    private func refusal(_ text: String) throws -> PlanProblem? {
        let bytes = Array(text.utf8)
        let found = try problems { _ = try read([bytes[...]]) }
        #expect(try problems { _ = try read(bytes.indices.map { bytes[$0...$0] }) } == found)
        #expect(found.count == 1)
        #expect(found.first?.code == .badJSON)
        return found.first
    }

    private func place(_ problem: PlanProblem?) -> String {
        problem?.position.map { "\($0.line):\($0.column)" } ?? ""
    }

    @Test("Refuses a document that is not JSON, with line and column", arguments: Refusal.documents)
    func refuses(_ refusal: Refusal) throws {
        let problem = try self.refusal(refusal.text)
        #expect(problem?.message == refusal.message)
        #expect(place(problem) == refusal.place)
    }

    @Test("Refuses a value that is not JSON, with line and column", arguments: Refusal.values)
    func refusesValues(_ refusal: Refusal) throws {
        let problem = try self.refusal(refusal.text)
        #expect(problem?.message.hasPrefix(refusal.message) == true, "\(problem as Any)")
        #expect(place(problem) == refusal.place)
    }

    @Test("A problem with a position names it in its description")
    func description() throws {
        let problem = try #require(try refusal("[]"))
        #expect(
            problem.description
                == "bad_json: line 1, column 1: expected { to begin the plan, found ["
        )
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
        "Reports faults of form at the end, the nodes before that",
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

    @Test("Refuses a node larger than the limit while it arrives")
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
