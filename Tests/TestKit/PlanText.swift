// Plan documents written down in a line.

public import JSON

/// One node of a plan document, as JSON.
public struct NodeText: Sendable {
    /// The node as written in `tasks`.
    public let text: String

    /// Writes a node; arguments are JSON text.
    public init(
        _ id: String,
        tool: String = "t",
        args: String = "{}",
        after dependencies: [String] = [],
        timeoutMilliseconds: Int? = nil,
        maxAttempts: Int? = nil,
        requires: [(String, String)] = []
    ) {
        var fields = [
            #""id":"\#(id)""#, #""tool_name":"\#(tool)""#, #""args":\#(args)"#,
        ]
        if !dependencies.isEmpty {
            let names = dependencies.map { "\"\($0)\"" }.joined(separator: ",")
            fields.append(#""dependencies":[\#(names)]"#)
        }
        if let timeoutMilliseconds { fields.append(#""timeout_ms":\#(timeoutMilliseconds)"#) }
        if let maxAttempts { fields.append(#""max_attempts":\#(maxAttempts)"#) }
        if !requires.isEmpty {
            let labels = requires.map { #""\#($0.0)":"\#($0.1)""# }.joined(separator: ",")
            fields.append(#""requires":{\#(labels)}"#)
        }
        text = "{\(fields.joined(separator: ","))}"
    }

    /// The node as raw JSON.
    public var raw: RawJSON { RawJSON(trusted: Array(text.utf8)[...]) }
}

/// A plan document.
public enum PlanText {
    /// The document with these nodes.
    public static func plan(_ nodes: [NodeText], joinInstruction: String? = nil) -> RawJSON {
        var text = #"{"tasks":[\#(nodes.map(\.text).joined(separator: ","))]"#
        if let joinInstruction { text += #","join_instruction":"\#(joinInstruction)""# }
        text += "}"
        return RawJSON(trusted: Array(text.utf8)[...])
    }
}
