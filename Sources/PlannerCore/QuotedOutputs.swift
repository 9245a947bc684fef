// Calls and their outcomes as shown to a model: `capital("Peru") = "Lima"`, one line each, cut to a
// size; with `$1: ` before it where the model may refer to the output.

import Core
import JSON
import Plans

/// Writes calls with their outcomes, with a limit for each and a limit for all.
struct QuotedOutputs {
    private let each: Int
    private var rest: Int

    /// Bytes of an argument that are shown, when it was an output.
    private static let argumentBytes = 200

    init(each: Int, all: Int) {
        self.each = max(16, each)
        rest = all
    }

    /// One line of a call with its output or its error; nil if there is no room.
    ///
    /// All is quoted as JSON, so that no output can look like another line. An output that is too
    /// large becomes the start of its text, with its size.
    mutating func line(of part: JoinPart, written call: String, isNamed: Bool) -> String? {
        guard rest > 0 else { return nil }
        var line = isNamed ? "$\(part.id): \(call)" : call
        if let output = part.outcome.output {
            line += " = " + text(of: output)
        } else if let failure = part.outcome.failure {
            let message = shortened(failure.message, to: each)
            line += " failed (\(failure.code.rawValue)): " + RawJSON(message).text
        }
        rest -= line.utf8.count + 1
        return line
    }

    private func text(of output: RawJSON) -> String {
        let room = min(each, max(rest, 16))
        if output.count <= room { return output.text }
        let start = shortened(output.plainText(atLeast: room + 1), to: room)
        return RawJSON(start).text + " (the start of \(output.count) bytes)"
    }

    /// The arguments of a call with the short outputs that they refer to.
    static func resolved(_ arguments: RawJSON, _ outputs: [NodeID: RawJSON]) -> RawJSON {
        let template = ArgumentTemplate(compiling: arguments)
        guard template.hasReferences else { return arguments }
        let references = template.references
        let resolved = try? template.resolve { position in
            guard let output = outputs[references[position].id], output.count <= argumentBytes
            else { return .literal }
            return .output(output)
        }
        return resolved ?? arguments
    }
}
