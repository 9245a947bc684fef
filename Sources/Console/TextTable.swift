// Aligned columns. Pure.

/// Rows in columns, no wider than necessary and no wider than the terminal.
package struct TextTable {
    package struct Column {
        package var title: String
        package var isNumeric = false
        /// The column that is cut first when the terminal is too narrow, at its end; others are cut
        /// in their middle.
        package var isElastic = false

        package init(title: String, isNumeric: Bool = false, isElastic: Bool = false) {
            self.title = title
            self.isNumeric = isNumeric
            self.isElastic = isElastic
        }
    }

    package struct Cell: ExpressibleByStringLiteral {
        package let text: String
        package let color: Style.Color?
        fileprivate let width: Int

        package init(_ text: String, _ color: Style.Color? = nil) {
            self.text = Text.printable(text)
            self.color = color
            width = Text.width(of: self.text)
        }

        package init(stringLiteral value: String) { self.init(value) }

        /// The name of a state in its colour.
        package static func state(_ name: String) -> Cell { Cell(name, Style.color(ofState: name)) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []
    private static let gap = 2
    private static let narrowest = 8

    package init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row of as many cells as there are columns.
    package mutating func add(_ cells: [Cell]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    /// The lines without line ends, headings first; nothing is cut when the width is nil.
    package func lines(width: Int?, style: Style) -> [String] {
        let widths = widths(within: width)
        let headings = columns.map { Cell($0.title, .dim) }
        return ([headings] + rows).map { line($0, widths, limit: width ?? .max, style) }
    }

    private func widths(within limit: Int?) -> [Int] {
        var widths = columns.indices.map { column in
            rows.reduce(columns[column].title.count) { max($0, $1[column].width) }
        }
        guard let limit else { return widths }
        func excess() -> Int { widths.reduce(Self.gap * (widths.count - 1), +) - limit }
        func least(_ column: Int) -> Int {
            min(widths[column], max(Self.narrowest, columns[column].title.count))
        }
        for column in columns.indices where columns[column].isElastic && excess() > 0 {
            widths[column] = max(widths[column] - excess(), least(column))
        }
        // Then the widest of the others, so that lines do not wrap if possible.
        let others = columns.indices.filter { !columns[$0].isNumeric }
        while excess() > 0,
            let widest = others.filter({ widths[$0] > least($0) }).max(by: {
                widths[$0] < widths[$1]
            })
        {
            widths[widest] -= 1
        }
        return widths
    }

    private func line(
        _ cells: [Cell],
        _ widths: [Int],
        limit: Int,
        _ style: Style
    ) -> String {
        var line = ""
        var room = limit
        for (index, cell) in cells.enumerated() {
            if index > 0 {
                line += String(repeating: " ", count: Self.gap)
                room -= Self.gap
            }
            // On a very narrow terminal the last columns are cut or missing.
            let space = min(widths[index], room)
            guard space > 0 else { break }
            room -= space
            let text =
                columns[index].isElastic
                ? Text.cut(cell.text, to: space) : Text.shortened(cell.text, to: space)
            let width = Text.width(of: text)
            let padding = String(repeating: " ", count: max(space - width, 0))
            let painted = style.paint(text, cell.color)
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
