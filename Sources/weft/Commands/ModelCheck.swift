// The results of one small call of a language model. Pure.
internal import Console
internal import Core
internal import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Plans

struct ModelCheck {
    private(set) var failure: ModelFailure?
    private(set) var stop: ModelStop?
    private(set) var usage: TokenUsage?
    private var prices: TokenPrices?
    private(set) var text = ""
    private var lowered: ResponseFormat?
    private var pieces = 0
    private var firstText: Double?
    private var lastText = 0.0
    private var end = 0.0
    private var boundText = ""
    /// Whether a reply keeps to a grammar that it was sent; nil if that was not tried.
    private(set) var keepsToGrammar: Bool?
    /// Whether the call with a grammar was cancelled.
    private(set) var isInterrupted = false

    /// Long enough to distinguish a stream from a reply in one piece.
    static let request = ModelRequest(
        messages: [
            .system("Reply with one JSON object and nothing else: {\"words\": \"…\"}."),
            .user("Put the numbers from one to twenty into words, in English, as one text."),
        ],
        format: .jsonSchema(
            name: "check",
            schema: RawJSON([
                "type": "object",
                "properties": ["words": ["type": "string"]],
                "required": ["words"],
                "additionalProperties": false,
            ])
        ),
        maxTokens: 1024
    )

    /// A question whose answer no model would give without the grammar.
    static let boundRequest = ModelRequest(
        messages: [.user("Say hello.")],
        grammar: "root ::= \"7\" \"-\" \"7\"",
        maxTokens: 16
    )

    /// Takes in what is reported about the call with a grammar; true at its end.
    mutating func handleBound(_ event: ModelEvent) -> Bool {
        switch event {
        case .delta(let piece): boundText += piece
        case .ended:
            keepsToGrammar = boundText == "7-7"
            return true
        case .failed(let failure):
            isInterrupted = failure.code == .cancelled
            return true
        case .charged, .usage, .formatLowered: break
        }
        return false
    }

    mutating func handle(_ event: ModelEvent, milliseconds: Double) {
        switch event {
        case .delta(let piece):
            guard !piece.isEmpty else { return }
            text += piece
            pieces += 1
            firstText = firstText ?? milliseconds
            lastText = milliseconds
        case .charged(let prices): self.prices = prices
        case .usage(let usage): self.usage = usage
        case .formatLowered(let format): lowered = format
        case .ended(let stop):
            self.stop = stop
            end = milliseconds
        case .failed(let failure):
            self.failure = failure
            end = milliseconds
        }
    }

    var hasEnded: Bool { stop != nil || failure != nil }

    /// Whether it replied to the request completely.
    var works: Bool {
        failure == nil && (stop == .end || stop == .stopSequence) && !text.isEmpty && answers
    }

    /// Whether the text is a reply to this request: an object that fits the schema, or a number in
    /// words in any other form.
    ///
    /// A program that repeats its input, or always says the same, replies too.
    private var answers: Bool {
        if fitsSchema { return true }
        let reply = text.lowercased()
        let isEcho = Self.beginnings.contains { reply.contains($0.lowercased()) }
        let words = Set(reply.split { !$0.isLetter }.map(String.init))
        return !isEcho && !words.isDisjoint(with: Self.numbers)
    }

    /// How the messages of the request begin.
    private static let beginnings = ["Reply with one JSON object", "Put the numbers from one"]
    private static let numbers: Set = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve",
    ]

    /// Whether the reply arrived while it was written.
    var isStreaming: Bool { pieces > 1 && lastText > (firstText ?? lastText) }

    /// Whether the reply is an object that fits the schema.
    var fitsSchema: Bool {
        guard let value = try? JSONValue(parsing: Array(text.utf8)), let fields = value.objectValue
        else { return false }
        return fields.count == 1 && fields["words"]?.stringValue != nil
    }

    /// The requested form, or the looser one that the provider accepted.
    private var form: String {
        switch lowered {
        case nil, .jsonSchema: "schema"
        case .jsonObject: "json_object"
        case .text: "text"
        }
    }

    /// The reply, shortened to a line.
    private var beginning: String { Text.cut(Text.printable(text), to: 60) }

    /// Characters in a second of writing.
    private var pace: Double? {
        guard isStreaming, let firstText else { return nil }
        return (Double(text.count) / (lastText - firstText) * 1_000).rounded()
    }

    var lines: [(name: String, value: String?)] {
        if let failure { return [("reply", "\(failure)")] }
        let stream =
            isStreaming
            ? "yes, \(pieces) pieces, \(Int(pace ?? 0)) characters/s" : "no, the reply came at once"
        return [
            (
                "reply",
                text.isEmpty
                    ? "empty (\(stop?.rawValue ?? ""))"
                    : "\(text.count) characters in \(Text.duration(milliseconds: end)), "
                        + "\(stop?.rawValue ?? "")"
            ),
            (
                "answer",
                answers
                    ? nil
                    : "no: asked for the numbers from one to twenty it said \"\(beginning)\""
            ),
            ("first text", firstText.map { Text.duration(milliseconds: $0) }),
            ("streaming", stream),
            (
                "structured",
                (lowered == nil ? "schema taken" : "schema refused, lowered to \(form)")
                    + (fitsSchema ? ", the reply fits" : ", the reply does not fit")
            ),
            (
                "grammar",
                keepsToGrammar.map {
                    $0 ? "kept; grammar: true binds plans to the tools" : "not kept"
                }
            ),
            ("plans", "text form, the fewest tokens"),
            ("usage", usage.map { "\($0.input) in, \($0.output) out" } ?? "not reported"),
            ("cost", usage?.charged(at: prices).cost.map(Text.amount)),
        ]
    }

    func encode(as name: String, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("model", name)
        writer.field("works", works)
        if let failure {
            writer.key("error")
            writer.beginObject()
            writer.field("code", failure.code.rawValue)
            writer.field("message", failure.message)
            writer.field("status", failure.status)
            writer.endObject()
        } else {
            writer.field("ended", stop?.rawValue)
            writer.field("characters", text.count)
            writer.field("answers", answers)
            writer.field("first_text_ms", firstText)
            writer.field("total_ms", end)
            writer.field("streaming", isStreaming)
            writer.field("characters_per_s", pace)
            writer.field("form", form)
            writer.field("fits_schema", fitsSchema)
            writer.field("keeps_to_grammar", keepsToGrammar)
            writer.field("plan_format", PlanFormat.text.rawValue)
            if let usage {
                writer.key("usage")
                writer.beginObject()
                writer.field("input", usage.input)
                writer.field("output", usage.output)
                writer.field("cost", usage.charged(at: prices).cost)
                writer.endObject()
            }
        }
        writer.endObject()
    }
}
