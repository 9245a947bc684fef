// The JSON form of a plan, read as it arrives. The reader finds where values begin and end; whether
// a value is valid JSON is judged on the whole value, what a node means is not judged here.

public import JSON

/// An incremental reader of `{"tasks":[…],"join_instruction":"…"}`.
///
/// Feed it bytes in any split; each element of `tasks` is handed out as soon as its last byte is
/// there. Keys may come in any order, unknown ones are told at the end. Time is proportional to the bytes;
/// memory is that of one value that spans several pieces. An error is final.
public struct PlanReader: Sendable {
    /// What is expected next, outside a value.
    private enum Place: Sendable {
        case document, firstKey, key, colon, value, afterValue, firstNode, node, afterNode, end
    }

    private enum Field: Sendable {
        case tasks, joinInstruction, other
    }

    private var place = Place.document
    private var field = Field.other
    private var hasTasks = false
    private var hasJoinInstruction = false
    private var joinInstruction: String?
    private var nodeCount = 0

    /// The value whose end is looked for, and what earlier pieces held of it.
    private var scan: ValueScan?
    private var partial: [UInt8] = []
    private var valueOffset = 0

    /// Bytes of all pieces before the present one.
    private var consumed = 0
    private var failure: PlanProblems?
    /// Faults of form that do not keep the rest from being read.
    private var problems = ProblemList()

    /// A reader at the start of a document.
    public init() {}

    /// How many bytes have been read.
    public var bytesRead: Int { consumed }

    /// Reads the next piece.
    ///
    /// `onNode` is called for each element of `tasks` that ends in this piece, in order; elements
    /// that lie in one piece share its buffer. Throws at the first byte that cannot be part of a
    /// plan document, naming its offset, and again on every later call.
    public mutating func feed(
        _ bytes: ArraySlice<UInt8>,
        onNode: (RawJSON) -> Void
    ) throws(PlanProblems) {
        if let failure { throw failure }
        do {
            try read(bytes, onNode)
        } catch {
            failure = error
            partial = []
            throw error
        }
        consumed += bytes.count
    }

    /// Ends the document; returns the join instruction.
    ///
    /// Throws if the document is not complete, has no list of tasks, or had faults of form.
    public mutating func finish() throws(PlanProblems) -> String? {
        if let failure { throw failure }
        guard place == .end else {
            let problem = PlanProblem(
                code: .badJSON,
                message: consumed == 0
                    ? "the plan is empty"
                    : "the plan ends at byte \(consumed), where \(expectation) should come"
            )
            let error = PlanProblems([problem])
            failure = error
            throw error
        }
        if !hasTasks {
            hasTasks = true
            problems.add(PlanProblem(code: .badPlan, message: "the plan has no tasks"))
        }
        try problems.throwIfAny()
        return joinInstruction
    }

    // MARK: - Walking the document

    private mutating func read(
        _ bytes: ArraySlice<UInt8>,
        _ onNode: (RawJSON) -> Void
    ) throws(PlanProblems) {
        var index = bytes.startIndex
        var valueStart = index
        while index < bytes.endIndex {
            if scan != nil {
                guard let end = try scanOn(bytes, from: index) else { break }
                try finishValue(bytes[valueStart..<end], onNode)
                index = end
                continue
            }
            let byte = bytes[index]
            if isSpace(byte) {
                index += 1
                continue
            }
            let offset = consumed + (index - bytes.startIndex)
            if try step(byte, at: offset) {
                index += 1
            } else {
                scan = ValueScan(first: byte)
                valueOffset = offset
                valueStart = index
            }
        }
        if scan != nil {
            partial.append(contentsOf: bytes[valueStart...])
            try checkSize(partial.count)
        }
    }

    /// Takes one byte between values; false if a value begins with it.
    private mutating func step(_ byte: UInt8, at offset: Int) throws(PlanProblems) -> Bool {
        switch (place, Unicode.Scalar(byte)) {
        case (.document, "{"):
            place = .firstKey
        case (.firstKey, "}"), (.afterValue, "}"):
            place = .end
        case (.firstKey, "\""), (.key, "\""):
            return false
        case (.colon, ":"):
            place = .value
        case (.value, "[") where field == .tasks:
            place = .firstNode
        case (.afterValue, ","):
            place = .key
        case (.firstNode, "]"), (.afterNode, "]"):
            place = .afterValue
        case (.afterNode, ","):
            place = .node
        case (.value, ","), (.value, ":"), (.value, "]"), (.value, "}"),
            (.firstNode, ","), (.firstNode, ":"), (.firstNode, "}"),
            (.node, ","), (.node, ":"), (.node, "]"), (.node, "}"):
            throw unexpected(byte, offset)
        case (.value, _), (.firstNode, _), (.node, _):
            return false
        default:
            throw unexpected(byte, offset)
        }
        return true
    }

    private mutating func scanOn(
        _ bytes: ArraySlice<UInt8>,
        from index: Int
    ) throws(PlanProblems) -> Int? {
        let end = scan?.end(in: bytes, from: index)
        guard scan?.isTooDeep != true else {
            throw fatal("\(valueName) is nested deeper than \(JSONLimits.depth) levels")
        }
        return end
    }

    private mutating func finishValue(
        _ bytes: ArraySlice<UInt8>,
        _ onNode: (RawJSON) -> Void
    ) throws(PlanProblems) {
        scan = nil
        try checkSize(partial.count + bytes.count)
        var text = bytes
        if !partial.isEmpty {
            text = (partial + bytes)[...]
            partial = []
        }
        let value: RawJSON
        do {
            value = try RawJSON(validating: text)
        } catch {
            throw fatal("\(valueName) is not valid JSON: \(error.message)")
        }
        switch place {
        case .firstKey, .key:
            takeKey(value)
            place = .colon
        case .firstNode, .node:
            guard nodeCount < PlanLimits.nodes else {
                throw PlanProblems([
                    PlanProblem(
                        code: .limit,
                        message: "the plan has more than \(PlanLimits.nodes) nodes"
                    )
                ])
            }
            nodeCount += 1
            place = .afterNode
            onNode(value)
        default:
            takeField(value)
            place = .afterValue
        }
    }

    private mutating func takeKey(_ key: RawJSON) {
        switch key.stringValue {
        case "tasks":
            if hasTasks { report("the plan has tasks twice") }
            field = hasTasks ? .other : .tasks
            hasTasks = true
        case "join_instruction":
            if hasJoinInstruction { report("the plan has a join_instruction twice") }
            field = hasJoinInstruction ? .other : .joinInstruction
            hasJoinInstruction = true
        default:
            field = .other
            let name = key.stringValue ?? ""
            report("the plan " + PlanFields.fault(of: name, known: PlanFields.plan))
        }
    }

    private mutating func takeField(_ value: RawJSON) {
        switch field {
        case .tasks:
            report("the plan has \(value.kind.phrase) as its tasks; it must be a list of nodes")
        case .joinInstruction where value.kind != .null:
            guard let text = value.stringValue else {
                report("the join_instruction is \(value.kind.phrase); it must be a string")
                return
            }
            if text.utf8.count > PlanLimits.joinInstruction {
                problems.add(joinInstructionTooLong(text.utf8.count))
            }
            joinInstruction = text
        case .joinInstruction, .other:
            break
        }
    }

    // MARK: - Problems

    private mutating func report(_ message: String) {
        problems.add(PlanProblem(code: .badPlan, message: message))
    }

    private func fatal(_ message: String) -> PlanProblems {
        PlanProblems([PlanProblem(code: .badJSON, message: message)])
    }

    private func unexpected(_ byte: UInt8, _ offset: Int) -> PlanProblems {
        let found =
            (0x21...0x7E).contains(byte)
            ? "\(Unicode.Scalar(byte))" : "the byte 0x\(String(byte, radix: 16, uppercase: true))"
        return fatal("at byte \(offset) stands \(found), where \(expectation) should come")
    }

    private func checkSize(_ count: Int) throws(PlanProblems) {
        guard count > PlanLimits.nodeBytes else { return }
        throw PlanProblems([
            PlanProblem(
                code: .limit,
                message: "\(valueName) is larger than \(PlanLimits.nodeBytes) bytes"
            )
        ])
    }

    private var valueName: String {
        switch place {
        case .firstNode, .node: "the \(ordinal(nodeCount + 1)) node (at byte \(valueOffset))"
        default: "the value at byte \(valueOffset)"
        }
    }

    private var expectation: String {
        if scan != nil { return "the rest of \(valueName)" }
        return switch place {
        case .document: "the { of a plan"
        case .firstKey: "a key or }"
        case .key: "a key"
        case .colon: "a colon"
        case .value: "a value"
        case .afterValue: "a comma or }"
        case .firstNode: "a node or ]"
        case .node: "a node"
        case .afterNode: "a comma or ]"
        case .end: "nothing more"
        }
    }
}

func joinInstructionTooLong(_ count: Int) -> PlanProblem {
    PlanProblem(
        code: .limit,
        message: "the join_instruction is \(count) bytes long; at most "
            + "\(PlanLimits.joinInstruction) are allowed"
    )
}

private func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
}
