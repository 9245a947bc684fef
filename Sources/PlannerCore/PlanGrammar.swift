// The grammar of the text form for tools that really exist, for servers that bind a reply to one.
// Written in GBNF, the notation of llama.cpp.

import JSON
import OrderedCollections

/// Makes the grammar of a plan: numbered calls of these tools with arguments of the right kinds, and
/// `join()` in the last line.
public enum PlanGrammar {
    /// The grammar; nil without tools.
    ///
    /// A reference may stand for any value. Limits and patterns of schemas are not in it; they are
    /// checked when the plan is read.
    public static func text(for tools: [PlannerTool]) -> String? {
        guard !tools.isEmpty else { return nil }
        var lines = [
            "root ::= line* number \". join()\"",
            "line ::= number \". \" call \"\\n\"",
            "number ::= [1-9] [0-9]{0,3}",
            "call ::= " + tools.indices.map { "call\($0)" }.joined(separator: " | "),
        ]
        for (position, tool) in tools.enumerated() {
            lines.append("call\(position) ::= " + call(of: tool))
        }
        return (lines + values).joined(separator: "\n") + "\n"
    }

    private static let values = [
        #"reference ::= "\"$" [1-9] [0-9]{0,3} "\"""#,
        #"string ::= "\"" ([^"\\\n] | "\\" [^\n])* "\"""#,
        #"decimal ::= "-"? [0-9]{1,15} ("." [0-9]{1,15})?"#,
        #"integer ::= "-"? [0-9]{1,15}"#,
        #"boolean ::= "true" | "false""#,
        #"value ::= string | decimal | boolean | "null" | list | object"#,
        #"list ::= "[" (value (", " value)*)? "]""#,
        #"object ::= "{" (string ": " value (", " string ": " value)*)? "}""#,
    ]

    /// Required arguments at the beginning in the order of the parameters, all others with names,
    /// in any order or left out.
    private static func call(of tool: PlannerTool) -> String {
        let schema = JSONValue(tool.parameters)
        let properties = schema["properties"]?.objectValue ?? [:]
        guard !properties.isEmpty else {
            let isClosed = schema["additionalProperties"] == false
            let named = #"[a-zA-Z_] [a-zA-Z0-9_]{0,63} "=" value"#
            return literal(tool.name + "(")
                + (isClosed ? "" : " (\(named) (\", \" \(named))*)?") + " \")\""
        }
        let required = (schema["required"]?.arrayValue ?? []).compactMap(\.stringValue)
        let leading = properties.keys.prefix { required.contains($0) }
        var parts = leading.enumerated().map { position, name in
            (position == 0 ? "" : "\", \" ") + value(properties[name] ?? .null)
        }
        let named = properties.keys.dropFirst(leading.count).map { name in
            literal(name + "=") + " " + value(properties[name] ?? .null)
        }
        if !named.isEmpty {
            let one = "(" + named.joined(separator: " | ") + ")"
            parts.append(leading.isEmpty ? "(\(one) (\", \" \(one))*)?" : "(\", \" \(one))*")
        }
        return ([literal(tool.name + "(")] + parts + ["\")\""]).joined(separator: " ")
    }

    private static func value(_ property: JSONValue) -> String {
        if let allowed = property["enum"]?.arrayValue, !allowed.isEmpty {
            let texts = allowed.map { literal(RawJSON($0).text) }
            return "(" + (texts + ["reference"]).joined(separator: " | ") + ")"
        }
        switch property.schemaTypes {
        case ["string"]: return "string"
        case ["integer"]: return "(integer | reference)"
        case ["number"]: return "(decimal | reference)"
        case ["boolean"]: return "(boolean | reference)"
        case ["array"]: return "(list | reference)"
        case ["object"]: return "(object | reference)"
        default: return "value"
        }
    }

    /// A text in quotes as GBNF has it.
    private static func literal(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\" + String(scalar)
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
