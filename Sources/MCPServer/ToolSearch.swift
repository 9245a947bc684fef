// Finds tools of the cluster by the words of a query, and describes them in brief or in full. Not
// here: how texts are ranked (TextIndex in PlannerCore).
internal import Core
internal import JSON
internal import PlannerCore
package import Wire

/// The cluster's tools, as a model searches them.
package struct ToolSearch: Sendable {
    /// The tools by name.
    package let tools: [ToolDocument]
    private let index: TextIndex

    /// The tools in an order that stays the same.
    package init(_ tools: [ToolDocument]) {
        self.tools = tools.sorted { $0.description.name < $1.description.name }
        // A word of the name tells more than one of the description.
        index = TextIndex(
            self.tools.map { tool in
                let description = tool.description
                let arguments = Self.fields(of: description.parameters).map { name, schema in
                    "\(name) \(schema.value(at: [.key("description")])?.stringValue ?? "")"
                }
                return ([description.name, description.name, description.description] + arguments)
                    .joined(separator: "\n")
            }
        )
    }

    /// The best tools for a query in brief; without one, the first by name.
    package func find(_ query: String, limit: Int) -> ToolResult {
        let isListing = query.allSatisfy(\.isWhitespace)
        let found = isListing ? Array(tools.indices) : index.ranked(query)
        return ToolResult(
            structured: .object { writer in
                writer.key("tools")
                writer.beginArray()
                for position in found.prefix(limit) {
                    Self.writeBrief(tools[position].description, into: &writer)
                }
                writer.endArray()
                writer.field("total", tools.count)
                guard found.count > limit || found.isEmpty else { return }
                writer.field("hint", hint(found.count, limit, isListing: isListing))
            }
        )
    }

    private func hint(_ found: Int, _ limit: Int, isListing: Bool) -> String {
        if tools.isEmpty { return "No worker with tools is connected to the cluster now." }
        if found == 0 { return "No tool has these words; search without a query lists all." }
        return "\(found - limit) more \(isListing ? "are there" : "fit"); ask for others by query."
    }

    /// Everything about a tool.
    package func describe(_ name: String) -> ToolResult {
        guard let tool = tools.first(where: { $0.description.name == name }) else {
            return .failure(absence(of: name))
        }
        return ToolResult(structured: tool.json)
    }

    /// A sentence about a name that no tool has.
    package func absence(of name: String) -> String {
        let names = tools.map(\.description.name)
        return "The cluster has no tool \(name)."
            + Suggestions.sentence(for: name, among: names)
            + " search_tools finds tools."
    }

    /// The tool of that name.
    package subscript(name: String) -> ToolDescription? {
        tools.first { $0.description.name == name }?.description
    }

    /// Characters of a description in a list.
    private static let briefLength = 300

    private static func writeBrief(_ tool: ToolDescription, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", tool.name)
        let isLong = tool.description.count > briefLength
        writer.field(
            "description",
            isLong ? String(tool.description.prefix(briefLength)) + "…" : tool.description
        )
        let required = Set(
            tool.parameters.value(at: [.key("required")])
                .map { JSONValue($0).arrayValue?.compactMap(\.stringValue) ?? [] } ?? []
        )
        writer.key("parameters")
        writer.beginObject()
        for (name, schema) in fields(of: tool.parameters) {
            writer.key(escaping: required.contains(name) ? name : name + "?")
            writer.string(brief(schema))
        }
        writer.endObject()
        writeOutput(tool, into: &writer)
        writer.endObject()
    }

    /// What references to parts of the output can name.
    private static func writeOutput(_ tool: ToolDescription, into writer: inout JSONWriter) {
        guard let schema = tool.outputSchema else { return }
        writer.key("output")
        let fields = fields(of: schema)
        guard !fields.isEmpty else { return writer.string(brief(schema)) }
        writer.beginObject()
        for (name, schema) in fields {
            writer.key(escaping: name)
            writer.string(brief(schema))
        }
        writer.endObject()
    }

    private static func fields(of schema: RawJSON) -> [(String, RawJSON)] {
        var fields: [(String, RawJSON)] = []
        schema.value(at: [.key("properties")])?.forEachField { fields.append(($0, $1)) }
        return fields
    }

    /// A schema in a few words: `string`, `integer`, `"a" or "b"`.
    private static func brief(_ schema: RawJSON) -> String {
        let value = JSONValue(schema)
        if let choices = value["enum"]?.arrayValue, choices.count <= 8 {
            return choices.map(\.description).joined(separator: " or ")
        }
        let types = value["type"]?.arrayValue ?? value["type"].map { [$0] } ?? []
        guard !types.isEmpty else { return "any" }
        let names = types.compactMap(\.stringValue).joined(separator: " or ")
        guard names == "array", let element = value["items"]?["type"]?.stringValue else {
            return names
        }
        return "array of \(element)"
    }
}
