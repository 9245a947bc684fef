// The differences between providers: writing a request and reading a stream. Not here: sending,
// waiting, retries (HTTPModelCall).
internal import Core
internal import HTTP
internal import JSON
internal import PlannerCore

/// A field of a request that some servers refuse and that is not essential.
enum OptionalField: Sendable, Hashable, CaseIterable {
    /// The sampling temperature.
    case temperature
    /// The texts at which the model stops; otherwise the reader of the reply has to stop.
    case stop
    /// The request to report the usage of a stream.
    case streamOptions
    /// The grammar of the reply; otherwise the reader of the reply has to check all.
    case grammar
    /// The old name of the limit on tokens; the new one is used instead.
    case oldTokenLimit
}

/// How to write a request for this server.
struct Adaptation: Sendable, Equatable {
    /// The form to ask for.
    var format: ResponseFormat
    /// The fields to leave out.
    var omitted: Set<OptionalField> = []
}

/// One kind of provider; pure.
protocol ProviderDialect: Sendable {
    /// The name of the interface.
    var provider: String { get }
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
    /// Whether a request is written with its grammar, unless that was refused.
    func hasGrammar(_ request: ModelRequest, _ settings: ProviderSettings) -> Bool
    /// The strictest form the interface has that is no stricter than the one wanted.
    func bestFormat(for format: ResponseFormat) -> ResponseFormat
    /// The next looser form after a refused one; nil after plain text.
    func formatBelow(_ format: ResponseFormat) -> ResponseFormat?
    /// The field that the server complains about, if it can be left out.
    func refusedField(_ error: ProviderError) -> OptionalField?
    /// A reader for one reply.
    func makeReader() -> any ReplyReader
}

/// The content of a piece of a reply.
enum Reading: Equatable {
    case delta(String)
    case usage(TokenUsage)
    case failed(ProviderError)
    /// The reply has ended.
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

/// A reply that breaks the rules of the provider's interface.
struct UnreadableReply: Error, Equatable {
    var message: String
}

extension JSONValue {
    /// Decodes data of a server.
    ///
    /// Bytes that are not UTF-8 and escapes of half a character, which servers send when a token
    /// ends within a character, become replacement characters.
    init(lenient bytes: [UInt8]) throws(UnreadableReply) {
        do throws(JSONError) {
            self.init(try RawJSON(validating: bytes[...]))
        } catch {
            let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8).withoutHalfCharacters
            guard let raw = try? RawJSON(validating: repaired[...]) else {
                throw UnreadableReply(
                    message: "The provider sent text that is not JSON. \(error.message)"
                )
            }
            self.init(raw)
        }
    }

    /// The number in a field, usually of tokens; 0 without one.
    func count(_ name: String) -> Int { max(0, self[name]?.intValue ?? 0) }
}

extension [UInt8] {
    /// JSON text in which each unpaired surrogate escape is replaced by `\ufffd`.
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
