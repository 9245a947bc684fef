// Every kind of message to its line and back, and the errors for invalid lines.
import JSON
import OrderedCollections
import Plans
import Testing

@testable import Wire

/// The message of a line.
func decode(_ line: String) throws(WireError) -> Message {
    try Message(decoding: Array(line.utf8)[...])
}

/// The line of a message, without its line end.
func encode(_ message: Message) -> String {
    var writer = JSONWriter()
    message.encode(into: &writer)
    #expect(writer.bytes.last == UInt8(ascii: "\n"))
    return String(decoding: writer.bytes.dropLast(), as: UTF8.self)
}

/// The error for a refused line.
func refusal(of line: String) -> WireError? {
    do {
        _ = try decode(line)
        return nil
    } catch {
        return error
    }
}

@Suite("Messages and their lines")
struct CodecTests {
    @Test("Every kind of message has an example")
    func everyKindHasAnExample() {
        let kinds = Set(MessageExamples.all.map(\.message.kind))
        for kind in MessageKind.allCases {
            #expect(kinds.contains(kind), "\(kind.rawValue) has none")
        }
    }

    @Test("A message is written as its line", arguments: MessageExamples.all)
    func writes(_ example: MessageExample) {
        #expect(encode(example.message) == example.line)
    }

    @Test("A line is read as its message", arguments: MessageExamples.all)
    func reads(_ example: MessageExample) throws {
        #expect(try decode(example.line) == example.message)
    }

    @Test("Writes messages as separate lines, one after the other")
    func writesLines() throws {
        var writer = JSONWriter()
        for example in MessageExamples.all {
            example.message.encode(into: &writer)
        }
        let lines = MessageExamples.all.map { $0.line + "\n" }.joined()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == lines)
    }

    @Test("Ignores unknown fields", arguments: MessageExamples.all)
    func ignoresUnknownFields(_ example: MessageExample) throws {
        let longer = example.line.dropLast() + #","x_future":{"type":["later"]}}"#
        #expect(try decode(String(longer)) == example.message)
    }

    @Test("The type may come last and fields may be written with escapes")
    func toleratesOtherSpellings() throws {
        let message = try decode(#"{ "attempt" : "r7\/0\/1" , "\u0074ype" : "started" }"#)
        #expect(message == .started(Started(attempt: MessageExamples.attempt)))
    }

    @Test("An optional field that is null counts as absent")
    func nullIsAbsent() throws {
        let line = #"{"type":"reject","attempt":"r7/0/1","code":"busy","message":null}"#
        let rejection = Reject(attempt: MessageExamples.attempt, code: .busy)
        #expect(try decode(line) == .reject(rejection))
    }

    @Test(
        "Reads a reject with an unknown code as busy",
        arguments: ["shortage", "no_gpu", ""]
    )
    func unknownRejectCode(_ code: String) throws {
        let line = #"{"type":"reject","attempt":"r7/0/1","code":"\#(code)","message":"why"}"#
        let reject = Reject(attempt: MessageExamples.attempt, code: .busy, message: "why")
        #expect(try decode(line) == .reject(reject))
    }

    @Test("A coordinator that does not know the field for a shortage reads the reject as busy")
    func shortageIsBusy() throws {
        let reject = Reject(attempt: MessageExamples.attempt, code: .busy, isShortage: true)
        let fields = try JSONValue(parsing: encode(.reject(reject))).objectValue
        #expect(fields?["code"] == "busy")
        #expect(fields?["shortage"] == true)
    }

    @Test("Null is a value where any JSON is allowed")
    func nullIsAValue() throws {
        let line = #"{"type":"event","run":"r7","seq":0,"kind":"joined","data":null,"at_us":1}"#
        let event = EventMessage(
            run: MessageExamples.run,
            sequence: 0,
            kind: .joined,
            data: .null,
            atMicroseconds: 1
        )
        #expect(try decode(line) == .event(event))
        #expect(encode(.event(event)) == line)
    }

    /// Fields of the examples that have a value when they are absent.
    private static let defaulted: Set<String> = [
        "registered.adopt", "registered.abandon", "ack.attempts", "bye.reason", "error.message",
        "error.fatal", "submit.join", "submit.on_missing_tool", "accepted.existing",
        "watch.level", "chunk.encoding", "nodes.last", "launch.groups", "launch.members",
    ]

    @Test("Names a missing field", arguments: MessageKind.allCases)
    func namesMissingFields(_ kind: MessageKind) throws {
        let example = try #require(MessageExamples.all.first { $0.message.kind == kind })
        let fields = try #require(try JSONValue(parsing: example.line).objectValue)
        for key in fields.keys where key != "type" {
            if Self.defaulted.contains("\(kind.rawValue).\(key)") { continue }
            var fewer = fields
            fewer.removeValue(forKey: key)
            let error = refusal(of: RawJSON(.object(fewer)).text)
            #expect(error?.code == .badMessage, "\(kind.rawValue) is read without \(key)")
            #expect(
                error?.message.contains("field \(key) ") == true,
                "\(String(describing: error))"
            )
        }
    }

    /// Fields that take any JSON.
    private static let anyJSON: Set<String> = [
        "dispatch.args", "result.output", "reply.data", "event.data", "submit.plan",
    ]

    @Test("Names a field of the wrong type", arguments: MessageExamples.all)
    func namesIllTypedFields(_ example: MessageExample) throws {
        let kind = example.message.kind.rawValue
        let fields = try #require(try JSONValue(parsing: example.line).objectValue)
        for (key, value) in fields where key != "type" {
            if Self.anyJSON.contains("\(kind).\(key)") { continue }
            var wrong = fields
            wrong[key] = value.stringValue == nil ? "no" : 17
            let error = refusal(of: RawJSON(.object(wrong)).text)
            #expect(error?.code == .badMessage, "\(kind) takes \(RawJSON(.object(wrong)).text)")
            #expect(
                error?.message.contains("field \(key) ") == true,
                "\(String(describing: error))"
            )
        }
    }

    @Test(
        "Names a number out of range with its range",
        arguments: [
            (#"{"type":"ping","n":-1}"#, "n"),
            (#"{"type":"ping","n":9007199254740993}"#, "n"),
            (#"{"type":"ping","n":1.5}"#, "n"),
            (#"{"type":"register","slots":0,"tools":[]}"#, "slots"),
            (#"{"type":"register","slots":4097,"tools":[]}"#, "slots"),
            (#"{"type":"drain","deadline_ms":-5}"#, "deadline_ms"),
            (
                #"{"type":"result","attempt":"r7/0/1","ok":true,"output":1,"duration_us":-1}"#,
                "duration_us"
            ),
            (#"{"type":"window","attempt":"r7/0/1","bytes":-1}"#, "bytes"),
            (
                #"{"type":"cancel","attempt":"r7/0/1","reason":"timeout","grace_ms":-1}"#,
                "grace_ms"
            ),
            (
                #"{"type":"result","attempt":"r7/0/1","ok":true,"output_chunks":{"count":0,"bytes":1}}"#,
                "count"
            ),
        ]
    )
    func namesRange(_ line: String, _ field: String) {
        let error = refusal(of: line)
        #expect(error?.code == .badMessage)
        #expect(error?.message.contains("field \(field) ") == true, "\(String(describing: error))")
    }

    @Test("Reads the largest whole number of the protocol")
    func readsLargestInteger() throws {
        #expect(try decode(#"{"type":"ping","n":9007199254740992}"#) == .ping(Ping(n: 1 << 53)))
    }

    @Test(
        "Refuses invalid ids and names",
        arguments: [
            (#"{"type":"started","attempt":"r7/0"}"#, "attempt"),
            (#"{"type":"started","attempt":"r7/0/0"}"#, "attempt"),
            (#"{"type":"ack","attempts":["r7/0/1",3]}"#, "attempts"),
            (#"{"type":"watch","run":"R7"}"#, "run"),
            (#"{"type":"drain","worker":"a b"}"#, "worker"),
            (#"{"type":"get","request":1,"what":"node","node":"a b"}"#, "node"),
            (#"{"type":"get","request":1,"what":"weather"}"#, "what"),
            (#"{"type":"submit","key":"","plan":{}}"#, "key"),
            (#"{"type":"submit","key":"k"}"#, "plan"),
            (#"{"type":"auth","mac":"a7"}"#, "mac"),
            (#"{"type":"register","slots":1}"#, "tools"),
            (#"{"type":"register","slots":1,"tools":[],"labels":{"a":1}}"#, "labels"),
            (#"{"type":"result","attempt":"r7/0/1","ok":false,"error":{}}"#, "code"),
            (
                #"{"type":"chunk","attempt":"r7/0/1","request":1,"seq":0,"stream":"value","data":""}"#,
                "request"
            ),
            (
                #"{"type":"chunk","attempt":"r7/0/1","seq":0,"stream":"value","encoding":"base64","data":"/"}"#,
                "data"
            ),
            (#"{"type":"error","code":"bad_plan","problems":[1]}"#, "problems"),
            (
                #"{"type":"dispatch","attempt":"r7/0/1","run":"r7","node":"t1","tool":"x","args":1,"args_chunks":{"count":1,"bytes":1},"lease_ms":1,"max_output":1,"number":1}"#,
                "args"
            ),
        ]
    )
    func refusesBadNames(_ line: String, _ field: String) {
        let error = refusal(of: line)
        #expect(error?.code == .badMessage)
        #expect(error?.message.contains("field \(field) ") == true, "\(String(describing: error))")
    }

    @Test(
        "An unknown type has its own code",
        arguments: [#"{"type":"teleport"}"#, #"{"type":""}"#, #"{"type":"Ping","n":1}"#]
    )
    func namesUnknownType(_ line: String) {
        #expect(refusal(of: line)?.code == .unknownType)
    }

    @Test(
        "A type that is not a string, or is missing, is a bad message",
        arguments: ["{}", #"{"type":1}"#]
    )
    func refusesMissingType(_ line: String) {
        #expect(refusal(of: line)?.code == .badMessage)
    }

    @Test(
        "A line that is not a JSON object is bad JSON",
        arguments: ["", "[]", "1", "{", #"{"type":"ping","n":1}x"#, #"{"n":1,"n":2}"#, "hello"]
    )
    func refusesOtherText(_ line: String) {
        #expect(refusal(of: line)?.code == .badJSON)
    }

    @Test("Does not reveal which roles and names exist")
    func hidesRoles() {
        let nonce = MessageExamples.digits
        for (role, name) in [("root", "ada"), ("client", "a b"), ("client", "")] {
            let line =
                #"{"type":"hello","versions":[1],"role":"\#(role)","name":"\#(name)","nonce":"\#(nonce)"}"#
            #expect(refusal(of: line) == WireError.authFailed)
        }
    }

    @Test("Distinguishes the names of all kinds without making a string")
    func findsKinds() {
        for kind in MessageKind.allCases {
            #expect(MessageKind(typeName: Array(kind.rawValue.utf8)[...]) == kind)
        }
    }
}
