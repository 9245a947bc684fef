// Finds the places of problems in a plan's text. Problems name nodes by their ids; this finds the
// node, and the field that the problem is about. Pure.
internal import Console
internal import JSON
internal import Plans

/// The places of the nodes of one plan text.
struct PlanPlaces {
    private let text: PlanText
    private let root: Int
    private let nodes: [Int]
    /// The positions in `nodes` by id, in the order written.
    private let indexes: [String: [Int]]
    /// The node in which a problem was found while it was read.
    private let origins: [PlanProblem: Int]

    init(_ bytes: [UInt8]) {
        let text = PlanText(bytes: bytes)
        self.text = text
        root = 0
        let tasks = text.fields(at: root).first { $0.key == "tasks" }?.offset
        nodes = tasks.map { text.elements(at: $0) } ?? []
        var indexes: [String: [Int]] = [:]
        for (index, node) in nodes.enumerated() {
            let id = text.fields(at: node).first { $0.key == "id" }
            guard let name = id.flatMap({ text.string(at: $0.offset) }) else { continue }
            indexes[name, default: []].append(index)
        }
        self.indexes = indexes
        var origins: [PlanProblem: Int] = [:]
        var reader = PlanReader()
        var index = 0
        try? reader.feed(bytes[...]) { raw in
            do throws(PlanProblems) {
                _ = try NodeDefinition(decoding: raw, at: index)
            } catch {
                for problem in error.problems { origins[problem] = index }
            }
            index += 1
        }
        self.origins = origins
    }

    /// The line and column of a problem; nil if it has no place.
    func position(of problem: PlanProblem, pointer: String? = nil) -> TextPosition? {
        if let position = problem.position { return position }
        return offset(of: problem, pointer: pointer).map {
            TextPosition().advanced(over: text.bytes.prefix($0))
        }
    }

    private func offset(of problem: PlanProblem, pointer: String?) -> Int? {
        if problem.code == .badJSON { return JSONReader.faultOffset(in: text.bytes[...]) }
        guard let node = node(of: problem) else {
            return problem.node == nil ? offset(namedIn: problem.message, at: root) : nil
        }
        let fields = text.fields(at: node)
        func value(_ key: String) -> Int? { fields.last { $0.key == key }?.offset }
        switch problem.code {
        case .unknownTool: return value("tool_name") ?? node
        case .badArguments:
            guard let arguments = value("args") else { return node }
            return part(pointer ?? "", of: arguments)
        case .badID, .duplicateID: return value("id") ?? node
        case .unknownDependency:
            let named = value("dependencies").map { text.elements(at: $0) } ?? []
            return named.first { names($0, in: problem.message) } ?? value("dependencies") ?? node
        case .selfReference, .unknownReference, .malformedReference: return value("args") ?? node
        case .badPlan, .limit:
            // The id of the node may also be the name of a field.
            let words = problem.message.drop { $0 != " " }.dropFirst().drop { $0 != " " }
            return offset(namedIn: String(words), at: node) ?? node
        default: return node
        }
    }

    private func node(of problem: PlanProblem) -> Int? {
        if let index = origins[problem], index < nodes.count { return nodes[index] }
        guard let places = problem.node.flatMap({ indexes[$0] }) else { return nil }
        let index = problem.code == .duplicateID ? places.dropFirst().first : places.first
        return index.map { nodes[$0] }
    }

    /// Whether the id at an offset is the one in a sentence about a dependency.
    private func names(_ offset: Int, in message: String) -> Bool {
        guard let id = text.string(at: offset) else { return false }
        return indexes[id] == nil && message.contains(id)
    }

    /// The first key of an object that a sentence names.
    private func offset(namedIn message: String, at object: Int) -> Int? {
        let words = message.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
            .map(String.init)
        return text.fields(at: object)
            .compactMap { field in
                words.firstIndex(of: field.key).map { ($0, field.keyOffset) }
            }
            .min { $0.0 < $1.0 }?.1
    }

    /// The place of a part of a value, or of the closest part around it that is found.
    private func part(_ pointer: String, of value: Int) -> Int {
        var place = value
        for step in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let key = step.replacing("~1", with: "/").replacing("~0", with: "~")
            let elements = text.elements(at: place)
            if let index = Int(key), elements.indices.contains(index) {
                place = elements[index]
            } else if let field = text.fields(at: place).last(where: { $0.key == key }) {
                place = field.offset
            } else {
                break
            }
        }
        return place
    }
}

/// The text of a plan, whose parts are found by their offsets.
private struct PlanText {
    let bytes: [UInt8]

    /// The fields of the object at an offset: the key, and the offsets of key and value.
    func fields(at offset: Int) -> [(key: String, keyOffset: Int, offset: Int)] {
        var fields: [(String, Int, Int)] = []
        var key: (name: String, offset: Int)?
        readMembers(at: offset, delivery: .fields) { event, start in
            if case .key(let text) = event {
                key = RawJSON(trusted: text).stringValue.map { ($0, start) }
            } else if let field = key {
                fields.append((field.name, field.offset, start))
                key = nil
            }
        }
        return fields
    }

    /// The offsets of the elements of the array at an offset.
    func elements(at offset: Int) -> [Int] {
        var places: [Int] = []
        readMembers(at: offset, delivery: .elements) { _, start in places.append(start) }
        return places
    }

    /// The decoded string at an offset.
    func string(at offset: Int) -> String? {
        var string: String?
        readMembers(at: offset, delivery: .text) { event, _ in
            if case .text(let text, isLast: true) = event {
                string = String(decoding: text, as: UTF8.self)
            }
        }
        return string
    }

    /// Calls the body for each key, member and text of the value at an offset, with its offset, up
    /// to the end of the value or to invalid JSON.
    private func readMembers(
        at offset: Int,
        delivery: JSONReader.Delivery,
        _ body: (JSONReader.Event, Int) -> Void
    ) {
        var reader = JSONReader(.anyValue, delivery: delivery)
        reader.push(bytes[offset...])
        while !reader.isAtEnd, let event = try? reader.next() {
            switch event {
            case .key, .text: body(event, offset + reader.valueOffset)
            case .value where !reader.isAtEnd: body(event, offset + reader.valueOffset)
            case .value, .beginObject, .endObject, .beginArray, .endArray: break
            }
        }
    }
}

/// A problem and its place.
struct PlacedProblem: Equatable {
    var problem: PlanProblem
    var position: TextPosition?

    /// `error: plan.json:3:14: node t3 …`, for people.
    func line(in file: String) -> String {
        let severity = problem.isWarning ? "warning" : "error"
        let place = position.map { "\(file):\($0.line):\($0.column)" } ?? file
        return "\(severity): \(place): \(problem.sentence)"
    }

    /// `{"code","node"?,"message","warning"?,"line"?,"column"?}`.
    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("code", problem.code.rawValue)
        writer.field("node", problem.node)
        writer.field("message", problem.message)
        if problem.isWarning { writer.field("warning", true) }
        writer.field("line", position?.line)
        writer.field("column", position?.column)
        writer.endObject()
    }
}
