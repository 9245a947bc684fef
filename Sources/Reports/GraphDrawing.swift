// The graph of a run as text for other programs to draw: the nodes by their dependencies, coloured
// by state.

internal import Core
internal import Plans
internal import Wire

/// Drawings of a run; a plan without a run is drawn by `PlanDrawing`.
package enum GraphDrawing {
    /// The graph in the language of Graphviz.
    package static func dot(_ facts: RunFacts) -> String {
        var lines = [
            "digraph run {", "    rankdir=LR", "    node [shape=box, style=filled]",
        ]
        for node in facts.nodes {
            let words = [node.id.text, node.tool, state(of: node)].map(PlanDrawing.escapedForDot)
            lines.append(
                "    \"\(node.id)\" [label=\"\(words.joined(separator: "\\n"))\", "
                    + "fillcolor=\"\(colour(of: node.status))\"]"
            )
        }
        let ids = Set(facts.nodes.map(\.id))
        for node in facts.nodes {
            for dependency in node.dependencies where ids.contains(dependency) {
                lines.append("    \"\(dependency)\" -> \"\(node.id)\"")
            }
        }
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    /// The graph in the language of Mermaid.
    package static func mermaid(_ facts: RunFacts) -> String {
        var lines = ["flowchart LR"]
        var places: [NodeID: Int] = [:]
        for (place, node) in facts.nodes.enumerated() {
            places[node.id] = place
            let words = [node.id.text, node.tool, state(of: node)]
                .map(PlanDrawing.escapedForMermaid)
            lines.append(
                "    n\(place)[\"\(words.joined(separator: "<br/>"))\"]:::\(node.status.rawValue)"
            )
        }
        for (place, node) in facts.nodes.enumerated() {
            for dependency in node.dependencies {
                guard let from = places[dependency] else { continue }
                lines.append("    n\(from) --> n\(place)")
            }
        }
        let used = Set(facts.nodes.map(\.status))
        for status in NodeStatus.allCases where used.contains(status) {
            lines.append("    classDef \(status.rawValue) fill:\(colour(of: status)),color:#111")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func state(of node: NodeFacts) -> String {
        guard node.tries > 1 else { return node.status.rawValue }
        return "\(node.status.rawValue), \(node.tries) attempts"
    }

    static func colour(of status: NodeStatus) -> String {
        switch status {
        case .succeeded: "#a6dba0"
        case .failed: "#f4a582"
        case .skipped, .cancelled: "#d9d9d9"
        case .running, .sent, .cancelling: "#92c5de"
        case .waiting, .ready, .backingOff, .awaitingApproval: "#ffffff"
        }
    }
}
