// Recorded calls of a model: the file's form, reading and writing it. Not here: replaying
// (RecordedModel), recording (RecordingModel).
//
// A recording is a file of JSON lines. Times are milliseconds since the call began, possibly with a
// fraction; they never decrease within a call.
//
//     {"weft_recording":1}                              the version; the first line
//     {"call":"planner","goal":"…","tools":["…"]}       a call begins; all of this may be missing
//     {"at_ms":210,"lowered":"text"}                    the form was lowered: text or json_object
//     {"at_ms":212.5,"delta":"{\"tasks\":"}             a piece of text
//     {"at_ms":900,"usage":{"input":812,"output":96}}   tokens used
//     {"at_ms":901,"ended":"end"}                       the end, by the name of its reason, or
//     {"at_ms":901,"failed":{"code":"timeout","message":"…","retryable":true,"status":504}}
//
// Empty lines are skipped, and so are unknown fields.
internal import Core
internal import FoundationEssentials
internal import JSON
public import PlannerCore

/// The reports of recorded calls, with their times.
public struct Recording: Sendable, Equatable {
    /// One event and its time since the call began.
    public struct Entry: Sendable, Equatable {
        /// Time since the call began.
        public var time: Duration
        /// The report.
        public var event: ModelEvent

        /// Makes an entry.
        public init(time: Duration, event: ModelEvent) {
            self.time = time
            self.event = event
        }
    }

    /// One call: events of which only the last one is an end.
    public struct Call: Sendable, Equatable {
        /// Which of several models was called.
        public var label: String?
        /// What the call was for, if the recording tells.
        public var subject: ModelSubject?
        /// The reports, in order.
        public var entries: [Entry]

        /// Makes a call.
        public init(label: String? = nil, subject: ModelSubject? = nil, entries: [Entry]) {
            self.label = label
            self.subject = subject
            self.entries = entries
        }
    }

    /// The calls in the order they ended.
    public var calls: [Call]

    static let version = 1
    /// The most bytes of a file.
    private static let sizeLimit = 64 << 20

    /// Makes a recording of calls.
    public init(calls: [Call]) {
        self.calls = calls
    }

    /// Reads a file; throws a sentence for people, with the line.
    public static func load(path: String) throws(RecordingError) -> Recording {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw RecordingError(message: "The recording \(path) cannot be read.")
        }
        guard data.count <= sizeLimit else {
            throw RecordingError(message: "The recording \(path) is larger than 64 MiB.")
        }
        do throws(RecordingError) {
            return try Recording(parsing: Array(data))
        } catch {
            throw RecordingError(message: "\(path): \(error.message)")
        }
    }

    /// Reads the bytes of a file.
    public init(parsing bytes: [UInt8]) throws(RecordingError) {
        var reader = RecordingReader()
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.allSatisfy({ $0 <= 0x20 }) {
            do throws(RecordingError) {
                try reader.read(line)
            } catch {
                throw RecordingError(message: "line \(index + 1): \(error.message)")
            }
        }
        calls = try reader.finish()
    }

    /// The first line of a file.
    static func writeHeader(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("weft_recording", version)
        writer.endObject()
        writer.newline()
    }
}

/// The error for a file that is not a recording.
public struct RecordingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, as a sentence for a person.
    public var message: String

    /// The message.
    public var description: String { message }
}

extension Recording.Call {
    /// Writes the lines of the call.
    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        if let label { writer.field("call", label) } else { writer.field("call", RawJSON.null) }
        if let subject {
            writer.field("goal", subject.goal)
            writer.key("tools")
            writer.beginArray()
            for name in subject.tools { writer.string(name) }
            writer.endArray()
        }
        writer.endObject()
        writer.newline()
        for entry in entries {
            writer.beginObject()
            writer.field("at_ms", milliseconds(entry.time.wholeMicroseconds))
            entry.event.encode(into: &writer)
            writer.endObject()
            writer.newline()
        }
    }
}

extension ModelEvent {
    fileprivate func encode(into writer: inout JSONWriter) {
        switch self {
        case .delta(let text):
            writer.field("delta", text)
        case .charged(let prices):
            writer.key("prices")
            writer.beginObject()
            writer.field("input", prices.input)
            writer.field("output", prices.output)
            writer.endObject()
        case .usage(let usage):
            writer.key("usage")
            writer.beginObject()
            writer.field("input", usage.input)
            writer.field("output", usage.output)
            writer.endObject()
        case .formatLowered(let format):
            writer.field("lowered", format == .text ? "text" : "json_object")
        case .ended(let stop):
            writer.field("ended", stop.rawValue)
        case .failed(let failure):
            writer.key("failed")
            writer.beginObject()
            writer.field("code", failure.code.rawValue)
            writer.field("message", failure.message)
            writer.field("retryable", failure.isRetryable)
            writer.field("status", failure.status)
            writer.endObject()
        }
    }

    var isEnd: Bool {
        switch self {
        case .ended, .failed: true
        case .charged, .delta, .usage, .formatLowered: false
        }
    }
}

/// Reads a recording line by line.
private struct RecordingReader {
    private var calls: [Recording.Call] = []
    private var open: Recording.Call?
    private var hasVersion = false

    mutating func read(_ line: ArraySlice<UInt8>) throws(RecordingError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: line)
        } catch {
            throw RecordingError(message: error.message)
        }
        guard hasVersion else {
            guard value["weft_recording"]?.intValue == Recording.version else {
                throw RecordingError(
                    message: "A recording starts with {\"weft_recording\":\(Recording.version)}."
                )
            }
            hasVersion = true
            return
        }
        if let label = value["call"] {
            guard open == nil else {
                throw RecordingError(message: "The previous call has no end: ended or failed.")
            }
            let subject = value["goal"]?.stringValue.map { goal in
                let tools = value["tools"]?.arrayValue ?? []
                return ModelSubject(goal: goal, tools: tools.compactMap(\.stringValue))
            }
            open = Recording.Call(label: label.stringValue, subject: subject, entries: [])
            return
        }
        try readEntry(value)
    }

    mutating func finish() throws(RecordingError) -> [Recording.Call] {
        guard open == nil else {
            throw RecordingError(message: "The last call has no end: ended or failed.")
        }
        guard !calls.isEmpty else { throw RecordingError(message: "There is no call in it.") }
        return calls
    }

    private mutating func readEntry(_ value: JSONValue) throws(RecordingError) {
        guard var call = open else {
            throw RecordingError(message: "An event is outside of a call.")
        }
        let earliest = call.entries.last?.time ?? .zero
        guard let milliseconds = value["at_ms"]?.doubleValue, milliseconds <= 86_400_000,
            .milliseconds(milliseconds) >= earliest
        else {
            throw RecordingError(
                message: "at_ms must be milliseconds since the call began, not less than before."
            )
        }
        guard let event = ModelEvent(recorded: value) else {
            throw RecordingError(
                message: "An event is one of delta, usage, prices, lowered, ended and failed."
            )
        }
        call.entries.append(Recording.Entry(time: .milliseconds(milliseconds), event: event))
        open = event.isEnd ? nil : call
        if event.isEnd { calls.append(call) }
    }
}

extension ModelEvent {
    fileprivate init?(recorded value: JSONValue) {
        if let text = value["delta"]?.stringValue {
            self = .delta(text)
        } else if let usage = value["usage"], usage.objectValue != nil {
            self = .usage(
                TokenUsage(input: usage.count("input"), output: usage.count("output"))
            )
        } else if let prices = value["prices"], let input = prices["input"]?.doubleValue,
            let output = prices["output"]?.doubleValue, input >= 0, output >= 0
        {
            self = .charged(TokenPrices(input: input, output: output))
        } else if let form = value["lowered"]?.stringValue {
            self = .formatLowered(to: form == "text" ? .text : .jsonObject)
        } else if let name = value["ended"]?.stringValue, let stop = ModelStop(rawValue: name) {
            self = .ended(stop)
        } else if let failure = value["failed"], let code = failure["code"]?.stringValue {
            self = .failed(
                ModelFailure(
                    code: ModelFailure.Code(rawValue: code),
                    message: failure["message"]?.stringValue ?? code,
                    isRetryable: failure["retryable"]?.boolValue ?? false,
                    status: failure["status"]?.intValue
                )
            )
        } else {
            return nil
        }
    }
}
