// An HTTP server that follows a test's script, well or badly, byte by byte.
public import UVLoop

/// One received request.
public struct ScriptedRequest: Sendable {
    /// The request line and the header lines.
    public var lines: [String]
    /// The body.
    public var body: [UInt8]

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
    /// The request line.
    public var line: String { lines.first ?? "" }

    /// The value of a header line, whatever the case of its name.
    public func header(_ name: String) -> String? {
        let start = name.lowercased() + ":"
        guard let line = lines.first(where: { $0.lowercased().hasPrefix(start) }) else {
            return nil
        }
        return String(line.dropFirst(start.count).drop { $0 == " " })
    }
}

/// Listens on a free port of this host and passes each request to the script.
public final class ScriptedHTTPServer {
    /// The received bytes, in order.
    public private(set) var requests: [ScriptedRequest] = []
    /// How many connections were accepted.
    public private(set) var connections = 0
    /// How many of them the client has ended.
    public private(set) var goneClients = 0

    private let loop: EventLoop
    private let script: (ScriptedRequest, ScriptedExchange) -> Void
    private var listener: TCPListener?

    /// Starts listening.
    public init(
        _ loop: EventLoop,
        _ script: @escaping (ScriptedRequest, ScriptedExchange) -> Void
    ) throws {
        self.loop = loop
        self.script = script
        listener = try TCPListener.listen(
            loop: loop,
            host: "127.0.0.1",
            port: 0,
            onConnection: { [self] in accept($0) },
            onError: { _ in }
        )
    }

    /// The URL of the server, without a path.
    public var url: String { "http://127.0.0.1:\(listener?.localAddress.port ?? 0)" }

    /// Stops listening.
    public func close() {
        listener?.close()
        listener = nil
    }

    private func accept(_ connection: TCPConnection) {
        connections += 1
        let exchange = ScriptedExchange(loop, connection)
        var received: [UInt8] = []
        connection.start(
            onBytes: { [self] bytes in
                received += bytes
                while let request = Self.takeRequest(from: &received) {
                    requests.append(request)
                    script(request, exchange)
                }
            },
            onEnd: { [self] _ in
                goneClients += 1
                exchange.isGone = true
                connection.close()
            }
        )
    }

    private static func takeRequest(from bytes: inout [UInt8]) -> ScriptedRequest? {
        let end = Array("\r\n\r\n".utf8)
        guard let blank = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else {
            return nil
        }
        let lines = String(decoding: bytes[..<blank], as: UTF8.self)
            .split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        var request = ScriptedRequest(lines: lines, body: [])
        let length = request.header("Content-Length").flatMap { Int($0) } ?? 0
        guard bytes.count >= blank + 4 + length else { return nil }
        request.body = Array(bytes[(blank + 4)..<(blank + 4 + length)])
        bytes.removeFirst(blank + 4 + length)
        return request
    }
}

/// The answering side of one connection.
public final class ScriptedExchange {
    /// Whether the client has ended the connection.
    public fileprivate(set) var isGone = false

    private let loop: EventLoop
    private let connection: TCPConnection

    init(_ loop: EventLoop, _ connection: TCPConnection) {
        self.loop = loop
        self.connection = connection
    }

    /// Sends raw bytes.
    public func send(_ bytes: [UInt8]) {
        var bytes = bytes
        connection.write(&bytes)
    }

    /// Sends raw text.
    public func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends pieces, each in a separate turn of the loop, and then continues.
    public func send(pieces: [[UInt8]], then: @escaping () -> Void = {}) {
        guard let first = pieces.first, !isGone else { return then() }
        send(first)
        // One turn for the reader to read it, one for handling it.
        loop.nextTurn { [self] in
            loop.nextTurn { [self] in send(pieces: Array(pieces.dropFirst()), then: then) }
        }
    }

    /// Sends a whole response with its length.
    public func respond(_ status: Int, headers: [String] = [], _ body: String) {
        let lines = headers.map { $0 + "\r\n" }.joined()
        let length = body.utf8.count
        send("HTTP/1.1 \(status) Scripted\r\n\(lines)Content-Length: \(length)\r\n\r\n\(body)")
    }

    /// Sends the head of a chunked response.
    public func startChunks(_ status: Int = 200, type: String = "text/event-stream") {
        send(
            "HTTP/1.1 \(status) Scripted\r\nContent-Type: \(type)\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
        )
    }

    /// Sends one chunk.
    public func chunk(_ text: String) { send(Self.chunk(Array(text.utf8))) }

    /// Sends the end of a chunked response.
    public func endChunks() { send("0\r\n\r\n") }

    /// Bytes as a chunk.
    public static func chunk(_ bytes: [UInt8]) -> [UInt8] {
        Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8)
    }

    /// Closes once everything is sent.
    public func close() { connection.closeAfterWriting() }
}
