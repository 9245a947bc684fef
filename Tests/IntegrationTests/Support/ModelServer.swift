// A language model over HTTP that follows a test's script: Fixtures/model_server.py and its script.
import Foundation

/// One step of a reply.
enum ReplyStep {
    /// A whole response with a status.
    case status(Int, String = "", headers: [String: String] = [:])
    /// A whole response that is JSON.
    case whole(String)
    /// Text of the model, in pieces of that many characters.
    case say(String, by: Int = 9)
    /// The model's reason to stop.
    case finish(String = "stop")
    /// Tokens of the request and of the reply.
    case usage(Int, Int)
    /// The end of a stream of this kind.
    case done
    /// A raw piece of the stream.
    case raw(String)
    /// A piece of the stream, byte by byte.
    case bytes([UInt8])
    /// Goes on when there is such a file.
    case await(String)
    /// Nothing, until the client goes.
    case hang
    /// The connection ends in the middle of the response.
    case cut
    /// The connection is reset.
    case reset

    fileprivate var json: [Any] {
        switch self {
        case .status(let status, let body, let headers): ["status", status, headers, body]
        case .whole(let text):
            ["whole", (try? JSONSerialization.jsonObject(with: Data(text.utf8))) ?? NSNull()]
        case .say(let text, let size): ["say", text, size]
        case .finish(let reason): ["finish", reason]
        case .usage(let input, let output): ["usage", input, output]
        case .done: ["done"]
        case .raw(let text): ["raw", text]
        case .bytes(let bytes): ["hex", bytes.map { String(format: "%02x", $0) }.joined()]
        case .await(let path): ["await", path]
        case .hang: ["hang"]
        case .cut: ["cut"]
        case .reset: ["reset"]
        }
    }
}

/// The steps of one reply.
typealias Reply = [ReplyStep]

extension [ReplyStep] {
    /// A good reply.
    static func text(_ text: String, by size: Int = 9) -> Reply {
        [.say(text, by: size), .finish(), .done]
    }

    /// A joiner's decision to finish.
    static func answer(_ text: String) -> Reply {
        .text(#"{"thought":"","action":"finish","reason":null,"answer":"\#(text)"}"#)
    }
}

/// A request that the server got.
struct ModelRequest {
    var document: Document

    /// `planner` or `joiner`.
    var purpose: String { document["purpose"].text ?? "" }
    var body: Document { document["body"] }
    /// All messages, one after the other.
    var text: String {
        body["messages"].list.compactMap { $0["content"].text }.joined(separator: "\n")
    }
}

/// The server of one place.
final class ModelServer {
    /// The URL without a path.
    let url: String
    let process: WeftProcess
    private let place: Place
    private let number: Int
    private var script: [String: [String: [[[Any]]]]] = [:]

    private static let program = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/model_server.py").path

    /// Starts a server; with a certificate and its key it speaks TLS.
    init(
        _ place: Place,
        number: Int = 1,
        certificate: (file: String, key: String)? = nil
    ) async throws {
        self.place = place
        self.number = number
        try place.write("{}", to: "script-\(number).json")
        let files = ["script-\(number).json", "requests-\(number).jsonl"]
        process = try place.start(
            [Self.program] + files.map { "\(place.folder)/\($0)" }
                + (certificate.map { [$0.file, $0.key] } ?? []),
            program: "python3"
        )
        let line = try await process.outputLine(with: "port ")
        let scheme = certificate == nil ? "http" : "https"
        url = "\(scheme)://127.0.0.1:\(line.dropFirst("port ".count))"
    }

    /// Sets the replies to requests for a goal, in order.
    func script(_ goal: String = "*", planner: [Reply] = [], joiner: [Reply] = []) throws {
        script[goal] = [
            "planner": planner.map { $0.map(\.json) }, "joiner": joiner.map { $0.map(\.json) },
        ]
        let data = try JSONSerialization.data(withJSONObject: script)
        try place.write(String(decoding: data, as: UTF8.self), to: "script-\(number).json")
    }

    /// The requests so far, for one goal if it is named.
    func requests(for goal: String? = nil) throws -> [ModelRequest] {
        try place.lines(of: "requests-\(number).jsonl").map { try Document(parsing: $0) }
            .filter { !$0["request"].isAbsent && (goal == nil || $0["goal"].text == goal) }
            .map { ModelRequest(document: $0) }
    }

    /// How many clients disconnected while the server was silent.
    func goneClients() throws -> Int {
        try place.lines(of: "requests-\(number).jsonl").map { try Document(parsing: $0) }
            .count { !$0["gone"].isAbsent }
    }

    /// Writes a configuration whose planner is this server and returns its path.
    func configuration(
        api: String = "openai",
        _ fields: String = "",
        joiner: String? = nil,
        to name: String = "weft.yaml"
    ) throws -> String {
        let path = api == "openai" ? "/v1" : ""
        let more = fields.isEmpty ? "" : ", \(fields)"
        let joiner = joiner.map { "  joiner: {\($0)}\n" } ?? ""
        return try place.write(
            "models:\n  planner: {api: \(api), model: m, base_url: '\(url)\(path)'\(more)}\n"
                + joiner,
            to: name
        )
    }
}
