// Finds the tasks in a JSON plan as a model writes it: between prose and fences, with bad tasks
// among good ones. Plans written by programs are read by the strict PlanReader instead.

import JSON
import Plans

/// One pass over a reply that contains a plan document somewhere.
///
/// A task is delivered at its closing brace. One that is not JSON is skipped; later ones are read.
struct TaskListScanner: Sendable {
    enum Finding: Sendable, Equatable {
        case task(RawJSON)
        /// A task that is not JSON, with the reason.
        case broken(String)
        /// Text that does not belong in a plan document, with a description.
        case misplaced(String)
        case joinInstruction(String)
    }

    private enum Place: Sendable {
        /// Outside a document.
        case prose
        /// After a bracket that may begin a document, or a list of tasks.
        case candidate(UInt8)
        case document(JSONReader)
        case end
    }

    private enum Field: Sendable {
        case tasks, joinInstruction, plan, other
    }

    private var place = Place.prose
    private var field = Field.other
    /// Open objects around the list of tasks: the document, and `plan` in it if present.
    private var depth = 0
    private var isInTasks = false
    private var hasTasks = false
    private var taskCount = 0

    /// Whether the end of the document was read; later text is not read.
    var isAtEnd: Bool {
        if case .end = place { true } else { false }
    }

    /// Whether a list of tasks was read.
    var hasList: Bool { hasTasks }

    /// Reads bytes up to the end of the document; returns how many.
    mutating func feed(_ text: ArraySlice<UInt8>, _ report: (Finding) -> Void) -> Int {
        var rest = text
        while let byte = rest.first {
            switch place {
            case .prose:
                if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                    place = .candidate(byte)
                }
                rest.removeFirst()
            case .candidate(let bracket):
                if isBlank(byte) {
                    rest.removeFirst()
                } else {
                    beginDocument(bracket, byte)
                }
            case .document(var reader):
                place = .prose
                rest = read(rest, &reader, report)
            case .end:
                return text.count - rest.count
            }
        }
        return text.count
    }

    /// What is missing if the text ends within the document; nil if it is complete.
    func missingPart() -> String? {
        switch place {
        case .end: nil
        case .prose, .candidate: hasTasks ? nil : "there is no plan in the reply"
        case .document(let reader) where reader.isInsideValue && (isInTasks || field == .tasks):
            "the reply ends within the \(ordinal(taskCount + 1)) task"
        case .document: "the reply ends before the plan does"
        }
    }

    // MARK: - The document

    /// Decides by the byte after a bracket whether a document begins with it.
    private mutating func beginDocument(_ bracket: UInt8, _ next: UInt8) {
        switch (Unicode.Scalar(bracket), Unicode.Scalar(next)) {
        case ("{", "\""):
            depth = 1
            place = .document(JSONReader(lenientlyInside: .object))
        case ("[", "{"):
            depth = 0
            hasTasks = true
            isInTasks = true
            place = .document(JSONReader(lenientlyInside: .array))
        default:
            place = .prose
        }
    }

    /// Continues reading the document; returns the rest of the bytes.
    private mutating func read(
        _ text: ArraySlice<UInt8>,
        _ reader: inout JSONReader,
        _ report: (Finding) -> Void
    ) -> ArraySlice<UInt8> {
        reader.push(text)
        do throws(JSONReader.Fault) {
            while let event = try reader.next() { handle(event, &reader, report) }
            if reader.isAtEnd {
                place = hasTasks ? .end : .prose
            } else {
                place = .document(reader)
            }
        } catch {
            // Before the tasks this was not a document; after them it ends.
            if hasTasks {
                place = .end
                let last = ordinal(max(taskCount, 1))
                report(.misplaced("the text after the \(last) task is not JSON"))
                return reader.unread.dropFirst()
            }
            isInTasks = false
            place = .prose
        }
        return reader.unread
    }

    private mutating func handle(
        _ event: JSONReader.Event,
        _ reader: inout JSONReader,
        _ report: (Finding) -> Void
    ) {
        switch event {
        case .key(let text):
            field = kind(ofKey: text)
            switch field {
            case .tasks: reader.delivery = .elements
            case .plan where !hasTasks && depth == 1: reader.delivery = .fields
            case .plan, .joinInstruction, .other: break
            }
        case .beginObject:
            depth += 1
        case .beginArray:
            hasTasks = true
            isInTasks = true
        case .endArray:
            isInTasks = false
            field = .other
        case .value(let text):
            if isInTasks { reportTask(text, report) } else { readField(text, report) }
        case .endObject, .text:
            break
        }
    }

    private mutating func reportTask(_ text: ArraySlice<UInt8>, _ report: (Finding) -> Void) {
        taskCount += 1
        do {
            report(.task(try RawJSON(validating: text)))
        } catch {
            report(.broken("the \(ordinal(taskCount)) task is not valid JSON: \(error.message)"))
        }
    }

    private mutating func readField(_ text: ArraySlice<UInt8>, _ report: (Finding) -> Void) {
        switch field {
        case .joinInstruction:
            if let raw = try? RawJSON(validating: text), let instruction = raw.stringValue {
                report(.joinInstruction(instruction))
            }
        case .tasks:
            hasTasks = true
            report(.misplaced("tasks is not a list"))
        case .plan, .other:
            break
        }
        field = .other
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

/// The ordinal of n, counted from 1: 1st, 2nd, 3rd, 4th, 11th.
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
