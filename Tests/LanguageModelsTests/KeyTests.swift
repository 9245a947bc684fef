// Keys: where they come from, and that they never appear in any output.
import Foundation
import HTTPTestKit
import JSON
import PlannerCore
import Testing

@testable import LanguageModels

/// A key that must not appear anywhere.
private let canary = "sk-canary-7Hq2ZxW9vLr4"

/// Writes a file of that mode and passes its path to the body.
func withFile<Value>(
    _ text: String,
    mode: Int = 0o600,
    name: String = "file",
    _ body: (String) throws -> Value
) throws -> Value {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("weft-models-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent(name).path
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return try body(path)
}

@Suite("Keys")
struct KeyTests {
    @Test("Reads a key from the environment or from a file, without the blanks around it")
    func sources() throws {
        let fromEnvironment = try ModelKey(.environment("K"), environment: ["K": " \(canary)\n"])
        #expect(fromEnvironment.text == canary)
        for mode in [0o600, 0o400, 0o440] {
            try withFile("\(canary)\n\n", mode: mode) { path in
                let key = try ModelKey(.file(path), environment: [:])
                #expect(key.text == canary)
            }
        }
    }

    @Test("Refuses an invalid key, with advice and without its content")
    func refusals() throws {
        func problem(_ source: ModelKeySource, _ environment: [String: String] = [:]) -> String {
            do {
                _ = try ModelKey(source, environment: environment)
                return "none"
            } catch {
                return error.description
            }
        }
        #expect(problem(.environment("K")).contains("is not set"))
        #expect(problem(.environment("K"), ["K": ""]).contains("is not set"))
        for text in ["two \(canary)", "\(canary)\u{E4}", "\(canary)\r\nX-Evil: 1"] {
            let words = problem(.environment("K"), ["K": text])
            #expect(words.contains("contains no key") && !words.contains("canary"))
        }
        #expect(problem(.file("/nonexistent/key")).contains("no key file"))
        #expect(problem(.file("/")).contains("cannot be read"))
        for mode in [0o644, 0o604, 0o620] {
            try withFile(canary, mode: mode) { path in
                #expect(problem(.file(path)).contains("chmod 600"))
            }
        }
        for text in ["", " \n", "two words", String(repeating: "k", count: 10_000)] {
            try withFile(text) { path in
                #expect(problem(.file(path)).contains("contains no key"))
            }
        }
    }

    @Test("Printing a key in any way does not show it")
    func printing() throws {
        let key = try #require(ModelKey(canary))
        var dumped = ""
        dump(key, to: &dumped)
        dump([key], to: &dumped)
        for text in [
            "\(key)", String(reflecting: key), "\([key])", "\(Optional(key) as Any)", dumped,
        ] {
            #expect(!text.contains("canary"))
        }
    }

    @Test("Removes pieces of a key from text, and nothing else")
    func redacting() {
        let redactor = Redactor([canary])
        #expect(redactor.redact("no key here: sk-c") == "no key here: sk-c")
        #expect(redactor.redact("<\(canary)>") == "<[key]>")
        #expect(redactor.redact("\(canary)\(canary)") == "[key][key]")
        #expect(redactor.redact("start \(canary.prefix(12))…") == "start [key]…")
        #expect(redactor.redact("end \(canary.suffix(9))") == "end [key]")
        #expect(
            redactor.redact(canary.prefix(12) + "***" + canary.suffix(4)).contains("***9vLr4")
                == false
        )
        #expect(Redactor(["none"]).redact("is none, non") == "is [key], non")
        #expect(Redactor([""]).redact("text") == "text")
        #expect(Redactor([]).redact("text") == "text")
    }

    /// Ways in which a provider may send back the key.
    enum Echo: CaseIterable, Sendable {
        case refusal
        case plainRefusal
        case redirect
        case longWait
        case errorInStream
        case badChunk
        case cutAtTheLimit
    }

    @Test(
        "A provider that sends the key back gets it into no event",
        arguments: Interface.allCases,
        Echo.allCases
    )
    func echoes(_ interface: Interface, _ echo: Echo) async throws {
        let result = try await call(interface, key: canary) {
            $0.retries = 0
        } script: { _, request, exchange in
            let header = request.header("authorization") ?? request.header("x-api-key") ?? ""
            #expect(header.contains(canary))
            let error = "{\"error\":{\"message\":\"bad key \(header)\",\"type\":\"\(header)\"}}"
            switch echo {
            case .refusal: exchange.respond(401, error)
            case .plainRefusal: exchange.respond(403, "what is \(header)?")
            case .redirect: exchange.respond(302, headers: ["Location: http://x/\(header)"], "")
            case .longWait: exchange.respond(429, headers: ["Retry-After: 500"], error)
            case .errorInStream: exchange.stream("event: error\ndata: \(error)\n\n")
            case .badChunk: exchange.stream("data: \(header)\n\n")
            case .cutAtTheLimit:
                exchange.respond(401, String(repeating: "x", count: 485) + header)
            }
        }
        let failure = try #require(result.events.failure)
        let text = "\(result.events) \(String(reflecting: result.events)) \(failure)"
        for length in [canary.count, 8] {
            for start in 0...(canary.count - length) {
                let piece = canary.dropFirst(start).prefix(length)
                #expect(!text.contains(piece))
            }
        }
    }
}
