// Transfers against a server that follows a script.
import HTTP
import HTTPTestKit
import TestKit
import Testing
import UVLoop

/// The reports of a transfer, in order.
private final class Recorder {
    var head: HTTPHead?
    var body: [UInt8] = []
    var pieces = 0
    var ends: [Result<Void, HTTPError>] = []

    var text: String { String(decoding: body, as: UTF8.self) }
    var summary: Summary {
        Summary(
            status: head?.status,
            text: text,
            ends: ends.map { result in
                if case .failure(let error) = result { error.code.rawValue } else { "success" }
            }
        )
    }

    struct Summary: Sendable, Equatable {
        var status: Int?
        var text: String
        var ends: [String]
    }
}

extension HTTPClient {
    @discardableResult
    fileprivate func start(
        _ request: HTTPRequest,
        _ recorder: Recorder,
        onEnd: @escaping () -> Void = {},
        onBody: @escaping () -> Void = {}
    ) -> HTTPTransfer {
        start(
            request,
            onHead: {
                #expect(recorder.head == nil && recorder.ends.isEmpty)
                recorder.head = $0
            },
            onBody: {
                #expect(recorder.head != nil && recorder.ends.isEmpty && !$0.isEmpty)
                recorder.body += $0
                recorder.pieces += 1
                onBody()
            },
            onEnd: {
                recorder.ends.append($0)
                onEnd()
            }
        )
    }
}

/// Serves one request by a script and returns the reports of the transfer.
private func transfer(
    limit: Duration = .seconds(20),
    _ change: @escaping @Sendable (inout HTTPRequest) -> Void = { _ in },
    script: @escaping @Sendable (ScriptedRequest, ScriptedExchange) -> Void
) async throws -> (seen: Recorder.Summary, request: ScriptedRequest?) {
    try await onLoopWithoutProxy(limit: limit) { loop in
        let server = try ScriptedHTTPServer(loop, script)
        let client = HTTPClient(loop: loop)
        let recorder = Recorder()
        var request = HTTPRequest(method: "GET", url: server.url + "/x")
        change(&request)
        client.start(request, recorder, onEnd: loop.stop)
        #expect(recorder.ends.isEmpty)
        loop.run()
        client.close()
        return (recorder.summary, server.requests.first)
    }
}

private typealias Summary = Recorder.Summary

@Suite("HTTP transfers")
struct HTTPClientTests {
    @Test("Sends a request as given, and returns its response")
    func roundTrip() async throws {
        let (seen, request) = try await transfer {
            $0.method = "POST"
            $0.headers = [("Content-Type", "application/json"), ("X-Empty", "")]
            $0.body = Array(#"{"a":1}"#.utf8)
        } script: { _, exchange in
            exchange.respond(201, headers: ["X-One:  two "], "body")
        }
        #expect(seen == Summary(status: 201, text: "body", ends: ["success"]))
        #expect(request?.line == "POST /x HTTP/1.1")
        #expect(request?.header("content-type") == "application/json")
        #expect(request?.header("x-empty")?.isEmpty == true)
        #expect(request?.header("expect") == nil)
        #expect(request?.text == #"{"a":1}"#)
    }

    @Test("A body needs no type, and an empty one of a POST has the length 0")
    func emptyPost() async throws {
        let (seen, request) = try await transfer {
            $0.method = "POST"
        } script: { _, exchange in
            exchange.respond(204, "")
        }
        #expect(seen == Summary(status: 204, text: "", ends: ["success"]))
        #expect(request?.header("content-length") == "0")
        #expect(request?.header("content-type") == nil)
    }

    @Test("Finds headers in any case, without blanks around values")
    func headers() async throws {
        let values = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.respond(200, headers: ["RETRY-after: \t 7 ", "X-Two:a:b", "X-None:"], "")
            }
            let client = HTTPClient(loop: loop)
            let recorder = Recorder()
            client.start(
                HTTPRequest(method: "GET", url: server.url),
                recorder,
                onEnd: loop.stop
            )
            loop.run()
            client.close()
            return ["Retry-After", "x-two", "x-none", "absent"].map { recorder.head?[$0] }
        }
        #expect(values == ["7", "a:b", "", nil])
    }

    @Test("Statuses of all kinds are successes, and redirects are not followed")
    func statuses() async throws {
        for status in [302, 401, 429, 500] {
            let (seen, _) = try await transfer { _, exchange in
                exchange.respond(status, headers: ["Location: http://127.0.0.1:9/"], "why")
            }
            #expect(seen == Summary(status: status, text: "why", ends: ["success"]))
        }
    }

    @Test("A chunked response is the same in every split")
    func chunkedSplits() async throws {
        let text = "data: \u{00E4}\u{1F600}\n\n"
        var response = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
        response += Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        for byte in text.utf8.prefix(8) { response += ScriptedExchange.chunk([byte]) }
        response += ScriptedExchange.chunk(Array(text.utf8.dropFirst(8)))
        response += Array("0\r\nX-Trailer: 1\r\n\r\n".utf8)
        let whole = response
        let all = try await onLoopWithoutProxy(limit: .seconds(60)) { loop in
            var cuts = Array(0...whole.count)
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                let cut = cuts.removeLast()
                exchange.send(pieces: [Array(whole[..<cut]), Array(whole[cut...])])
            }
            let client = HTTPClient(loop: loop)
            var all: [Recorder.Summary] = []
            func next() {
                guard !cuts.isEmpty else { return loop.stop() }
                let recorder = Recorder()
                client.start(HTTPRequest(method: "GET", url: server.url), recorder) {
                    all.append(recorder.summary)
                    next()
                }
            }
            next()
            loop.run()
            client.close()
            // One connection serves all of them.
            #expect(server.connections == 1)
            return all
        }
        #expect(all.count == whole.count + 1)
        #expect(all.allSatisfy { $0 == Summary(status: 200, text: text, ends: ["success"]) })
    }

    @Test("Delivers a body byte by byte, each byte as soon as it arrives")
    func byteByByte() async throws {
        let pieces = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.startChunks()
                exchange.send(pieces: "abcdef".utf8.map { ScriptedExchange.chunk([$0]) }) {
                    exchange.endChunks()
                }
            }
            let client = HTTPClient(loop: loop)
            let recorder = Recorder()
            client.start(HTTPRequest(method: "GET", url: server.url), recorder, onEnd: loop.stop)
            loop.run()
            client.close()
            #expect(recorder.text == "abcdef")
            return recorder.pieces
        }
        #expect(pieces >= 3)
    }

    @Test("Sends and receives a body of many megabytes")
    func large() async throws {
        let size = 8 << 20
        let (seen, request) = try await transfer {
            $0.method = "POST"
            $0.body = [UInt8](repeating: UInt8(ascii: "u"), count: size)
        } script: { _, exchange in
            exchange.respond(200, String(repeating: "d", count: size))
        }
        #expect(seen.text.utf8.count == size && seen.ends == ["success"])
        #expect(request?.body.count == size)
    }

    @Test("Runs two transfers at once; the later one may end first")
    func together() async throws {
        let log = try await onLoopWithoutProxy { loop in
            var log: [String] = []
            var slow: ScriptedExchange?
            let server = try ScriptedHTTPServer(loop) { request, exchange in
                if request.line.contains("slow") {
                    slow = exchange
                } else {
                    exchange.respond(200, "fast")
                }
            }
            let client = HTTPClient(loop: loop)
            let recorders = [Recorder(), Recorder()]
            client.start(HTTPRequest(method: "GET", url: server.url + "/slow"), recorders[0]) {
                log.append(recorders[0].text)
                loop.stop()
            }
            client.start(HTTPRequest(method: "GET", url: server.url + "/fast"), recorders[1]) {
                log.append(recorders[1].text)
                when(loop, { slow != nil }, then: { slow?.respond(200, "slow") })
            }
            loop.run()
            client.close()
            return log
        }
        #expect(log == ["fast", "slow"])
    }

    @Test("Does not use the environment's proxy for this host, but a given one")
    func proxies() async throws {
        // The proxy in the environment is unreachable, see HTTPTestKit.
        for host in ["127.0.0.1", "localhost"] {
            let (seen, _) = try await transfer {
                $0.url = $0.url.replacing("127.0.0.1", with: host)
            } script: { _, exchange in
                exchange.respond(200, "direct")
            }
            #expect(seen == Summary(status: 200, text: "direct", ends: ["success"]))
        }
        let (far, _) = try await transfer {
            $0.url = "http://weft.invalid/"
        } script: { _, _ in
        }
        #expect(far.ends == ["unreachable"])
        let (through, request) = try await transfer {
            $0.proxy = String($0.url.dropLast(2))
            $0.url = "http://weft.invalid/far"
        } script: { _, exchange in
            exchange.respond(200, "by proxy")
        }
        #expect(through == Summary(status: 200, text: "by proxy", ends: ["success"]))
        #expect(request?.line == "GET http://weft.invalid/far HTTP/1.1")
    }
}

@Suite("HTTP failures")
struct HTTPFailureTests {
    @Test("Refuses a request that cannot be sent in a later turn")
    func refusals() async throws {
        let bad: [@Sendable (inout HTTPRequest) -> Void] = [
            { $0.url = "ftp://127.0.0.1/" },
            { $0.url = "127.0.0.1" },
            { $0.url = "http://127.0.0.1/a b" },
            { $0.url = "http://127.0.0.1:99999999/" },
            { $0.method = "GET /\r\nX" },
            { $0.method = "" },
            { $0.headers = [("X", "a\r\nY: b")] },
            { $0.headers = [("X y", "a")] },
            { $0.headers = [("X", "a\u{0}b")] },
        ]
        for change in bad {
            let (seen, request) = try await transfer(change) { _, _ in }
            #expect(seen.status == nil)
            #expect(seen.ends == ["badRequest"])
            #expect(request == nil)
        }
    }

    @Test("Reports a closed port and an unknown name")
    func unreachable() async throws {
        let (refused, _) = try await transfer {
            $0.url = "http://127.0.0.1:9/"
        } script: { _, _ in
        }
        #expect(refused == Summary(status: nil, text: "", ends: ["unreachable"]))
        let (unknown, _) = try await transfer {
            $0.url = "http://weft.invalid/"
            $0.proxy = ""
        } script: { _, _ in
        }
        #expect(unknown.ends == ["unresolved"])
    }

    @Test("Distinguishes a peer without TLS from one that does not answer")
    func secureConnections() async throws {
        for (answer, code) in [("HTTP/1.1 400 Bad\r\n\r\n", "insecure"), ("", "connectTimeout")] {
            let ends = try await onLoopWithoutProxy { loop in
                let listener = try TCPListener.listen(
                    loop: loop,
                    host: "127.0.0.1",
                    port: 0,
                    onConnection: { connection in
                        let reply: ([UInt8]) -> Void = { _ in
                            var bytes = Array(answer.utf8)
                            connection.write(&bytes)
                        }
                        connection.start(onBytes: reply, onEnd: { _ in connection.close() })
                    },
                    onError: { _ in }
                )
                let client = HTTPClient(loop: loop)
                let recorder = Recorder()
                let request = HTTPRequest(
                    method: "GET",
                    url: "https://127.0.0.1:\(listener.localAddress.port)/",
                    connectTimeout: .milliseconds(answer.isEmpty ? 80 : 5000)
                )
                client.start(request, recorder, onEnd: loop.stop)
                loop.run()
                client.close()
                return recorder.summary.ends
            }
            #expect(ends == [code])
        }
    }

    @Test("Reports a connection that breaks at any place of the response")
    func brokenOff() async throws {
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
        for cut in [0, 7, 20, response.utf8.count] {
            let (seen, _) = try await transfer { _, exchange in
                exchange.send(Array(response.utf8.prefix(cut)))
                exchange.close()
            }
            #expect(seen.ends.count == 1 && seen.ends != ["success"], "cut at \(cut)")
        }
        let (chunks, _) = try await transfer { _, exchange in
            exchange.startChunks()
            exchange.chunk("abc")
            exchange.close()
        }
        #expect(chunks == Summary(status: 200, text: "abc", ends: ["brokenOff"]))
    }

    @Test("Reports a response that is not HTTP, and a head without end")
    func noHTTP() async throws {
        let (other, _) = try await transfer { _, exchange in
            exchange.send("SSH-2.0-OpenSSH\r\n\r\n")
            exchange.close()
        }
        #expect(other.ends.count == 1 && other.ends != ["success"])
        let (endless, _) = try await transfer { _, exchange in
            let line = Array("X-Line: \(String(repeating: "x", count: 1000))\r\n".utf8)
            exchange.send("HTTP/1.1 200 OK\r\n")
            exchange.send([[UInt8]](repeating: line, count: 400).flatMap(\.self))
        }
        #expect(endless.ends.count == 1 && endless.ends != ["success"])
    }

    @Test("Silence ends a transfer before the head, after it, and within the body")
    func idle() async throws {
        let scripts: [(String, @Sendable (ScriptedExchange) -> Void)] = [
            ("", { _ in }),
            ("", { $0.startChunks() }),
            (
                "ab",
                {
                    $0.startChunks()
                    $0.chunk("ab")
                }
            ),
        ]
        for (text, script) in scripts {
            let (seen, _) = try await transfer {
                $0.idleTimeout = .milliseconds(500)
            } script: { _, exchange in
                script(exchange)
            }
            #expect(seen.ends == ["idleTimeout"] && seen.text == text)
        }
    }

    @Test("A slow response exceeds the deadline, not the idle limit")
    func deadline() async throws {
        let (seen, _) = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.startChunks()
                func trickle() {
                    guard !exchange.isGone else { return }
                    exchange.chunk(".")
                    var timer: UVLoop.Timer?
                    timer = UVLoop.Timer(loop: loop) {
                        timer?.close()
                        trickle()
                    }
                    timer?.schedule(after: .milliseconds(10))
                }
                trickle()
            }
            let client = HTTPClient(loop: loop)
            let recorder = Recorder()
            let request = HTTPRequest(
                method: "GET",
                url: server.url,
                idleTimeout: .milliseconds(1000),
                deadline: .milliseconds(1500)
            )
            client.start(request, recorder, onEnd: loop.stop)
            loop.run()
            client.close()
            return (recorder.summary, server.connections)
        }
        #expect(seen.ends == ["deadline"])
        #expect(seen.text.count > 2)
    }

    @Test("Cancelling ends a transfer at once and only once, in any state")
    func cancel() async throws {
        let all = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.startChunks()
                exchange.chunk("abc")
            }
            let client = HTTPClient(loop: loop)
            let recorders = (0..<3).map { _ in Recorder() }
            let request = HTTPRequest(method: "GET", url: server.url)
            // Before it has begun, inside its own closure, and while it waits for more.
            let first = client.start(request, recorders[0])
            first.cancel()
            first.cancel()
            #expect(recorders[0].ends.count == 1)
            var second: HTTPTransfer?
            second = client.start(request, recorders[1], onBody: { second?.cancel() })
            let third = client.start(request, recorders[2])
            when(loop, { recorders[2].text == "abc" && recorders[1].ends.count == 1 }) {
                third.cancel()
                #expect(recorders[2].ends.count == 1)
                when(loop, { server.goneClients == server.connections }, then: loop.stop)
            }
            loop.run()
            client.close()
            return recorders.map(\.summary)
        }
        #expect(all[0] == Summary(status: nil, text: "", ends: ["cancelled"]))
        #expect(all[1] == Summary(status: 200, text: "abc", ends: ["cancelled"]))
        #expect(all[2] == Summary(status: 200, text: "abc", ends: ["cancelled"]))
    }

    @Test("Closing the client ends transfers, also inside a closure, and refuses new ones")
    func closing() async throws {
        let all = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in
                exchange.startChunks()
                exchange.chunk("abc")
            }
            let client = HTTPClient(loop: loop)
            let recorders = (0..<3).map { _ in Recorder() }
            let request = HTTPRequest(method: "GET", url: server.url)
            client.start(request, recorders[0])
            let closeTwice = {
                client.close()
                client.close()
                client.start(request, recorders[2], onEnd: loop.stop)
            }
            client.start(request, recorders[1], onBody: closeTwice)
            loop.run()
            return recorders.map(\.summary.ends)
        }
        #expect(all == [["cancelled"], ["cancelled"], ["cancelled"]])
    }

    @Test("Closing the loop ends transfers without callbacks")
    func loopCloses() async throws {
        let ends = try await onLoopWithoutProxy { loop in
            let server = try ScriptedHTTPServer(loop) { _, exchange in exchange.startChunks() }
            let client = HTTPClient(loop: loop)
            let recorder = Recorder()
            client.start(HTTPRequest(method: "GET", url: server.url), recorder)
            when(loop, { recorder.head != nil }, then: loop.stop)
            loop.run()
            loop.close()
            return recorder.ends.count
        }
        #expect(ends == 0)
    }
}
