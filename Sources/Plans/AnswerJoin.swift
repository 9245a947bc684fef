// An answer that is composed part by part, so that the work can pause in between. Large outputs are
// not copied: the answer is a list of pieces. The forms are described in Joiner.swift.

import Core
public import JSON

/// The outcomes of a run while they are joined into one value.
public struct AnswerJoin: Sendable {
    /// The forms of an answer.
    public enum Form: Sendable {
        /// A text, see `Joiner.concat`.
        case concat
        /// An object, see `Joiner.json`.
        case json
    }

    private let form: Form
    private var pieces = JSONPieces()
    /// The text after `pieces`.
    private var tail: [UInt8]
    private var isEmpty = true
    /// Bytes that were copied or rewritten so far: the cost of the work.
    public private(set) var copiedBytes = 0

    /// Shorter outputs are copied: a piece of their own would take as much memory.
    private static let sharedBytes = 4_096

    /// Begins without parts.
    public init(_ form: Form) {
        self.form = form
        tail = [form == .concat ? UInt8(ascii: "\"") : UInt8(ascii: "{")]
    }

    /// Bytes of the text so far.
    public var count: Int { pieces.count + tail.count }

    /// Bytes in memory that belong only to this answer.
    public var ownBytes: Int { pieces.ownBytes + tail.count + 32 * pieces.pieces.count }

    /// Adds the outcome of the next node of the plan.
    public mutating func append(_ part: JoinPart) {
        let before = tail.count
        switch form {
        case .concat: appendBlock(part)
        case .json: appendField(part)
        }
        copiedBytes += max(tail.count - before, 0)
        isEmpty = false
    }

    /// The whole value; a text ends with the instruction, if there is one.
    public mutating func finish(joinInstruction: String?) -> JSONPieces {
        if form == .concat, let joinInstruction, !joinInstruction.isEmpty {
            separateBlock()
            append(escaping: "Join: \(joinInstruction)")
        }
        tail.append(form == .concat ? UInt8(ascii: "\"") : UInt8(ascii: "}"))
        closeTail()
        return pieces
    }

    private mutating func appendBlock(_ part: JoinPart) {
        separateBlock()
        append(escaping: "[\(part.tool)] ")
        guard let output = part.outcome.output else {
            append(escaping: "ERROR: \(part.outcome.failure?.message ?? "unknown")")
            return
        }
        let (text, isShared) = output.textWithinString
        if !isShared { copiedBytes += text.count }
        append(text, isShared: isShared)
    }

    private mutating func separateBlock() {
        if !isEmpty { tail.append(contentsOf: #"\n\n"#.utf8) }
    }

    private mutating func appendField(_ part: JoinPart) {
        var writer = JSONWriter()
        writer.key(escaping: part.id.text)
        if !isEmpty { tail.append(UInt8(ascii: ",")) }
        if let output = part.outcome.output {
            tail.append(contentsOf: writer.bytes)
            append(output.bytes, isShared: true)
            return
        }
        if let failure = part.outcome.failure {
            writer.beginObject()
            writer.key("error")
            writer.beginObject()
            writer.field("code", failure.code.rawValue)
            writer.field("message", failure.message)
            writer.endObject()
            writer.endObject()
        }
        tail.append(contentsOf: writer.bytes)
    }

    private mutating func append(escaping text: String) {
        var writer = JSONWriter()
        writer.string(text)
        tail.append(contentsOf: writer.bytes.dropFirst().dropLast())
    }

    private mutating func append(_ text: ArraySlice<UInt8>, isShared: Bool) {
        guard text.count >= Self.sharedBytes else {
            tail.append(contentsOf: text)
            return
        }
        closeTail()
        pieces.append(text, isShared: isShared)
    }

    private mutating func closeTail() {
        pieces.append(tail[...])
        tail = []
    }
}
