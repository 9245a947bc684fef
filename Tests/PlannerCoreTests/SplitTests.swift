// The result depends only on the text, never on its split into pieces; and no text makes the reader
// trap. Each seed is one text: `WEFT_SEEDS` is the number of seeds, `WEFT_SEED` is one to replay.

import Core
import JSON
import PlannerCore
import Plans
import Testing

@Suite("Any split")
struct SplitTests {
    private static let textPieces = [
        "1. search(\"a\")\n", "2. math(\"$1\", [1, {'k': \"$1\"}])\n", "3. add(1, 2", "\n",
        "4. store({\"a\": \"é😀\\u00e9\"}, tag='x')", " # note (x)\n", "Thought: hm (a)\n", "```\n",
        "5. search(\"\"\"long\n6. search(b)\n\"\"\")\n", "6. fetch(1)\n", "7. join()",
        "<END_OF_PLAN>",
        "8. math($9)\n", "9. search(\"$15 and $$\")\n", "1. search(b)\n", "search(a)\n", "\"", "'",
        "(", ")", "[", "]", "{", "}", "\\", ",", "=", "$", "${1", "<END_OF", "10. ", "2) ", "join(",
        "\u{0}", "\r\n", "True", "None", "-1.5e3", "\\ud83d", "math(", "\"\"\"",
    ]
    private static let jsonPieces = [
        "{\"tasks\":[", "{\"id\":\"t1\",\"tool_name\":\"search\",\"args\":{\"query\":\"é😀\"}}", ",",
        "{\"id\":\"t2\",\"tool_name\":\"math\",\"args\":{\"problem\":\"$t1 $15\"}}", "]", "}", "{",
        "{\"id\":\"t3\",\"tool_name\":\"add\",\"args\":{\"a\":\"$t4\",\"b\":1}}", "[", "\"",
        "{\"id\":\"t4\",\"tool_name\":\"add\",\"args\":{\"a\":1,\"b\":null}}", "\"tasks\":", "null",
        ",\"join_instruction\":\"x\\u00e9\"", "{\"id\":7,\"tool_name\":\"fetch\"}", "\"plan\":{",
        ":",
        "```json\n", "prose {x} ", "\\", "1.5", "true", "\"a\":[1,{}],", "{'id': 1}", "\n", "\u{0}",
    ]
    private static let replyPieces = [
        "Thought: x (y)\n", "Action: Finish(", "Action: Replan(", "f(x) + 1", ")", "\n", " ", "é😀",
        "{\"action\":\"finish\",", "\"answer\":\"", "\\ud83d", "\\ude00", "\\u12", "\\n", "\"", "}",
        "\"reason\":\"r\"", ",", "{", "null", "[1,", "]", "```json\n", ").", ") #", "Replanting",
        "\\",
        "\"action\":\"replan\",", "1) ", "<END", "\u{0}",
    ]

    /// A text of pieces, of bytes, or of both; half of them begin well.
    private func bytes(
        from pieces: [String],
        beginning beginnings: [String],
        using generator: inout SplitMix64
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        if Bool.random(using: &generator) {
            bytes += (beginnings.randomElement(using: &generator) ?? "").utf8
        }
        let noise = Int.random(in: 0...3, using: &generator)
        for _ in 0..<Int.random(in: 0...14, using: &generator) {
            if Int.random(in: 0..<4, using: &generator) < noise - 1 {
                bytes.append(UInt8.random(in: 0...255, using: &generator))
            } else {
                bytes += (pieces.randomElement(using: &generator) ?? "").utf8
            }
        }
        return bytes
    }

    @Test("Plans read the same in any split, for any content", arguments: PlanFormat.allCases)
    func plans(format: PlanFormat) throws {
        let pieces = format == .text ? SplitTests.textPieces : SplitTests.jsonPieces
        let beginnings =
            format == .text ? [pieces[0] + pieces[1]] : [pieces[0], pieces[0] + pieces[1]]
        let ledger = PlanLedger(nodes: [try definition("old", "search", #"{"query":"a"}"#)])
        var found = 0
        for seed in seeds(1500) {
            var generator = SplitMix64(seed: seed)
            let bytes = bytes(from: pieces, beginning: beginnings, using: &generator)
            let isCut = Bool.random(using: &generator)
            let room = Int.random(in: 0...6, using: &generator)
            let whole = read(bytes, format, ledger: ledger, room: room, isCut: isCut)
            found += whole.nodes.count
            for _ in 0..<3 {
                let sizes = splits(of: bytes.count, using: &generator)
                let split = read(
                    bytes,
                    format,
                    ledger: ledger,
                    room: room,
                    isCut: isCut,
                    sizes: sizes
                )
                try #require(
                    split == whole,
                    "WEFT_SEED=\(seed): \(String(decoding: bytes, as: UTF8.self))"
                )
            }
            try expectGrowth(whole, room: room)
        }
        #expect(found > 300 || seeds(1500).count < 1500)
    }

    /// Each node can be added at once, without waiting for an id, and has a known tool.
    private func expectGrowth(_ reading: Reading, room: Int) throws {
        var plan = Plan()
        try plan.append([definition("old", "search", #"{"query":"a"}"#)])
        for node in reading.nodes {
            try #require(tools.contains { $0.name == node.definition.tool })
            let growth = try plan.append([node.definition])
            try #require(growth.held.isEmpty)
        }
        try #require(reading.nodes.count <= room)
        // Every dropped text was reported.
        try #require(
            !reading.nodes.isEmpty || !reading.codes.isEmpty || !reading.warnings.isEmpty
        )
    }

    @Test("Random bytes neither trap nor hang", arguments: PlanFormat.allCases)
    func noise(format: PlanFormat) {
        for seed in seeds(300) {
            var generator = SplitMix64(seed: seed)
            let count = Int.random(in: 0...400, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let sizes = splits(of: count, using: &generator)
            #expect(
                read(bytes, format, sizes: sizes) == read(bytes, format),
                "WEFT_SEED=\(seed)"
            )
            #expect(decide(bytes, sizes: sizes) == decide(bytes), "WEFT_SEED=\(seed)")
        }
    }

    @Test("Decisions read the same in any split, and their text is the answer")
    func decisions() throws {
        var answers = 0
        for seed in seeds(3000) {
            var generator = SplitMix64(seed: seed)
            let bytes = bytes(
                from: SplitTests.replyPieces,
                beginning: ["Action: Finish(", #"{"action":"finish","answer":""#],
                using: &generator
            )
            let isCut = Bool.random(using: &generator)
            let whole = decide(bytes, isCut: isCut)
            for _ in 0..<3 {
                let sizes = splits(of: bytes.count, using: &generator)
                try #require(
                    decide(bytes, isCut: isCut, sizes: sizes) == whole,
                    "WEFT_SEED=\(seed): \(String(decoding: bytes, as: UTF8.self))"
                )
            }
            if case .success(.finish(let answer)) = whole.decision, answer.kind == .string {
                answers += 1
                try #require(answer.stringValue == whole.text)
            }
            if case .success(.replan) = whole.decision { try #require(whole.text == "") }
        }
        #expect(answers > 100 || seeds(3000).count < 3000)
    }

    @Test("Reads texts that are made to be slow", .timeLimit(.minutes(5)))
    func slowTexts() {
        let count = 5000
        for piece in [
            "${,", "$a[,", "[", "{\"a\":", "(", "\"", "'''", "\n(", "\n1. f(", "$1,", "\\", "<",
            "\"a\" ", "[1,]", "\n2. search(a)", "\\ud83d", "1. ",
        ] {
            let text = String(repeating: piece, count: count)
            for beginning in [
                "", "1. store([", "1. search(", "{\"tasks\":[", "{\"tasks\":[{\"a\":",
            ] {
                let format = beginning.hasPrefix("{") ? PlanFormat.json : .text
                _ = read(Array((beginning + text + ")").utf8), format)
            }
        }
        for piece in [" ", "#", ")", "(", "\n", "\\u", "\\ud83d", "{", "Finish(", ") "] {
            let text = String(repeating: piece, count: count)
            for beginning in ["Action: Finish(a)", "{\"action\":\"finish\",\"answer\":\""] {
                _ = decide(beginning + text)
            }
        }
    }

    @Test("Each prefix of a plan gives a prefix of its nodes")
    func prefixes() {
        let plan = Array(
            "1. search(\"a (b\")\n2. math('$1', \"é\")\n3. store([$1, {\"k\": \"$2\"}])\n4. join()"
                .utf8
        )
        let whole = read(plan, .text).nodes
        for end in plan.indices {
            let nodes = read(Array(plan[..<end]), .text, isCut: true).nodes
            #expect(nodes == Array(whole.prefix(nodes.count)), "\(end)")
        }
    }
}
