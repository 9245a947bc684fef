// What every message struct can do, and the pieces several of them share when they are written.
internal import Core
internal import JSON
internal import OrderedCollections
internal import Plans

/// The fields of one kind of message.
protocol MessageBody {
    /// Reads the fields; `fields.owner` is the type of the message.
    init(reading fields: FieldReader) throws(WireError)
    /// Writes the fields, without the braces and without `type`.
    func write(into writer: inout JSONWriter)
}

extension JSONWriter {
    mutating func field(_ key: StaticString, _ attempt: AttemptID) {
        self.key(key)
        string(attempt)
    }

    /// Writes the id of an attempt straight into the bytes: nothing in it needs escaping.
    mutating func string(_ attempt: AttemptID) {
        string("")
        bytes.removeLast()
        attempt.append(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func field(_ key: StaticString, _ attempts: [AttemptID]) {
        self.key(key)
        beginArray()
        for attempt in attempts {
            string(attempt)
        }
        endArray()
    }

    mutating func field(_ key: StaticString, _ strings: [String]) {
        self.key(key)
        beginArray()
        for text in strings {
            string(text)
        }
        endArray()
    }

    mutating func field(_ key: StaticString, _ integers: [Int]) {
        self.key(key)
        beginArray()
        for integer in integers { self.integer(integer) }
        endArray()
    }

    mutating func field(_ key: StaticString, _ labels: OrderedDictionary<String, String>) {
        self.key(key)
        beginObject()
        for (name, value) in labels {
            self.key(escaping: name)
            string(value)
        }
        endObject()
    }

    mutating func field(_ key: StaticString, _ problems: [PlanProblem]) {
        self.key(key)
        beginArray()
        for problem in problems { problem.encode(into: &self) }
        endArray()
    }

    /// A flag that is left out when it is false.
    mutating func flag(_ key: StaticString, _ value: Bool) {
        if value {
            field(key, true)
        }
    }

    mutating func field(hex key: StaticString, _ bytes: [UInt8]) {
        field(key, Hex.encode(bytes))
    }

    /// A payload under its own key, or its announcement under the other one.
    mutating func payload(
        _ payload: Payload,
        inline: StaticString,
        chunked: StaticString
    ) {
        switch payload {
        case .inline(let value):
            field(inline, value)
        case .pieces(let pieces):
            field(inline, pieces.joined)
        case .chunked(let count, let bytes, let sha256):
            key(chunked)
            beginObject()
            field("count", count)
            field("bytes", bytes)
            field("sha256", sha256)
            endObject()
        }
    }
}

extension FieldReader {
    func problems(_ key: StaticString) throws(WireError) -> [PlanProblem] {
        try elements(key).map { (raw: RawJSON) throws(WireError) in
            guard let problem = PlanProblem(decoding: raw) else {
                throw bad(key, "must be an array of problems of a plan")
            }
            return problem
        }
    }

    /// The payload, if either of its keys is there.
    func optionalPayload(
        inline: StaticString,
        chunked: StaticString
    ) throws(WireError) -> Payload? {
        if let announced = try optionalObject(chunked) {
            if optionalValue(inline) != nil {
                throw bad(inline, "must not stand beside \(chunked)")
            }
            let digest = try announced.optionalString("sha256", bytes: 64...64)
            if let digest, Hex.decode(digest.utf8) == nil {
                throw announced.bad("sha256", "must be 64 hex digits")
            }
            return .chunked(
                count: try announced.integer("count", in: 1...Limits.largestInteger),
                bytes: try announced.integer("bytes", in: 1...Limits.largestInteger),
                sha256: digest
            )
        }
        return optionalValue(inline).map { .inline($0) }
    }

    func payload(inline: StaticString, chunked: StaticString) throws(WireError) -> Payload {
        guard let payload = try optionalPayload(inline: inline, chunked: chunked) else {
            throw missing(inline)
        }
        return payload
    }
}
