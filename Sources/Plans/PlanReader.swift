// The JSON form of a plan, read as it arrives. JSONReader finds the values; the meaning of a node
// is not checked here.

public import JSON

/// An incremental reader of `{"tasks":[…],"join_instruction":"…"}`.
///
/// Feed it bytes, split anywhere; each element of `tasks` is delivered as soon as its last byte has
/// arrived. Keys may come in any order; unknown ones are reported at the end. Time is proportional
/// to the bytes; memory is that of one value that spans several pieces. An error is final.
public struct PlanReader: Sendable {
    private enum Field: Sendable {
        case tasks, joinInstruction
        /// The key of a field that is ignored.
        case other(String)
    }

    private var reader = JSONReader(
        .object,
        delivery: .fields,
        largestValue: PlanLimits.nodeBytes
    )
    private var field = Field.other("")
    private var isInTasks = false
    private var hasTasks = false
    private var hasJoinInstruction = false
    private var joinInstruction: String?
    private var nodeCount = 0

    private var failure: PlanProblems?
    /// Faults that do not prevent reading the rest.
    private var problems = ProblemList()

    /// A reader at the start of a document.
    public init() {}

    /// How many bytes have been read.
    public var bytesRead: Int { reader.bytesRead }

    /// Reads the next piece.
    ///
    /// `onNode` is called for each element of `tasks` that ends in this piece, in order; elements
    /// within one piece share its buffer. Throws at the first byte that cannot be part of a plan
    /// document, with its position, and again on every later call.
    public mutating func feed(
        _ bytes: ArraySlice<UInt8>,
        onNode: (RawJSON) -> Void
    ) throws(PlanProblems) {
        if let failure { throw failure }
        reader.push(bytes)
        do throws(PlanProblems) {
            while let event = try nextEvent() { try handle(event, onNode) }
        } catch {
            failure = error
            throw error
        }
    }

    /// Ends the document; returns the join instruction.
    ///
    /// Throws if the document is not complete, has no list of tasks, or had other faults.
    public mutating func finish() throws(PlanProblems) -> String? {
        if let failure { throw failure }
        do throws(JSONReader.Fault) {
            try reader.finish()
        } catch {
            let problems = bytesRead == 0 ? fatal("the plan is empty", nil) : problems(of: error)
            failure = problems
            throw problems
        }
        if !hasTasks {
            hasTasks = true
            problems.add(PlanProblem(code: .badPlan, message: "the plan has no tasks"))
        }
        try problems.throwIfAny()
        return joinInstruction
    }

    // MARK: - Walking the document

    private mutating func nextEvent() throws(PlanProblems) -> JSONReader.Event? {
        do throws(JSONReader.Fault) {
            return try reader.next()
        } catch {
            throw problems(of: error)
        }
    }

    private mutating func handle(
        _ event: JSONReader.Event,
        _ onNode: (RawJSON) -> Void
    ) throws(PlanProblems) {
        switch event {
        case .key(let text):
            readKey(try validated(text, "a key"))
        case .beginArray:
            isInTasks = true
        case .endArray:
            isInTasks = false
        case .value(let text):
            let value = try validated(text, valueName)
            if isInTasks {
                try countNode()
                onNode(value)
            } else {
                readField(value)
            }
        case .beginObject, .endObject, .text:
            break
        }
    }

    private mutating func countNode() throws(PlanProblems) {
        guard nodeCount < PlanLimits.nodes else {
            throw PlanProblems([
                PlanProblem(
                    code: .limit,
                    message: "the plan has more than \(PlanLimits.nodes) nodes"
                )
            ])
        }
        nodeCount += 1
    }

    private mutating func readKey(_ key: RawJSON) {
        let name = key.stringValue ?? ""
        field = .other(name)
        switch name {
        case "tasks":
            if hasTasks {
                report("the plan has tasks twice")
            } else {
                field = .tasks
                reader.delivery = .elements
            }
            hasTasks = true
        case "join_instruction":
            if hasJoinInstruction {
                report("the plan has a join_instruction twice")
            } else {
                field = .joinInstruction
            }
            hasJoinInstruction = true
        default:
            report("the plan " + PlanFields.fault(of: name, known: PlanFields.plan))
        }
    }

    private mutating func readField(_ value: RawJSON) {
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

    private func validated(
        _ text: ArraySlice<UInt8>,
        _ name: @autoclosure () -> String
    ) throws(PlanProblems) -> RawJSON {
        do throws(JSONError) {
            return try RawJSON(validating: text)
        } catch {
            throw fatal(
                "\(name()) is not valid JSON: \(error.message)",
                positionOfFault(in: text)
            )
        }
    }

    // MARK: - Problems

    private mutating func report(_ message: String) {
        problems.add(PlanProblem(code: .badPlan, message: message))
    }

    private func fatal(_ message: String, _ position: TextPosition?) -> PlanProblems {
        PlanProblems([PlanProblem(code: .badJSON, message: message, position: position)])
    }

    /// The position of the first wrong byte in the last value.
    private func positionOfFault(in value: ArraySlice<UInt8>) -> TextPosition {
        let offset = JSONReader.faultOffset(in: value) ?? 0
        return reader.valuePosition.advanced(over: value.prefix(offset))
    }

    private func problems(of fault: JSONReader.Fault) -> PlanProblems {
        let name = fault.expected == .restOfKey ? "a key" : valueName
        switch fault.reason {
        case .unexpected(nil) where reader.isInsideValue:
            return fatal("\(name) is not complete", positionOfFault(in: reader.openValue))
        case .unexpected(let byte):
            let found = byte.map(PlanReader.name) ?? "the end of the text"
            return fatal("expected \(words(for: fault.expected)), found \(found)", fault.position)
        case .tooDeep:
            return fatal(
                "\(name) is nested deeper than \(JSONLimits.depth) levels",
                fault.position
            )
        case .tooLarge:
            return PlanProblems([
                PlanProblem(
                    code: .limit,
                    message: "\(name) is larger than \(PlanLimits.nodeBytes) bytes",
                    position: reader.valuePosition
                )
            ])
        }
    }

    private static func name(of byte: UInt8) -> String {
        (0x21...0x7E).contains(byte)
            ? "\(Unicode.Scalar(byte))"
            : "the byte 0x\(String(byte, radix: 16, uppercase: true))"
    }

    /// The name of the wrong value for messages.
    private var valueName: String {
        if isInTasks { return "the \(ordinal(nodeCount + 1)) node" }
        return switch field {
        case .tasks: "the value of \"tasks\""
        case .joinInstruction: "the join_instruction"
        case .other(let name): "the value of \(quoted(name))"
        }
    }

    private func words(for expectation: JSONReader.Expectation) -> String {
        switch expectation {
        case .object: "{ to begin the plan"
        case .value: "a value"
        case .keyOrEnd: "a key or }"
        case .key: "a key"
        case .colon: "a colon"
        case .commaOrObjectEnd: "a comma or }"
        case .elementOrEnd: "a node or ]"
        case .element: "a node"
        case .commaOrArrayEnd: "a comma or ]"
        case .restOfKey: "the rest of a key"
        case .restOfValue: "the rest of \(valueName)"
        case .end: "the end of the plan"
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
