// Reads the fields of one message or of an object in it; whatever is missing, of the wrong type or
// out of range becomes a `bad_message` that names the field.
internal import Core
internal import JSON
internal import OrderedCollections

/// The fields of one object of the protocol.
package struct FieldReader {
    /// The fields as they are found in the line.
    let fields: JSONFields
    /// What the object is, for messages: the type of a message, or the key of an object in one.
    let owner: String

    init(_ fields: JSONFields, of owner: String) {
        self.fields = fields
        self.owner = owner
    }

    /// An error that says what the field has to be.
    func bad(_ key: StaticString, _ demand: String) -> WireError {
        WireError(code: .badMessage, message: "The field \(key) of \(owner) \(demand).")
    }

    func missing(_ key: StaticString) -> WireError {
        bad(key, "is missing")
    }

    // MARK: - Values as they are

    /// The field's JSON text; null counts as absent.
    func present(_ key: StaticString) -> RawJSON? {
        guard let raw = fields[key], raw.kind != .null else { return nil }
        return raw
    }

    /// Any JSON value, null among them.
    func optionalValue(_ key: StaticString) -> RawJSON? {
        fields[key]
    }

    /// An object within this one.
    func optionalObject(_ key: StaticString) throws(WireError) -> FieldReader? {
        guard let raw = present(key) else { return nil }
        return try object(raw, key)
    }

    func object(_ key: StaticString) throws(WireError) -> FieldReader {
        guard let reader = try optionalObject(key) else { throw missing(key) }
        return reader
    }

    private func object(_ raw: RawJSON, _ key: StaticString) throws(WireError) -> FieldReader {
        guard raw.kind == .object else { throw bad(key, "must be an object") }
        do {
            return FieldReader(try JSONFields(raw), of: "\(key)")
        } catch {
            throw bad(key, "cannot be read: \(error.message)")
        }
    }

    /// The elements of an array; none when the field is absent.
    func elements(_ key: StaticString) throws(WireError) -> [RawJSON] {
        guard let raw = present(key) else { return [] }
        guard raw.kind == .array else { throw bad(key, "must be an array") }
        var elements: [RawJSON] = []
        raw.forEachElement { elements.append($0) }
        return elements
    }

    /// The elements of an array that must be there.
    func requiredElements(_ key: StaticString) throws(WireError) -> [RawJSON] {
        guard present(key) != nil else { throw missing(key) }
        return try elements(key)
    }

    /// The objects of an array; none when the field is absent.
    func objects(_ key: StaticString) throws(WireError) -> [FieldReader] {
        try elements(key).map { (raw: RawJSON) throws(WireError) in try object(raw, key) }
    }

    // MARK: - Text

    func optionalString(
        _ key: StaticString,
        bytes: ClosedRange<Int> = 0...Limits.largestInteger
    ) throws(WireError) -> String? {
        guard let raw = present(key) else { return nil }
        return try string(raw, key, bytes: bytes)
    }

    func string(
        _ key: StaticString,
        bytes: ClosedRange<Int> = 0...Limits.largestInteger
    ) throws(WireError) -> String {
        guard let raw = present(key) else { throw missing(key) }
        return try string(raw, key, bytes: bytes)
    }

    /// The UTF-8 bytes of a string, for data that becomes no `String`; in the line itself when
    /// nothing in it is escaped.
    func stringBytes(_ key: StaticString) throws(WireError) -> ArraySlice<UInt8> {
        guard let raw = present(key) else { throw missing(key) }
        return try stringBytes(raw, key)
    }

    func strings(_ key: StaticString, bytes: ClosedRange<Int>) throws(WireError) -> [String] {
        try elements(key).map { (raw: RawJSON) throws(WireError) in
            try string(raw, key, bytes: bytes)
        }
    }

    func integers(_ key: StaticString) throws(WireError) -> [Int] {
        try elements(key).map { (raw: RawJSON) throws(WireError) in
            guard let value = raw.intValue, value >= 0 else {
                throw bad(key, "must have whole numbers from 0")
            }
            return value
        }
    }

    private func string(
        _ raw: RawJSON,
        _ key: StaticString,
        bytes: ClosedRange<Int>
    ) throws(WireError) -> String {
        guard let text = raw.stringValue else { throw bad(key, "must be a string") }
        guard bytes.contains(text.utf8.count) else {
            throw bad(key, "must have \(bytes.lowerBound) to \(bytes.upperBound) bytes")
        }
        return text
    }

    /// The UTF-8 bytes of a string, in the line itself when nothing in it is escaped.
    private func stringBytes(
        _ raw: RawJSON,
        _ key: StaticString
    ) throws(WireError) -> ArraySlice<UInt8> {
        guard let text = raw.stringSlice else { throw bad(key, "must be a string") }
        return text
    }

    /// An object of strings; empty when the field is absent.
    func labels(_ key: StaticString) throws(WireError) -> OrderedDictionary<String, String> {
        guard let object = try optionalObject(key) else { return [:] }
        var labels: OrderedDictionary<String, String> = [:]
        var isText = true
        func add(key: String, value: RawJSON) {
            labels[key] = value.stringValue
            isText = isText && value.kind == .string
        }
        object.fields.forEach(add)
        guard isText, labels.count <= Limits.largestLabels else {
            throw bad(key, "must be an object of at most \(Limits.largestLabels) strings")
        }
        return labels
    }

    /// One of the texts of an enumeration.
    func optionalChoice<Choice: RawRepresentable & CaseIterable>(
        _ key: StaticString
    ) throws(WireError) -> Choice? where Choice.RawValue == String {
        guard let text = try optionalString(key) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw bad(key, "must be one of: \(known)")
        }
        return choice
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: StaticString
    ) throws(WireError) -> Choice where Choice.RawValue == String {
        guard let choice: Choice = try optionalChoice(key) else { throw missing(key) }
        return choice
    }

    /// Lower- or upper-case hex digits of that many bytes.
    func hex(_ key: StaticString, count: Int) throws(WireError) -> [UInt8] {
        guard let raw = present(key) else { throw missing(key) }
        guard let bytes = Hex.decode(try stringBytes(raw, key)), bytes.count == count else {
            throw bad(key, "must be \(2 * count) hex digits")
        }
        return bytes
    }

    // MARK: - Numbers and booleans

    func optionalInteger(
        _ key: StaticString,
        in range: ClosedRange<Int> = 0...Limits.largestInteger
    ) throws(WireError) -> Int? {
        guard let raw = present(key) else { return nil }
        guard let number = raw.intValue, range.contains(number) else {
            throw bad(
                key,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    func integer(
        _ key: StaticString,
        in range: ClosedRange<Int> = 0...Limits.largestInteger
    ) throws(WireError) -> Int {
        guard let number = try optionalInteger(key, in: range) else { throw missing(key) }
        return number
    }

    /// A whole number of that range; nil for anything else.
    func number(_ key: StaticString, in range: ClosedRange<Int>) -> Int? {
        guard let number = present(key)?.intValue, range.contains(number) else { return nil }
        return number
    }

    func optionalDouble(_ key: StaticString) throws(WireError) -> Double? {
        guard let raw = present(key) else { return nil }
        guard let number = raw.doubleValue else { throw bad(key, "must be a number") }
        return number
    }

    func double(_ key: StaticString) throws(WireError) -> Double {
        guard let number = try optionalDouble(key) else { throw missing(key) }
        return number
    }

    /// A number, held between 0 and 1.
    func optionalFraction(_ key: StaticString) throws(WireError) -> Double? {
        guard let raw = present(key) else { return nil }
        guard raw.kind == .number else { throw bad(key, "must be a number from 0 to 1") }
        let isNegative = raw.bytes.first == UInt8(ascii: "-")
        return min(max(raw.doubleValue ?? (isNegative ? 0 : 1), 0), 1)
    }

    func optionalBool(_ key: StaticString) throws(WireError) -> Bool? {
        guard let raw = present(key) else { return nil }
        guard let value = raw.boolValue else { throw bad(key, "must be true or false") }
        return value
    }

    /// A flag that is false when the field is absent.
    func flag(_ key: StaticString) throws(WireError) -> Bool {
        try optionalBool(key) ?? false
    }

    func bool(_ key: StaticString) throws(WireError) -> Bool {
        guard let value = try optionalBool(key) else { throw missing(key) }
        return value
    }

    // MARK: - Names and ids

    func attempt(_ key: StaticString) throws(WireError) -> AttemptID {
        guard let raw = present(key) else { throw missing(key) }
        return try attempt(raw, key)
    }

    func attempts(_ key: StaticString) throws(WireError) -> [AttemptID] {
        try elements(key).map { (raw: RawJSON) throws(WireError) in try attempt(raw, key) }
    }

    private func attempt(_ raw: RawJSON, _ key: StaticString) throws(WireError) -> AttemptID {
        guard let id = AttemptID(parsing: try stringBytes(raw, key)) else {
            throw bad(key, "must be the id of an attempt as it was dispatched")
        }
        return id
    }

    /// The field `traceparent` of W3C Trace Context.
    func optionalTraceParent() throws(WireError) -> TraceParent? {
        guard let text = try optionalString("traceparent") else { return nil }
        guard let parent = TraceParent(text) else {
            throw bad("traceparent", "must be a traceparent of W3C Trace Context")
        }
        return parent
    }

    func optionalRun(_ key: StaticString) throws(WireError) -> RunID? {
        present(key) == nil ? nil : try run(key)
    }

    func run(_ key: StaticString) throws(WireError) -> RunID {
        guard let id = RunID(try string(key)) else {
            throw bad(key, "must be the id of a run: 1 to 15 of [a-z0-9-]")
        }
        return id
    }

    func node(_ key: StaticString) throws(WireError) -> NodeID {
        guard let id = try optionalNode(key) else { throw missing(key) }
        return id
    }

    func nodes(_ key: StaticString) throws(WireError) -> [NodeID] {
        try elements(key).map { (raw: RawJSON) throws(WireError) in
            guard let id = raw.stringValue.flatMap({ NodeID($0) }) else { throw badNode(key) }
            return id
        }
    }

    private func badNode(_ key: StaticString) -> WireError {
        bad(key, "must be the id of a node: 1 to 64 of [A-Za-z0-9_-]")
    }

    func optionalNode(_ key: StaticString) throws(WireError) -> NodeID? {
        guard let text = try optionalString(key) else { return nil }
        guard let id = NodeID(text) else { throw badNode(key) }
        return id
    }

    func optionalJoin(_ key: StaticString) throws(WireError) -> JoinKind? {
        guard let text = try optionalString(key) else { return nil }
        guard let kind = JoinKind(rawValue: text) else {
            throw bad(key, "must be concat, json, llm or tool:NAME")
        }
        return kind
    }

    func join(_ key: StaticString) throws(WireError) -> JoinKind {
        guard let kind = try optionalJoin(key) else { throw missing(key) }
        return kind
    }

    /// The name of a peer or of a session.
    func optionalName(_ key: StaticString) throws(WireError) -> String? {
        guard let text = try optionalString(key) else { return nil }
        guard PeerName.isValid(text) else {
            throw bad(key, "must be \(PeerName.rule)")
        }
        return text
    }

    func name(_ key: StaticString) throws(WireError) -> String {
        guard let name = try optionalName(key) else { throw missing(key) }
        return name
    }
}

/// The rule for names of peers and sessions.
public enum PeerName {
    /// The rule in words, for messages: "1 to 64 of [A-Za-z0-9._-]".
    public static let rule = "1 to 64 of [A-Za-z0-9._-]"

    /// Whether the text may be the name of a worker, client, viewer or session.
    public static func isValid(_ text: String) -> Bool {
        (1...Limits.nameLength).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }
}
