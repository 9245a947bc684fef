// Lines with one value that is not JSON: a fault of one attempt or submission ends nothing else,
// and a line that is broken itself is still refused.
import Core
import JSON
import Testing
import Wire

@Suite("Values that are not JSON") struct MendingTests {
    static let badValues = [
        #""\ud800""#, "NaN", "[1,-Infinity]", "{\"a\":\"\u{1}\"}", "nul", "[1,]", "01", "{'a':1}",
        #"{"a":"\udc00"}"#, nested(64), nested(300), "undefined",
    ]

    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
    }

    private func decode(_ line: String) throws(WireError) -> Message {
        try Message(decoding: Array(line.utf8)[...])
    }

    @Test("A result with such an output fails its attempt", arguments: badValues)
    func result(value: String) throws {
        for line in [
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":\#(value)}"#,
            #"{"output" : \#(value) , "ok":true,"attempt":"r7/0/1","type":"result"}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":false,"error":\#(value),"duration_us":1}"#,
        ] {
            guard case .result(let result) = try decode(line),
                case .failure(let failure) = result.outcome
            else {
                Issue.record("no failure: \(line)")
                continue
            }
            #expect(result.attempt.description == "r7/0/1")
            #expect(failure.code == .badOutput)
            #expect(!failure.isRetryable)
            #expect(failure.message.contains(" is no JSON: "), "\(failure.message)")
        }
    }

    @Test("Bytes in an output that are not UTF-8 fail its attempt")
    func invalidUTF8() throws {
        var line = Array(#"{"type":"result","attempt":"r7/0/1","ok":true,"output":""#.utf8)
        line += [0xFF, 0xC3] + Array(#""}"#.utf8)
        guard case .result(let result) = try Message(decoding: line[...]),
            case .failure(let failure) = result.outcome
        else { throw WireError(code: .badJSON, message: "no failure") }
        #expect(failure.code == .badOutput)
    }

    @Test("Drops invalid texts for people", arguments: badValues)
    func texts(value: String) throws {
        let attempt = try #require(AttemptID(parsing: Array("r7/0/1".utf8)[...]))
        #expect(
            try decode(#"{"type":"progress","attempt":"r7/0/1","fraction":0.5,"note":\#(value)}"#)
                == .progress(Progress(attempt: attempt, fraction: 0.5, note: nil))
        )
        #expect(
            try decode(#"{"type":"reject","attempt":"r7/0/1","code":"busy","message":\#(value)}"#)
                == .reject(Reject(attempt: attempt, code: .busy))
        )
    }

    @Test("Knows the submission of a plan that is not JSON", arguments: badValues)
    func plans(value: String) throws {
        let line = #"{"type":"submit","key":"k","plan":\#(value)}"#
        guard case .submit(let submit) = try decode(line)
        else { throw WireError(code: .badJSON, message: "no submission") }
        #expect(submit.key == "k")
        #expect(submit.unreadable.first?.hasPrefix("the plan is no JSON: ") == true)
        guard case .nodes(let nodes) = try decode(#"{"type":"nodes","key":"k","tasks":\#(value)}"#)
        else { throw WireError(code: .badJSON, message: "no nodes") }
        #expect(nodes.unreadable.count == 1)
    }

    @Test("Reports a tool whose schema is not JSON separately", arguments: badValues)
    func tools(value: String) throws {
        let tools =
            #"[{"name":"a"} , {"parameters":\#(value),"name":"b"},{"name":"c","parameters":{}}]"#
        guard
            case .register(let register) = try decode(
                #"{"type":"register","slots":2,"tools":\#(tools),"pid":7}"#
            ),
            case .offer(let offer) = try decode(#"{"type":"offer","slots":2,"tools":\#(tools)}"#)
        else { throw WireError(code: .badJSON, message: "no registration") }
        #expect(register.pid == 7)
        for (read, unreadable) in [
            (register.tools, register.unreadable), (offer.tools, offer.unreadable),
        ] {
            #expect(read.map(\.name) == ["a", "c"])
            #expect(unreadable.map(\.name) == ["b"])
            #expect(unreadable.first?.reason.hasPrefix("The parameters is no JSON: ") == true)
        }
    }

    @Test(
        "Reports a tool with a wrong field, or that is not an object, separately",
        arguments: [
            (#"{"name":"b","timeout_ms":-1}"#, "b"), (#"{"name":"b","description":7}"#, "b"),
            (#"{"name":"b","concurrency":1.5}"#, "b"), (#"{"name":""}"#, "tools[1]"),
            (#"{"name":"b","max_attempts":NaN}"#, "b"), ("{}", "tools[1]"), ("7", "tools[1]"),
            ("NaN", "tools[1]"), (#"{"name":NaN}"#, "tools[1]"), ("null", "tools[1]"),
            (#"{"name":"b","name":"c"}"#, "tools[1]"),
        ]
    )
    func wrongTools(tool: String, name: String) throws {
        guard
            case .register(let register) = try decode(
                #"{"type":"register","slots":2,"tools":[{"name":"a"},\#(tool)]}"#
            )
        else { throw WireError(code: .badJSON, message: "no registration") }
        #expect(register.tools.map(\.name) == ["a"])
        #expect(register.unreadable.map(\.name) == [name])
    }

    @Test("A chunk without its data keeps its place, and its value cannot be joined")
    func chunks() throws {
        guard
            case .chunk(let chunk) = try decode(
                #"{"type":"chunk","attempt":"r7/0/1","seq":0,"stream":"value","data":"\ud800"}"#
            )
        else { throw WireError(code: .badJSON, message: "no chunk") }
        #expect(chunk.isUnreadable)
        #expect(chunk.windowBytes == #""\ud800""#.utf8.count)
        var assembler = ChunkAssembler(maximumBytes: 100)
        try assembler.append(chunk)
        let error = #expect(throws: WireError.self) {
            try assembler.finish(.chunked(count: 1, bytes: 5, sha256: nil))
        }
        #expect(error?.code == .badJSON)
    }

    @Test(
        "Refuses a line that is broken itself",
        arguments: [
            #"{"type":"result","attempt":NaN,"ok":true,"output":1}"#,
            #"{"type":NaN,"attempt":"r7/0/1","ok":true,"output":1}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":NaN,"output":1}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":NaN"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":NaN}}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":NaN,}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true "output":NaN}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":NaN,"output":1}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":NaN,"output":NaN}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":1 2}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":[1}"#,
            #"{"type":"result","attempt":"r7/0/1","ok":true,"\ud800":1}"#,
            #"{"type":"ping","n":1,"x":NaN}"#, #"{"type":"ping","n":NaN}"#,
            #"{"type":"submit","key":NaN,"plan":{}}"#,
            #"{"type":"register","slots":2,"tools":[{"name":"a"},NaN"#,
            #"{"type":"register","slots":2,"tools":[{"name":"a"} NaN]}"#,
            #"{"type":"register","slots":2,"tools":NaN}"#,
            #"{"type":"register","slots":NaN,"tools":[]}"#,
        ]
    )
    func broken(line: String) {
        let error = #expect(throws: WireError.self) { try decode(line) }
        #expect(error?.code == .badJSON)
    }

    @Test("An error of a result with any value does not break the protocol")
    func failures() throws {
        let line = #"""
            {"type":"result","attempt":"r7/0/1","ok":false,"error":{"code":"HTTP 404","message":[1],
            "retryable":"yes","exit_code":1.5,"signal":-1,"stderr_tail":7}}
            """#.replacing("\n", with: "")
        guard case .result(let result) = try decode(line),
            case .failure(let failure) = result.outcome
        else { throw WireError(code: .badJSON, message: "no failure") }
        #expect(failure.code == .toolError)
        #expect(failure.message == "HTTP 404: [1]")
        #expect(failure.exitCode == nil)
        #expect(failure.signal == nil)
        #expect(failure.stderrTail == nil)
    }

    @Test(
        "Limits a fraction beyond its range",
        arguments: [
            ("1.5", 1.0), ("-0.25", 0), ("1e400", 1), ("-1e400", 0), ("0.25", 0.25),
        ]
    )
    func fractions(text: String, fraction: Double) throws {
        guard
            case .progress(let progress) = try decode(
                #"{"type":"progress","attempt":"r7/0/1","fraction":\#(text)}"#
            )
        else { throw WireError(code: .badJSON, message: "no progress") }
        #expect(progress.fraction == fraction)
    }
}
