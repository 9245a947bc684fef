// Outcomes joined by the forms that need no model.

import Core
import JSON
import Plans
import Testing

@Suite("Joiners")
struct JoinerTests {
    private func parts() throws -> [JoinPart] {
        [
            JoinPart(id: try id("t1"), tool: "search", outcome: .succeeded(RawJSON("a \"b\"\nc"))),
            JoinPart(
                id: try id("t2"),
                tool: "sum",
                outcome: .succeeded(try RawJSON(validating: #"{"a": [1, 2],  "b c" : " x "}"#))
            ),
            JoinPart(
                id: try id("t3"),
                tool: "sum",
                outcome: .failed(Failure(code: .timeout, message: "took longer than 5 s"))
            ),
            JoinPart(id: try id("t4"), tool: "say", outcome: .skipped(because: try id("t3"))),
            JoinPart(id: try id("t5"), tool: "say", outcome: .cancelled),
            JoinPart(id: try id("t6"), tool: "num", outcome: .succeeded(RawJSON(7))),
        ]
    }

    @Test("Concat writes a block for each node in the order of the plan, then the instruction")
    func concat() throws {
        let expected = """
            [search] a "b"
            c

            [sum] {"a":[1,2],"b c":" x "}

            [sum] ERROR: took longer than 5 s

            [say] ERROR: skipped because t3 failed

            [say] ERROR: cancelled

            [num] 7
            """
        #expect(Joiner.concat(parts: try parts(), joinInstruction: nil) == expected)
        #expect(Joiner.concat(parts: try parts(), joinInstruction: "") == expected)
        #expect(
            Joiner.concat(parts: try parts(), joinInstruction: "Say it.")
                == expected + "\n\nJoin: Say it."
        )
        #expect(Joiner.concat(parts: [], joinInstruction: nil) == "")
    }

    @Test("Json is an object by id, with errors instead of missing outputs")
    func json() throws {
        let joined = Joiner.json(parts: try parts())
        #expect(throws: Never.self) { try RawJSON(validating: joined.bytes) }
        let tree = JSONValue(joined)
        #expect(tree["t1"] == "a \"b\"\nc")
        #expect(tree["t2"] == ["a": [1, 2], "b c": " x "])
        #expect(tree["t3"] == ["error": ["code": "timeout", "message": "took longer than 5 s"]])
        #expect(tree["t4"]?["error"]?["message"] == "skipped because t3 failed")
        #expect(tree["t4"]?["error"]?["code"] == "skipped")
        #expect(tree["t5"]?["error"]?["code"] == "cancelled")
        #expect(tree["t6"] == 7)
        #expect(Joiner.json(parts: []).text == "{}")
    }

    @Test("An answer shares long text, and escapes text inside strings")
    func sharedOutputs() throws {
        let long = RawJSON(String(repeating: "é", count: 5_000))
        let object: RawJSON = .init(trusted: Array(#"{ "a" : "\u00e9\"" }"#.utf8)[...])
        var join = AnswerJoin(.concat)
        for (id, output) in [("a", long), ("b", object)] {
            join.append(
                JoinPart(id: try #require(NodeID(id)), tool: "t", outcome: .succeeded(output))
            )
        }
        let answer = join.finish(joinInstruction: #"Say "it"."#)
        #expect(answer.ownBytes < 100)
        #expect(
            answer.joined.stringValue
                == "[t] \(String(repeating: "é", count: 5_000))\n\n"
                + #"[t] {"a":"é\""}"# + "\n\n" + #"Join: Say "it"."#
        )
    }

    @Test(
        "The beginning of a text is that of the whole text",
        arguments: [
            #"a"#, #"\n\\"#, #"\u00e9"#, #"\ud83d\ude00"#, #"é"#, #"😀"#,
            #"\/x\u0041😀\ud83d\ude00é"#,
        ],
        0..<14
    )
    func textBeginnings(_ piece: String, _ padding: Int) throws {
        let written =
            #"""# + String(repeating: "p", count: padding) + String(repeating: piece, count: 400)
            + #"""#
        let value = RawJSON(trusted: Array(written.utf8)[...])
        let whole = value.plainText
        for bytes in [1, 7, 20, 33] {
            let start = value.plainText(atLeast: bytes)
            let isBeginning = whole.hasPrefix(start)
            #expect(isBeginning, "\(start)")
            #expect(start.utf8.count >= bytes)
        }
        #expect(value.plainText(atLeast: 100_000) == whole)
    }
}
