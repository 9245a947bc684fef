// Outcomes of nodes as shown to a model: one JSON line each, cut to a size.

import Core
import JSON
import Plans

/// Writes outcomes with a limit for each and a limit for all.
struct QuotedOutputs {
    private let each: Int
    private var rest: Int

    init(each: Int, all: Int) {
        self.each = max(16, each)
        rest = all
    }

    /// `{"id","tool","args","output"}`, or with `error` in place of `output`; nil if there is no room.
    ///
    /// An output that is too large becomes the start of its text, with `output_bytes` beside it.
    mutating func line(of part: JoinPart, arguments: RawJSON?) -> String? {
        guard rest > 0 else { return nil }
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("id", part.id.text)
        writer.field("tool", part.tool)
        if let arguments, arguments.count <= each { writer.field("args", arguments) }
        if let output = part.outcome.output {
            write(output, into: &writer)
        } else if let failure = part.outcome.failure {
            writer.key("error")
            writer.beginObject()
            writer.field("code", failure.code.rawValue)
            writer.field("message", shortened(failure.message, to: each))
            writer.endObject()
        }
        writer.endObject()
        rest -= writer.bytes.count
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func write(_ output: RawJSON, into writer: inout JSONWriter) {
        let room = min(each, max(rest, 16))
        if output.count <= room {
            writer.field("output", output)
            return
        }
        writer.field("output_start", shortened(output.plainText(atLeast: room + 1), to: room))
        writer.field("output_bytes", output.count)
    }
}
