// What differs between providers: how a request is written and how a stream is read.
// Not here: sending, waiting, retries (HTTPModelCall).
internal import Core
internal import JSON
internal import PlannerCore

/// A field of a request that some servers refuse and a call can do without.
enum OptionalField: Sendable, Hashable, CaseIterable {
    /// The sampling temperature.
    case temperature
    /// The texts at which the model stops; who reads the reply has to stop by himself.
    case stop
    /// The wish to be told the usage of a stream.
    case streamOptions
    /// The old name of the limit on tokens; the new one is used instead.
    case oldTokenLimit
}

/// How a request is written so that this server takes it.
struct Adaptation: Sendable, Equatable {
    /// The form to ask for.
    var format: ResponseFormat
    /// What to leave out.
    var omitted: Set<OptionalField> = []
}

/// One kind of provider; pure.
protocol ProviderDialect: Sendable {
    /// The header lines that carry the key and the version.
    func headers(key: ModelKey?) -> [(String, String)]
    /// The URL of the interface below the configured one.
    func url(base: String) -> String
    /// The body of a request.
    func body(
        _ request: ModelRequest,
        _ adaptation: Adaptation,
        _ settings: ProviderSettings
    )
        -> [UInt8]
    /// The strictest form the interface has that is no stricter than the one wanted.
    func bestFormat(for format: ResponseFormat) -> ResponseFormat
    /// The next looser form after one that was refused; nil after plain text.
    func formatBelow(_ format: ResponseFormat) -> ResponseFormat?
    /// The field the server complains about, if it is one that can be left out.
    func refusedField(_ error: ProviderError) -> OptionalField?
    /// A reader for one reply.
    func makeReader() -> any ReplyReader
}

/// What a piece of a reply says.
enum Reading: Equatable {
    case delta(String)
    case usage(TokenUsage)
    case failed(ProviderError)
    /// Nothing more comes.
    case complete
}

/// Reads the events of one reply.
protocol ReplyReader {
    /// Why the model stopped, once it has; usage may still follow.
    var stop: ModelStop? { get }
    /// Reads one event of a stream.
    mutating func read(
        _ event: ServerSentEvent,
        into readings: inout [Reading]
    )
        throws(UnreadableReply)
    /// Reads a reply that came as one value, from a server that does not stream.
    mutating func read(
        whole value: JSONValue,
        into readings: inout [Reading]
    )
        throws(UnreadableReply)
}

/// A reply that is not what the provider's interface promises.
struct UnreadableReply: Error, Equatable {
    var message: String
}

extension JSONValue {
    /// Reads what a server sent.
    ///
    /// Bytes that are no UTF-8 and escapes of half a character, which servers send when a token
    /// ends within one, become replacement characters.
    init(lenient bytes: [UInt8]) throws(UnreadableReply) {
        do throws(JSONError) {
            self.init(try RawJSON(validating: bytes[...]))
        } catch {
            let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8).withoutHalfCharacters
            guard let raw = try? RawJSON(validating: repaired[...]) else {
                throw UnreadableReply(
                    message: "The model's provider sent something that is no JSON. \(error.message)"
                )
            }
            self.init(raw)
        }
    }

    /// The number of a field, of tokens above all; 0 without one.
    func count(_ name: String) -> Int { max(0, self[name]?.intValue ?? 0) }
}

extension [UInt8] {
    /// JSON text with each escape of a surrogate that has no partner replaced by `\ufffd`.
    fileprivate var withoutHalfCharacters: [UInt8] {
        var result = self
        var index = 0
        while index < count {
            guard self[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            guard let unit = Escape.codeUnit(at: index, in: self[...]),
                (0xD800...0xDFFF).contains(unit)
            else {
                index += 2
                continue
            }
            let next = Escape.codeUnit(at: index + 6, in: self[...]) ?? 0
            if unit < 0xDC00, (0xDC00...0xDFFF).contains(next) {
                index += 12
            } else {
                result.replaceSubrange(index..<(index + 6), with: "\\ufffd".utf8)
                index += 6
            }
        }
        return result
    }
}
