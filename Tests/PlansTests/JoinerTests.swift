// Outcomes put together, by the forms that need no model.

import JSON
import Joining
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

    @Test("Concat writes a block a node in the order of the plan, and the instruction last")
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

    @Test("Json is an object by id, with errors in the place of outputs")
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
}
