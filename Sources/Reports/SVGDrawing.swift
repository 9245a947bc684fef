// The graph of a run as a picture that any browser shows: boxes by level, coloured by state, the chain
// that bounded the wall time thick. Nothing in it is fetched or run. Not here: where boxes are
// (GraphLayout).

internal import Core
internal import Wire

/// Drawings of runs as SVG.
package enum SVGDrawing {
    /// Nodes that are drawn one by one; more are summed up by level, tool and state.
    static let mostNodes = 400

    private static let boxWidth = 168
    private static let boxHeight = 36
    private static let gapAcross = 56
    private static let gapBelow = 10
    private static let margin = 16
    /// The title and the legend above the graph.
    private static let head = 56
    /// Characters of a name that fit into a box.
    private static let nameLength = 25

    /// The graph as the text of an SVG file.
    package static func graph(_ facts: RunFacts) -> String {
        let layout = GraphLayout(of: facts, mostNodes: mostNodes)
        let rows = layout.columns.map(\.count).max() ?? 0
        let columns = layout.columns.count
        let width = max(2 * margin + columns * (boxWidth + gapAcross) - gapAcross, 560)
        let height = head + 2 * margin + max(rows * (boxHeight + gapBelow) - gapBelow, 0)
        var places = [(x: Int, y: Int)](repeating: (0, 0), count: layout.boxes.count)
        for (column, boxes) in layout.columns.enumerated() {
            let free = (rows - boxes.count) * (boxHeight + gapBelow) / 2
            for (row, box) in boxes.enumerated() {
                places[box] = (
                    margin + column * (boxWidth + gapAcross),
                    head + margin + free + row * (boxHeight + gapBelow)
                )
            }
        }
        var lines = opening(facts, width, height) + legend(layout)
        for (box, content) in layout.boxes.enumerated() {
            for edge in content.dependencies {
                let isThick = content.criticalDependencies.contains(edge)
                lines.append(line(from: places[edge], to: places[box], isThick))
            }
        }
        for (place, box) in zip(places, layout.boxes) { lines += draw(box, at: place) }
        return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
    }

    // MARK: - Above the graph

    private static func opening(_ facts: RunFacts, _ width: Int, _ height: Int) -> [String] {
        let run = facts.run
        let label = run.label.map { " – \(short($0, 60))" } ?? ""
        let title = escaped("run \(run.run)\(label): \(run.status.rawValue)")
        return [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" "
                + "viewBox=\"0 0 \(width) \(height)\" role=\"img\">",
            "<title>\(title)</title>",
            """
            <style>
            svg { background: #fff; font: 12px ui-monospace, Menlo, Consolas, monospace }
            text { fill: #111 } .edge { fill: none; stroke: #999 }
            .edge.thick { stroke: #333; stroke-width: 2.5 } rect { stroke: #888 }
            rect.thick { stroke: #111; stroke-width: 2.5 } .name { font-weight: 600 }
            </style>
            """,
            "<text x=\"\(margin)\" y=\"26\" font-size=\"15\">\(title)</text>",
        ]
    }

    /// The states that occur, with their colours.
    private static func legend(_ layout: GraphLayout) -> [String] {
        var x = margin
        var lines: [String] = []
        let used = Set(layout.boxes.map(\.status))
        for status in NodeStatus.allCases where used.contains(status) {
            let words = status.rawValue.replacing("_", with: " ")
            lines.append(
                "<rect x=\"\(x)\" y=\"38\" width=\"12\" height=\"12\" "
                    + "fill=\"\(GraphDrawing.colour(of: status))\"/>"
                    + "<text x=\"\(x + 18)\" y=\"48\">\(words)</text>"
            )
            x += 34 + words.count * 8
        }
        return lines
    }

    // MARK: - Boxes and edges

    private static func draw(_ box: GraphLayout.Box, at place: (x: Int, y: Int)) -> [String] {
        let colour = GraphDrawing.colour(of: box.status)
        let mark = box.isCritical ? " class=\"thick\"" : ""
        return [
            "<g><title>\(escaped(box.description))</title>"
                + "<rect\(mark) x=\"\(place.x)\" y=\"\(place.y)\" width=\"\(boxWidth)\" "
                + "height=\"\(boxHeight)\" rx=\"4\" fill=\"\(colour)\"/>"
                + "<text class=\"name\" x=\"\(place.x + 7)\" y=\"\(place.y + 15)\">"
                + "\(escaped(short(box.name, nameLength - 3)))</text>"
                + "<text x=\"\(place.x + 7)\" y=\"\(place.y + 30)\" font-size=\"11\">"
                + "\(escaped(short(box.note, nameLength)))</text></g>"
        ]
    }

    private static func line(
        from: (x: Int, y: Int),
        to: (x: Int, y: Int),
        _ isThick: Bool
    ) -> String {
        let start = (x: from.x + boxWidth, y: from.y + boxHeight / 2)
        let end = (x: to.x, y: to.y + boxHeight / 2)
        let half = max((end.x - start.x) / 2, 24)
        return "<path class=\"edge\(isThick ? " thick" : "")\" d=\"M\(start.x) \(start.y)"
            + "C\(start.x + half) \(start.y) \(end.x - half) \(end.y) \(end.x) \(end.y)\"/>"
    }

    // MARK: - Texts

    /// The beginning of a text, with an ellipsis where something is missing.
    private static func short(_ text: String, _ length: Int) -> String {
        text.count > length ? text.prefix(length - 1) + "…" : text
    }

    /// A text between tags or quotation marks; what XML does not allow, and what turns the direction
    /// of text, becomes visible.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\n", "\t", "\r": escaped += " "
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{200E}"..."\u{200F}",
                "\u{202A}"..."\u{202E}", "\u{2028}"..."\u{2029}", "\u{2066}"..."\u{2069}",
                "\u{FFFE}"..."\u{FFFF}":
                escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
