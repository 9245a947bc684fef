// Finding the tasks in a JSON plan as a model writes it: amid prose and fences, with one bad task
// among good ones. Plans that programs write are read by the strict PlanReader instead.

import JSON
import Plans

/// One pass over a reply that holds a plan document somewhere.
///
/// A task is handed out at its closing brace. A bracket before a task that is broken costs that
/// task, not those behind it.
struct TaskListScanner: Sendable {
    enum Finding: Sendable, Equatable {
        case task(RawJSON)
        /// A task that is not JSON, with the reason.
        case broken(String)
        /// Text that has no place in a plan document, with what it is.
        case misplaced(String)
        case joinInstruction(String)
    }

    private enum Place: Sendable {
        /// Outside a document.
        case prose
        /// Behind a bracket that may begin a document, or a list of tasks.
        case candidate(UInt8)
        case key, colon, value, afterValue
        case task, afterTask
        /// In a value that ends where its brackets do, or its quote, or at a comma.
        case inside
        case end
    }

    private enum Field: Sendable {
        case tasks, joinInstruction, plan, other, key, element
    }

    private var place = Place.prose
    private var field = Field.other
    /// Open objects around the list of tasks: the document, and `plan` in it if it is there.
    private var depth = 0
    private var hasTasks = false
    private var taskCount = 0
    private var bytes: [UInt8] = []
    private var extent = ValueExtent()

    /// Whether the end of the document has been seen; what follows is not read.
    var isAtEnd: Bool {
        if case .end = place { true } else { false }
    }

    /// Whether a list of tasks has been seen.
    var hasList: Bool { hasTasks }

    /// Reads bytes up to the end of the document; returns how many these are.
    mutating func feed(_ text: ArraySlice<UInt8>, _ report: (Finding) -> Void) -> Int {
        for (count, byte) in text.enumerated() {
            if case .end = place { return count }
            // A byte that ends a bare value, or turns a candidate into prose, is looked at again.
            while !step(byte, report) {}
        }
        return text.count
    }

    /// Where the text ends within the document: what is missing, or nil if it is complete.
    func missingPart() -> String? {
        switch place {
        case .end: nil
        case .prose, .candidate: hasTasks ? nil : "there is no plan in the reply"
        case .inside where field == .element || field == .tasks:
            "the reply ends within the \(ordinal(taskCount + 1)) task"
        default: "the reply ends before the plan does"
        }
    }

    // MARK: - Steps

    /// Takes a byte; false if it is to be taken again in the new place.
    private mutating func step(_ byte: UInt8, _ report: (Finding) -> Void) -> Bool {
        if case .inside = place { return stepInside(byte, report) }
        if isBlank(byte) { return true }
        switch (place, Unicode.Scalar(byte)) {
        case (.prose, "{"), (.prose, "["):
            place = .candidate(byte)
        case (.prose, _):
            break
        case (.candidate(UInt8(ascii: "{")), "\""):
            depth = 1
            begin(byte, as: .key)
        case (.candidate(UInt8(ascii: "[")), "{"):
            depth = 0
            hasTasks = true
            place = .task
            return false
        case (.candidate, _):
            place = .prose
            return false
        case (.key, "\""):
            begin(byte, as: .key)
        case (.key, "}"), (.afterValue, "}"):
            closeObject()
        case (.key, ","), (.afterValue, ","):
            place = .key
        case (.colon, ":"):
            place = .value
        case (.value, "["):
            if field == .tasks {
                hasTasks = true
                place = .task
            } else {
                begin(byte, as: field)
            }
        case (.value, "{") where field == .plan && !hasTasks && depth == 1:
            depth = 2
            place = .key
        case (.value, ","), (.value, "}"), (.value, "]"), (.value, ":"):
            return fail(byte, report)
        case (.value, _):
            begin(byte, as: field)
        case (.task, "]"), (.afterTask, "]"):
            place = depth == 0 ? .end : .afterValue
        case (.task, ","), (.afterTask, ","):
            place = .task
        case (.task, "}"), (.task, ":"), (.afterTask, "}"), (.afterTask, ":"):
            return fail(byte, report)
        case (.task, _), (.afterTask, _):
            // A comma that is missing between two tasks is not missed.
            begin(byte, as: .element)
        default:
            return fail(byte, report)
        }
        return true
    }

    /// A byte that cannot stand here: before the tasks this was no document; behind them it ends.
    private mutating func fail(_ byte: UInt8, _ report: (Finding) -> Void) -> Bool {
        guard hasTasks else {
            place = .prose
            return false
        }
        place = .end
        report(
            .misplaced("behind the \(ordinal(max(taskCount, 1))) task stands text that is not JSON")
        )
        return true
    }

    private mutating func closeObject() {
        depth -= 1
        if depth > 0 {
            place = .afterValue
        } else {
            place = hasTasks ? .end : .prose
        }
    }

    private mutating func begin(_ byte: UInt8, as field: Field) {
        self.field = field
        bytes = []
        extent = ValueExtent()
        place = .inside
        _ = extent.take(byte)
        bytes.append(byte)
    }

    private mutating func stepInside(_ byte: UInt8, _ report: (Finding) -> Void) -> Bool {
        switch extent.take(byte) {
        case .inside:
            bytes.append(byte)
            return true
        case .last:
            bytes.append(byte)
            finishValue(report)
            return true
        case .behind:
            finishValue(report)
            return false
        }
    }

    private mutating func finishValue(_ report: (Finding) -> Void) {
        let text = bytes[...]
        bytes = []
        switch field {
        case .key:
            place = .colon
            field = kind(ofKey: text)
        case .element:
            place = .afterTask
            taskCount += 1
            do {
                report(.task(try RawJSON(validating: text)))
            } catch {
                report(
                    .broken("the \(ordinal(taskCount)) task is not valid JSON: \(error.message)")
                )
            }
        case .joinInstruction:
            place = .afterValue
            if let raw = try? RawJSON(validating: text), let instruction = raw.stringValue {
                report(.joinInstruction(instruction))
            }
        case .tasks:
            place = .afterValue
            hasTasks = true
            report(.misplaced("tasks is not a list"))
        case .plan, .other:
            place = .afterValue
        }
    }

    private func kind(ofKey text: ArraySlice<UInt8>) -> Field {
        switch (try? RawJSON(validating: text))?.stringValue {
        case "tasks" where !hasTasks: .tasks
        case "join_instruction": .joinInstruction
        case "plan": .plan
        default: .other
        }
    }
}

/// Where one value ends, told by quotes and brackets alone.
struct ValueExtent: Sendable {
    enum Position {
        case inside
        /// The byte is the last of the value.
        case last
        /// The byte stands behind the value.
        case behind
    }

    private var depth = 0
    private var inString = false
    private var isEscaped = false
    private var isScalar = false

    mutating func take(_ byte: UInt8) -> Position {
        if inString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                inString = false
                return depth == 0 ? .last : .inside
            }
            return .inside
        }
        switch Unicode.Scalar(byte) {
        case "\"" where !isScalar:
            inString = true
        case "{", "[":
            if isScalar { return .behind }
            depth += 1
        case "}", "]":
            if depth == 0 { return .behind }
            depth -= 1
            return depth == 0 ? .last : .inside
        case ",", ":":
            if depth == 0 { return .behind }
        case " ", "\t", "\n", "\r":
            if depth == 0 { return .behind }
        default:
            if depth == 0 { isScalar = true }
        }
        return .inside
    }
}

/// The place of the nth thing, counted from 1: 1st, 2nd, 3rd, 4th, 11th.
func ordinal(_ number: Int) -> String {
    let suffix =
        switch (number % 100, number % 10) {
        case (11...13, _): "th"
        case (_, 1): "st"
        case (_, 2): "nd"
        case (_, 3): "rd"
        default: "th"
        }
    return "\(number)\(suffix)"
}
