// Pictures of a plan as text for other programs to draw. Arrows lead from a dependency to the node
// that waits for it, in the direction of the outputs.

import Core

/// Drawings of a plan, even of one with problems; ids that are not in the plan are left out.
public enum PlanDrawing {
    /// The plan in the language of Graphviz.
    public static func dot(_ document: PlanDocument) -> String {
        var lines = ["digraph plan {", "    rankdir=LR", "    node [shape=box]"]
        for node in document.nodes {
            let label = "\(escapedForDot(node.id.text))\\n\(escapedForDot(node.tool))"
            lines.append("    \"\(node.id)\" [label=\"\(label)\"]")
        }
        let ids = Set(document.nodes.map(\.id))
        for node in document.nodes {
            for dependency in dependencies(of: node) where ids.contains(dependency) {
                lines.append("    \"\(dependency)\" -> \"\(node.id)\"")
            }
        }
        lines.append("}")
        return lines.joined(separator: "\n") + "\n"
    }

    /// The plan in the language of Mermaid.
    public static func mermaid(_ document: PlanDocument) -> String {
        // Mermaid has reserved words and no hyphens in names, so nodes are named by their position.
        var places: [NodeID: Int] = [:]
        var lines = ["flowchart LR"]
        for (place, node) in document.nodes.enumerated() {
            if places[node.id] == nil { places[node.id] = place }
            let label = "\(escapedForMermaid(node.id.text))<br/>\(escapedForMermaid(node.tool))"
            lines.append("    n\(place)[\"\(label)\"]")
        }
        for (place, node) in document.nodes.enumerated() {
            for dependency in dependencies(of: node) {
                guard let from = places[dependency] else { continue }
                lines.append("    n\(from) --> n\(place)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The ids that a node names, declared or by reference, each once.
    private static func dependencies(of node: NodeDefinition) -> [NodeID] {
        var distinct = DistinctIDs()
        for dependency in node.dependencies { distinct.insert(dependency) }
        for reference in ArgumentTemplate(compiling: node.arguments).references {
            distinct.insert(reference.id)
        }
        return distinct.ids
    }

    /// A text between quotation marks of Graphviz.
    package static func escapedForDot(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\"", "\\": escaped += "\\\(character)"
            case "\u{0}"..."\u{1F}", "\u{7F}": escaped += " "
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    /// A text between quotation marks of Mermaid.
    package static func escapedForMermaid(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "a"..."z", "A"..."Z", "0"..."9", " ", "_", "-", ".", ":", "/":
                escaped.unicodeScalars.append(character)
            case "\u{0}"..."\u{1F}", "\u{7F}": escaped += " "
            case "\u{80}"...: escaped.unicodeScalars.append(character)
            default: escaped += "#\(character.value);"
            }
        }
        return escaped
    }
}
