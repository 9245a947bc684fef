// Failures between a call and its provider: refusals, silence, broken connections, cancelling.
import Core
import HTTPTestKit
import JSON
import PlannerCore
import TestKit
import Testing
import UVLoop

@testable import HTTP
@testable import LanguageModels

@Suite("Failing providers")
struct ProviderFailureTests {
    @Test(
        "A status is retried or not, and has its code",
        arguments: Interface.allCases,
        [
            (400, "bad_configuration", 1), (401, "refused_key", 1), (403, "refused_key", 1),
            (404, "bad_configuration", 1), (408, "server_error", 3), (409, "server_error", 3),
            (413, "too_long", 1), (429, "rate_limited", 3), (500, "server_error", 3),
            (503, "server_error", 3), (529, "server_error", 3),
        ]
    )
    func statuses(
        _ interface: Interface,
        _ row: (status: Int, code: String, requests: Int)
    )
        async throws
    {
        let result = try await call(interface) { _, _, exchange in
            exchange.respond(row.status, "{\"error\":{\"message\":\"because\"}}")
        }
        let failure = try #require(result.events.failure)
        #expect(result.events.count == 1)
        #expect(failure.code.rawValue == row.code)
        #expect(failure.status == row.status)
        #expect(failure.isRetryable == (row.requests > 1))
        #expect(failure.message.contains("because"))
        #expect(result.requests.count == row.requests)
    }

    @Test("A later attempt succeeds after the requested wait", arguments: [429, 500])
    func retried(_ status: Int) async throws {
        let result = try await call { number, _, exchange in
            if number < 3 {
                exchange.respond(status, headers: ["Retry-After: 0.02"], "")
            } else {
                exchange.stream(Interface.openai.stream("at last"))
            }
        }
        #expect(result.events == [.delta("at last"), .ended(.end)])
        #expect(result.requests.count == 3)
    }

    @Test("Does not wait longer than the limit, or than the call may take")
    func longWaits() async throws {
        let refused = try await call { _, _, exchange in
            exchange.respond(429, headers: ["Retry-After: 300"], "")
        }
        #expect(refused.requests.count == 1)
        #expect(refused.events.failure?.code == .rateLimited)
        #expect(refused.events.failure?.message.contains("300") == true)
        let late = try await call {
            $0.timeout = .seconds(5)
        } script: { _, _, exchange in
            exchange.respond(429, headers: ["retry-after-ms: 60000"], "")
        }
        #expect(late.requests.count == 1 && late.events.failure?.code == .rateLimited)
    }

    @Test("The provider may forbid or ask for a retry")
    func shouldRetry() async throws {
        let forbidden = try await call { _, _, exchange in
            exchange.respond(500, headers: ["X-Should-Retry: false"], "")
        }
        #expect(forbidden.requests.count == 1)
        let wished = try await call { number, _, exchange in
            if number == 1 {
                exchange.respond(404, headers: ["x-should-retry: true"], "")
            } else {
                exchange.stream(Interface.openai.stream("ok"))
            }
        }
        #expect(wished.events.text == "ok")
    }

    @Test("Reports a request that is too long for the model")
    func tooLong() async throws {
        for body in [
            "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\",\"n_ctx\":4096}}",
            "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"long\"}}",
            "{\"object\":\"error\",\"message\":\"This model's maximum context length is 8.\"}",
        ] {
            let result = try await call(.openai, [simpleRequest(simpleFormat)]) { _, _, exchange in
                exchange.respond(400, body)
            }
            #expect(result.events.failure?.code == .tooLong)
            #expect(result.requests.count == 1)
        }
    }

    @Test("The message contains the error text of every form")
    func errorBodies() async throws {
        for body in [
            "{\"error\":{\"message\":\"because\"}}", "{\"error\":\"because\"}", "because",
            "{\"message\":\"because\"}", "{\"detail\":\"because\"}",
            "{\"detail\":[{\"msg\":\"because\"}]}", "{\"error\":null,\"message\":\"because\"}",
        ] {
            let result = try await call { _, _, exchange in exchange.respond(404, body) }
            #expect(result.events.failure?.message.contains("because") == true, "\(body)")
        }
        let endless = try await call { _, _, exchange in
            exchange.respond(404, String(repeating: "<p>\r\n", count: 100_000))
        }
        #expect((endless.events.failure?.message.count ?? 0) < 700)
        let redirect = try await call { _, _, exchange in
            exchange.respond(307, headers: ["Location: https://there.example/v1"], "")
        }
        #expect(redirect.events.failure?.message.contains("https://there.example/v1") == true)
        #expect(redirect.events.failure?.code == .badConfiguration)
    }

    @Test("Reports a refused connection after the retries, and a timeout too")
    func unreachable() async throws {
        let result = try await call {
            $0.baseURL = "http://127.0.0.1:9/v1"
        } script: { _, _, _ in
        }
        #expect(result.events.failure?.code == .unreachable)
        #expect(result.events.failure?.message.contains("http://127.0.0.1:9/v1") == true)
        #expect(result.events.failure?.isRetryable == true)
        let broken = try await call { number, _, exchange in
            if number == 1 {
                exchange.close()
            } else {
                exchange.stream(Interface.openai.stream("ok"))
            }
        }
        #expect(broken.events.text == "ok" && broken.requests.count == 2)
        // This server waits for a request and gets a TLS greeting.
        let silent = try await call {
            $0.baseURL = $0.baseURL.replacing("http:", with: "https:")
            $0.connectTimeout = .milliseconds(80)
            $0.retries = 0
        } script: { _, _, _ in
        }
        #expect(silent.events.failure?.code == .unreachable)
    }

    @Test("Retries silence before the first token, then reports it")
    func silentStart() async throws {
        for headComes in [false, true] {
            let result = try await call {
                $0.idleTimeout = .milliseconds(200)
                $0.retries = 1
            } script: { _, _, exchange in
                if headComes { exchange.startChunks() }
            }
            #expect(result.events.count == 1)
            #expect(result.events.failure?.code == .timeout)
            #expect(result.requests.count == 2)
        }
    }

    @Test("Reports silence in mid-stream at once, with the received text")
    func silentMiddle() async throws {
        let result = try await call {
            $0.idleTimeout = .milliseconds(800)
        } script: { _, _, exchange in
            exchange.startChunks()
            exchange.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n")
        }
        #expect(result.events.text == "x")
        #expect(result.events.failure?.code == .timeout)
        #expect(result.requests.count == 1)
    }

    @Test("A connection left open after the last token does not delay the end")
    func silentEnd() async throws {
        let reason =
            "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"
        for rest in ["", "data: [DONE]\n\n"] {
            let result = try await call(limit: .seconds(10)) {
                $0.idleTimeout = .seconds(60)
            } script: { _, _, exchange in
                exchange.startChunks()
                exchange.chunk(reason + rest)
            }
            #expect(result.events == [.delta("x"), .ended(.end)])
        }
    }

    @Test("Reports usage that comes late, but in time")
    func lateUsage() async throws {
        let result = try await call {
            $0.settleTime = .seconds(10)
        } script: { _, _, exchange in
            exchange.startChunks()
            let events = [
                "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n",
            ]
            exchange.send(pieces: events.map { ScriptedExchange.chunk(Array($0.utf8)) }) {
                exchange.endChunks()
            }
        }
        #expect(result.events == [.usage(TokenUsage(input: 4, output: 2)), .ended(.end)])
    }

    @Test("A refusal whose body never ends is still a refusal")
    func endlessRefusal() async throws {
        let result = try await call {
            $0.idleTimeout = .milliseconds(800)
        } script: { _, _, exchange in
            exchange.startChunks(401, type: "application/json")
            exchange.chunk("{\"error\":")
        }
        #expect(result.events.failure?.code == .refusedKey)
        #expect(result.requests.count == 1)
    }

    @Test("The time for the whole call limits slow replies and all retries")
    func deadline() async throws {
        let trickle = try await onLoopWithoutProxy { loop in
            var exchanges: [ScriptedExchange] = []
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.startChunks()
                exchanges.append(exchange)
            }
            let ticker = Ticker(loop) { for exchange in exchanges { exchange.chunk(": wait\n\n") } }
            let client = HTTPClient(loop: loop)
            var settings = ProviderSettings(baseURL: server.url, model: "m")
            settings.timeout = .milliseconds(300)
            settings.idleTimeout = .seconds(60)
            let model = OpenAIModel(loop: loop, client: client, settings: settings, key: nil)
            let transcript = Transcript()
            transcript.onEvent = { _ in loop.stop() }
            model.call(simpleRequest(), report: transcript.report)
            loop.run()
            ticker.stop()
            client.close()
            return transcript.events
        }
        #expect(trickle.failure?.code == .timeout)
    }

    @Test("Two calls at once do not mix, and their connections are reused")
    func together() async throws {
        let (texts, connections) = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { request, exchange in
                let name = request.text.contains("\"one\"") ? "1" : "2"
                exchange.startChunks()
                let stream = Array(Interface.openai.stream(name, name, name).utf8)
                let pieces = stride(from: 0, to: stream.count, by: 20)
                    .map { stream[$0..<min($0 + 20, stream.count)] }
                exchange.send(pieces: pieces.map { ScriptedExchange.chunk(Array($0)) }) {
                    exchange.endChunks()
                }
            }
            let client = HTTPClient(loop: loop)
            let settings = ProviderSettings(baseURL: server.url, model: "m")
            let model = OpenAIModel(loop: loop, client: client, settings: settings, key: nil)
            var texts: [String] = []
            func round(_ left: Int) {
                let transcripts = ["one", "two"].map { name in
                    let transcript = Transcript()
                    model.call(
                        ModelRequest(messages: [.user(name)]),
                        report: transcript.report
                    )
                    return transcript
                }
                // A reply is complete a little before its transfer frees the connection.
                when(loop, { transcripts.allSatisfy(\.hasEnded) && client.openTransfers == 0 }) {
                    texts += transcripts.map(\.text)
                    if left > 1 { round(left - 1) } else { loop.stop() }
                }
            }
            round(3)
            loop.run()
            client.close()
            return (texts, server.connections)
        }
        #expect(texts == ["111", "222", "111", "222", "111", "222"])
        #expect(connections == 2)
    }
}

@Suite("Cancelling calls")
struct CancellingTests {
    /// The state of a call when it is cancelled.
    enum Moment: CaseIterable, Sendable {
        case atOnce
        case beforeTheHead
        case beforeTheFirstToken
        case insideTheFirstDelta
        case inMidStream
        case whileWaitingToRetry
        case insideTheEnd
        case afterTheEnd
    }

    @Test(
        "A cancelled call ends once and immediately",
        arguments: Interface.allCases,
        Moment.allCases
    )
    func moments(_ interface: Interface, _ moment: Moment) async throws {
        let (events, isGone) = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                switch moment {
                case .atOnce, .beforeTheHead: break
                case .beforeTheFirstToken: exchange.startChunks()
                case .whileWaitingToRetry:
                    exchange.respond(500, headers: ["Retry-After: 100"], "")
                case .insideTheFirstDelta, .inMidStream:
                    exchange.startChunks()
                    let stream = interface.stream("x")
                    exchange.chunk(String(stream.prefix(stream.count / 2)))
                case .insideTheEnd, .afterTheEnd:
                    exchange.stream(interface.stream("x"))
                }
            }
            let client = HTTPClient(loop: loop)
            let settings = ProviderSettings(baseURL: server.url, model: "m")
            let model = interface.model(loop, client, settings, nil)
            let transcript = Transcript()
            var running: (any ModelCall)?
            let cancel = {
                running?.cancel()
                #expect(transcript.hasEnded)
                running?.cancel()
                // Nothing may follow; wait a turn or two.
                when(loop, { true }, then: { when(loop, { true }, then: loop.stop) })
            }
            transcript.onEvent = { event in
                switch (moment, event) {
                case (.insideTheFirstDelta, .delta), (.insideTheEnd, .ended): cancel()
                default: break
                }
            }
            running = model.call(simpleRequest(), report: transcript.report)
            switch moment {
            case .atOnce: cancel()
            case .beforeTheHead, .beforeTheFirstToken, .whileWaitingToRetry:
                when(loop, { server.requests.count == 1 }, then: cancel)
            case .inMidStream: when(loop, { !transcript.text.isEmpty }, then: cancel)
            case .afterTheEnd: when(loop, { transcript.hasEnded }, then: cancel)
            case .insideTheFirstDelta, .insideTheEnd: break
            }
            loop.run()
            var isGone = false
            if ![.insideTheEnd, .afterTheEnd, .whileWaitingToRetry, .atOnce].contains(moment) {
                when(loop, { server.goneClients == 1 }) {
                    isGone = true
                    loop.stop()
                }
                loop.run()
            } else {
                isGone = true
            }
            client.close()
            return (transcript.events, isGone)
        }
        #expect(events.filter(\.isEnd).count == 1)
        if moment == .insideTheEnd || moment == .afterTheEnd {
            #expect(events.stop == .end)
        } else {
            #expect(events.failure?.code == .cancelled)
        }
        #expect(isGone)
    }

    @Test("Closing the client cancels a call")
    func closing() async throws {
        let events = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, _ in }
            let client = HTTPClient(loop: loop)
            let settings = ProviderSettings(baseURL: server.url, model: "m")
            let model = OpenAIModel(loop: loop, client: client, settings: settings, key: nil)
            let transcript = Transcript()
            model.call(simpleRequest(), report: transcript.report)
            when(loop, { server.requests.count == 1 }) {
                client.close()
                loop.stop()
            }
            loop.run()
            return transcript.events
        }
        #expect(events.failure?.code == .cancelled)
    }
}

/// Calls a closure every few milliseconds.
final class Ticker {
    private var timer: UVLoop.Timer?

    init(_ loop: EventLoop, _ body: @escaping () -> Void) {
        timer = UVLoop.Timer(loop: loop) { [weak self] in
            body()
            self?.timer?.schedule(after: .milliseconds(10))
        }
        timer?.schedule(after: .zero)
    }

    func stop() {
        timer?.close()
        timer = nil
    }
}
