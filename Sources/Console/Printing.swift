// Prints listings: a table, lines of names and values, or the coordinator's own JSON.
package import JSON

/// Prints the results of commands to standard output.
package struct Printer {
    private let terminal: Terminal

    package init() { terminal = Terminal.of(.standard) }

    package var style: Style { terminal.style }

    package func lines(_ lines: [String]) {
        Output.standard.writeNow(lines.map { $0 + "\n" }.joined())
    }

    package func table(_ table: TextTable) {
        lines(table.lines(width: terminal.width, style: style))
    }

    /// Text of tools: unchanged for programs, harmless on a terminal.
    package func text(_ lines: [String]) {
        self.lines(terminal.isTerminal ? lines.map(Text.printable) : lines)
    }

    /// JSON unchanged, on one line.
    package func json(_ data: RawJSON) {
        Output.standard.writeNow(Array(data.bytes) + [0x0A])
    }

    /// Names and values, the values aligned; pairs without a value are left out.
    package func pairs(_ pairs: [(name: String, value: String?)]) {
        let shown = pairs.filter { $0.value != nil }
        let width = shown.reduce(0) { max($0, $1.name.count) }
        lines(
            shown.flatMap { name, value in
                let text = Text.printable(value ?? "")
                // On a terminal a long value continues below its beginning.
                let room = terminal.width.map { max($0 - width - 2, 20) } ?? .max
                return Text.wrapped(text, to: room).enumerated()
                    .map { place, line in
                        let head = Text.filled(place == 0 ? name : "", to: width + 2)
                        return style.paint(head, .dim) + line
                    }
            }
        )
    }
}

extension JSONValue {
    /// A string field, or nothing.
    package func text(_ key: String) -> String { self[key]?.stringValue ?? "" }

    /// A field that is a count, or 0.
    package func number(_ key: String) -> Int { self[key]?.intValue ?? 0 }

    /// The texts of a list.
    package func texts(_ key: String) -> [String] {
        self[key]?.arrayValue?.compactMap(\.stringValue) ?? []
    }
}
