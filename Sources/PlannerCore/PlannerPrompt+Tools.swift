// Tools and calls as a prompt shows them, and which tools it shows.

import Core
import JSON
import OrderedCollections
import Plans

extension PlannerPrompt {
    /// The lines of the tools that are shown, in the order of the tools.
    var toolLines: String { shownTools.map(toolLine).joined(separator: "\n") }

    /// The tools that fit: all of them, or those that are nearest to the goal.
    ///
    /// A plan may call the others, too.
    static func shown(_ tools: [PlannerTool], for goal: String, within bytes: Int) -> [PlannerTool]
    {
        let sizes = tools.map {
            $0.name.utf8.count + min($0.description.utf8.count, descriptionBytes) + 40
        }
        guard sizes.reduce(0, +) > bytes else { return tools }
        let index = TextIndex(tools.map(\.searchText))
        var room = bytes
        var chosen: Set<Int> = []
        for position in index.ranked(goal) + Array(tools.indices) {
            guard sizes[position] <= room, chosen.insert(position).inserted else { continue }
            room -= sizes[position]
        }
        return chosen.sorted().map { tools[$0] }
    }

    /// Bytes of a description that are shown.
    private static let descriptionBytes = 2 << 10

    private func toolLine(_ tool: PlannerTool) -> String {
        let words = shortened(oneLine(tool.description), to: PlannerPrompt.descriptionBytes)
        let description = words.isEmpty ? "" : " - " + words
        switch format {
        case .text: return signature(of: tool) + result(of: tool) + description + details(of: tool)
        case .json:
            return "\(tool.name)\(description) args: \(tool.parameters.text)" + result(of: tool)
        }
    }

    /// What is known of its output: ` -> {name, size: integer}`.
    private func result(of tool: PlannerTool) -> String {
        guard let summary = tool.outputSchema.flatMap({ OutputShape($0).summary }) else {
            return ""
        }
        return " -> " + shortened(summary, to: 400)
    }

    /// `search(query, limit?: integer)`, in the order of arguments without names.
    private func signature(of tool: PlannerTool) -> String {
        let schema = JSONValue(tool.parameters)
        let required = schema["required"]?.arrayValue ?? []
        let parameters = (schema["properties"]?.objectValue ?? [:]).map { name, property in
            let mark = required.contains(.string(name)) ? "" : "?"
            let kind = kind(of: property)
            return name + mark + (kind.isEmpty ? "" : ": " + kind)
        }
        return "\(tool.name)(\(parameters.joined(separator: ", ")))"
    }

    /// The allowed values or the types; nothing for a text, which is the usual case.
    private func kind(of property: JSONValue) -> String {
        if let values = property["enum"]?.arrayValue, values.count <= 12 {
            return values.map { RawJSON($0).text }.joined(separator: "|")
        }
        let types = property.schemaTypes
        return types == ["string"] ? "" : types.joined(separator: "|")
    }

    /// The descriptions of the parameters, and the schemas of those with parts.
    private func details(of tool: PlannerTool) -> String {
        let properties = JSONValue(tool.parameters)["properties"]?.objectValue ?? [:]
        return properties.map { name, property in
            var text = property["description"]?.stringValue.map { " \(name): \(oneLine($0))" } ?? ""
            if property["properties"] != nil || property["items"]?["properties"] != nil {
                text += " schema of \(name): \(RawJSON(property).text)"
            }
            return text
        }.joined()
    }

    private func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    // MARK: - Calls

    /// A call as text, with arguments in the order of the parameters as far as they have one.
    func call(_ tool: String, _ arguments: RawJSON) -> String {
        let names = tools.first { $0.name == tool }.map {
            Array((JSONValue($0.parameters)["properties"]?.objectValue ?? [:]).keys)
        }
        var rest = (names ?? [])[...]
        var isInOrder = true
        var written: [String] = []
        arguments.forEachField { name, value in
            isInOrder = isInOrder && rest.popFirst() == name
            written.append(isInOrder ? value.text : "\(name)=\(value.text)")
        }
        return "\(tool)(\(written.joined(separator: ", ")))"
    }

    /// A plan as a model should write it.
    func plan(of nodes: [NodeDefinition]) -> String {
        switch format {
        case .text:
            let lines = nodes.enumerated().map {
                "\($0 + 1). \(call($1.tool, $1.arguments))"
            }
            return (lines + ["\(nodes.count + 1). join()"]).joined(separator: "\n")
        case .json:
            return RawJSON.object { writer in
                writer.key("tasks")
                writer.beginArray()
                for node in nodes {
                    let arguments = rewritingReferences(in: node.arguments) { id in
                        .rename(NodeID(checked: "t\(id)"))
                    }
                    writer.beginObject()
                    writer.field("id", "t\(node.id)")
                    writer.field("tool_name", node.tool)
                    writer.field("args", arguments)
                    writer.field("dependencies", RawJSON.emptyArray)
                    writer.endObject()
                }
                writer.endArray()
                writer.field("join_instruction", "")
            }.text
        }
    }
}

extension PlannerTool {
    /// The text in which tools are searched: name, description, parameters.
    var searchText: String {
        let properties = JSONValue(parameters)["properties"]?.objectValue ?? [:]
        let words = properties.map { "\($0) \($1["description"]?.stringValue ?? "")" }
        return ([name, name, description] + words).joined(separator: " ")
    }
}
