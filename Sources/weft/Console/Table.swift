// Aligned columns. Pure.

/// Rows in columns, as wide as they need to be and no wider than the terminal.
struct Table {
    struct Column {
        var title: String
        var isNumeric = false
        /// The column that is cut when the terminal is too narrow.
        var isElastic = false
    }

    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var color: Style.Color?

        init(_ text: String, _ color: Style.Color? = nil) {
            self.text = Text.printable(text)
            self.color = color
        }

        init(stringLiteral value: String) { self.init(value) }

        /// The name of a state in its colour.
        static func state(_ name: String) -> Cell { Cell(name, Style.color(ofState: name)) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []
    private static let gap = 2
    private static let narrowest = 8

    init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row of as many cells as there are columns.
    mutating func add(_ cells: [Cell]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    /// The lines without line ends, headings first; nothing is cut when the width is nil.
    func lines(width: Int?, style: Style) -> [String] {
        let widths = widths(within: width)
        let headings = columns.map { Cell($0.title, .dim) }
        return ([headings] + rows).map { line($0, widths, style) }
    }

    private func widths(within limit: Int?) -> [Int] {
        var widths = columns.indices.map { column in
            rows.reduce(columns[column].title.count) { max($0, $1[column].text.count) }
        }
        guard let limit else { return widths }
        for column in columns.indices where columns[column].isElastic {
            let total = widths.reduce(0, +) + Self.gap * (widths.count - 1)
            guard total > limit else { break }
            let least = min(widths[column], max(Self.narrowest, columns[column].title.count))
            widths[column] = max(widths[column] - (total - limit), least)
        }
        return widths
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ style: Style) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let text = Text.cut(cell.text, to: widths[index])
            let padding = String(repeating: " ", count: widths[index] - text.count)
            let painted = style.paint(text, cell.color)
            if index > 0 { line += String(repeating: " ", count: Self.gap) }
            if columns[index].isNumeric {
                line += padding + painted
            } else {
                line += index == cells.count - 1 ? painted : painted + padding
            }
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
