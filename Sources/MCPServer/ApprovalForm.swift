// Questions whether nodes may run, as a client shows them to its user by elicitation, and what the user
// answered. Not here: which nodes have to be approved.
package import Core
package import JSON
package import Wire

/// The questions about nodes that wait for a person's approval.
package enum ApprovalForm {
    /// Names begin so; the node follows.
    private static let prefix = "approve:"
    private static let argumentLength = 2_000

    /// The questions by name, as `inputRequests` has them.
    package static func requests(_ waiting: [ApprovalDocument]) -> RawJSON {
        .object { writer in
            for each in waiting {
                writer.key(escaping: prefix + each.node.text)
                writer.beginObject()
                writer.field("method", "elicitation/create")
                writer.key("params")
                writer.beginObject()
                writer.field("mode", "form")
                writer.field("message", message(each))
                writer.field("requestedSchema", schema)
                writer.endObject()
                writer.endObject()
            }
        }
    }

    private static func message(_ each: ApprovalDocument) -> String {
        var words = "Task \(each.node) of run \(each.run) wants to call \(each.question.tool)"
        if let arguments = each.question.arguments {
            let text = arguments.text
            let isLong = text.count > argumentLength
            words += " with \(isLong ? text.prefix(argumentLength) + "…" : text[...])"
        } else {
            words += " with long arguments, which weft show \(each.run) \(each.node) prints"
        }
        return words + ". May it?"
    }

    private static let schema = RawJSON.literal(
        """
        {"type":"object","properties":{"approve":{"type":"boolean","title":"Approve",\
        "description":"Whether the call may run; otherwise it fails."},"reason":\
        {"type":"string","title":"Reason","description":"Why, for those who watch the run."}},\
        "required":["approve"]}
        """
    )

    /// What a user answered, for each node that has an answer: nil leaves it waiting.
    package static func answers(_ responses: RawJSON, of run: RunID) -> [Approve] {
        var answers: [Approve] = []
        responses.forEachField { name, response in
            guard name.hasPrefix(prefix), let node = NodeID(String(name.dropFirst(prefix.count)))
            else { return }
            let value = JSONValue(response)
            let content = value["content"]
            let isApproved: Bool
            switch value["action"]?.stringValue {
            case "accept": isApproved = content?["approve"]?.boolValue ?? false
            case "decline": isApproved = false
            default: return
            }
            let reason = content?["reason"]?.stringValue.map { String($0.prefix(1_000)) }
            answers.append(
                Approve(run: run, nodes: [node], isApproved: isApproved, reason: reason)
            )
        }
        return answers
    }
}
