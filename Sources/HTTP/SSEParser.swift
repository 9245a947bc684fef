// Server-sent events, the framing of providers' streams. The meaning of events is not here.

/// One event of a stream.
public struct ServerSentEvent: Sendable, Hashable {
    /// The event's type, `message` unless it names one.
    public var type: String
    /// Its data lines, joined by line feeds.
    public var data: [UInt8]

    /// Makes an event.
    public init(type: String = "message", data: [UInt8]) {
        self.type = type
        self.data = data
    }
}

/// An event of a stream is longer than allowed.
public struct ServerSentEventTooLong: Error, Sendable, Equatable {
    /// The most bytes of an event.
    public var limit: Int
}

/// Splits a stream of bytes into server-sent events, independent of how the bytes arrive.
///
/// Lines end with LF, CR LF or CR, also mixed. Comments, `id` and `retry` are skipped, as is a byte
/// order mark at the start. Data is delivered as bytes, so that a character split over reads is
/// complete again.
public struct SSEParser: Sendable {
    private let limit: Int
    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var type = ""
    private var hasData = false
    private var isFirstLine = true
    /// Whether a line feed would belong to the carriage return that ended the previous line.
    private var skipsLineFeed = false

    /// Makes a parser for events of at most that many bytes.
    public init(limit: Int = 16 << 20) {
        self.limit = limit
    }

    /// Reads more bytes and appends the events that they complete.
    public mutating func feed(
        _ bytes: ArraySlice<UInt8>,
        into events: inout [ServerSentEvent]
    ) throws(ServerSentEventTooLong) {
        var start = bytes.startIndex
        for index in bytes.indices {
            let byte = bytes[index]
            let isLineFeed = byte == UInt8(ascii: "\n")
            if skipsLineFeed {
                skipsLineFeed = false
                if isLineFeed {
                    start = index + 1
                    continue
                }
            }
            guard isLineFeed || byte == UInt8(ascii: "\r") else { continue }
            line += bytes[start..<index]
            start = index + 1
            skipsLineFeed = !isLineFeed
            try checkLength()
            endLine(into: &events)
        }
        line += bytes[start...]
        try checkLength()
    }

    /// Reads the end of the stream.
    ///
    /// The standard drops an event without its blank line; providers omit the last one, so such an
    /// event counts here.
    public mutating func finish(into events: inout [ServerSentEvent]) {
        if !line.isEmpty { endLine(into: &events) }
        endEvent(into: &events)
    }

    private func checkLength() throws(ServerSentEventTooLong) {
        if line.count + data.count > limit { throw ServerSentEventTooLong(limit: limit) }
    }

    private mutating func endLine(into events: inout [ServerSentEvent]) {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        guard !line.isEmpty else { return endEvent(into: &events) }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "data":
            if hasData { data.append(UInt8(ascii: "\n")) }
            data += value
            hasData = true
        case "event":
            type = String(decoding: value, as: UTF8.self)
        default:
            break
        }
    }

    private mutating func endEvent(into events: inout [ServerSentEvent]) {
        if hasData {
            events.append(ServerSentEvent(type: type.isEmpty ? "message" : type, data: data))
        }
        data = []
        type = ""
        hasData = false
    }
}
