// The screen of `weft top` as lines. Pure. Not here: the details of a row (TopDetails), drawing.
internal import Console
internal import Core
internal import Wire

/// Makes the lines of the screen, no more than there are rows and no wider than the columns.
struct TopView {
    let columns: Int
    let rows: Int
    let style: Style

    /// Rows above and below the table or the details.
    private static let headRows = 3
    private static let footRows = 1

    /// The lines from the top; notes in the model how many rows there are and how far it can be
    /// scrolled.
    func lines(_ model: inout TopModel) -> [String] {
        // Below the titles.
        model.room = max(rows - Self.headRows - Self.footRows - 1, 1)
        let body =
            model.details == nil
            ? tableLines(model) : detailLines(&model, room: rows - Self.headRows - Self.footRows)
        let room = max(rows - Self.headRows - Self.footRows, 0)
        let blank = Array(repeating: "", count: max(room - body.count, 0))
        let lines = [place(model), totals(model), tabs(model)] + body.prefix(room) + blank
        return Array(lines.prefix(max(rows - Self.footRows, 0))) + [foot(model)]
    }

    // MARK: - Above and below

    /// Which coordinator it is, and whether it answers.
    private func place(_ model: TopModel) -> String {
        var parts: [(String, Style.Color?)] = [("weft top  \(model.place)", nil)]
        if let status = model.answers.status {
            let uptime = Text.duration(milliseconds: Double(status.uptimeMilliseconds))
            parts.append(("\(status.software), up \(uptime)", .dim))
        }
        if !model.mayOrder { parts.append(("viewer", .dim)) }
        if let outage = model.outage { parts.append((outage, .red)) }
        return line(parts)
    }

    private func totals(_ model: TopModel) -> String {
        guard let status = model.answers.status else { return "" }
        let workers = status.workers
        let draining = workers.draining > 0 ? ", \(workers.draining) draining" : ""
        let isFull = workers.inFlight >= workers.slots && workers.slots > 0
        let meter = TopTable.meter(workers.inFlight, of: workers.slots, width: 16)
        return line([
            (
                "slots \(meter.isEmpty ? "" : meter + " ")\(workers.inFlight)/\(workers.slots)",
                isFull ? .yellow : nil
            ),
            ("workers \(workers.connected)\(draining)", nil),
            ("runs \(status.runs.active)", nil),
            (model.rate.map { "\(Text.fixed($0, digits: $0 < 10 ? 1 : 0)) nodes/s" } ?? "", nil),
        ])
    }

    /// The names of the tables, the filter and the title of the details.
    private func tabs(_ model: TopModel) -> String {
        switch model.details {
        case .run(let run)?: return line([("Run \(run)", .cyan)])
        case .worker(let name)?: return line([("Worker \(name)", .cyan)])
        case .tool(let name)?: return line([("Tool \(name)", .cyan)])
        case .help?: return line([("Keys", .cyan)])
        case nil: break
        }
        var parts: [(String, Style.Color?)] = TopSection.allCases.map { section in
            let isChosen = section == model.section
            let words = "\(section.rawValue + 1) \(section.title)"
            return (isChosen ? "[\(words)]" : " \(words) ", isChosen ? .cyan : nil)
        }
        if model.isFiltering || !model.arrangement.filter.isEmpty {
            parts.append(("/\(model.arrangement.filter)\(model.isFiltering ? "_" : "")", .yellow))
        }
        return line(parts, gap: 1)
    }

    private func foot(_ model: TopModel) -> String {
        if let question = model.question { return line([(question.text, .yellow)]) }
        if let message = model.message { return line([(message, .yellow)]) }
        if model.isFiltering {
            return line([("Type to filter; Enter keeps it, Esc drops it", .dim)])
        }
        guard model.details == nil else {
            return line([("Esc back  arrows scroll  c cancel  d drain  ? help  q back", .dim)])
        }
        return line([
            (
                "? help  q quit  Tab table  / filter  s sort  Enter details  c cancel  d drain",
                .dim
            )
        ])
    }

    /// Parts beside each other, as far as there is room.
    private func line(_ parts: [(text: String, color: Style.Color?)], gap: Int = 3) -> String {
        var line = ""
        var room = columns
        for part in parts where !part.text.isEmpty {
            if !line.isEmpty {
                guard room > gap else { break }
                line += String(repeating: " ", count: gap)
                room -= gap
            }
            let text = Text.cut(Text.printable(part.text), to: room)
            line += style.paint(text, part.color)
            room -= Text.width(of: text)
        }
        return line
    }

    // MARK: - The table

    private func tableLines(_ model: TopModel) -> [String] {
        let table = model.table
        guard !table.rows.isEmpty else { return ["", line([(emptiness(model), .dim)])] }
        guard columns > 2 else { return [] }
        let arrangement = model.arrangement
        let lines = table.text(arrangement).lines(width: columns - 2, style: style)
        let room = model.room
        let last = max(table.rows.count - room, 0)
        let first = min(max(arrangement.position - room / 2, 0), last)
        var shown = ["  " + lines[0]]
        for position in first..<min(first + room, table.rows.count) {
            let text = lines[position + 1]
            shown.append(position == arrangement.position ? selected(text) : "  " + text)
        }
        return shown
    }

    /// The selected row: with a mark, and inverse where there are colours.
    private func selected(_ line: String) -> String {
        let text = Text.filled("> " + Style.bare(line), to: columns)
        return style.isColored ? "\u{1B}[7m\(text)\u{1B}[0m" : text
    }

    private func emptiness(_ model: TopModel) -> String {
        if model.answers.status == nil { return "Waiting for the coordinator." }
        if !model.arrangement.filter.isEmpty {
            return "Nothing has \(model.arrangement.filter) in it; / changes the filter."
        }
        switch model.section {
        case .runs:
            return "No runs yet. Start one: weft run --plan plan.json --coordinator \(model.place)"
        case .workers: return "No workers are connected. Start one: weft worker --tools tools.yaml"
        case .tools: return "No tools are offered. Start a worker: weft worker --tools tools.yaml"
        }
    }

    // MARK: - Details

    private func detailLines(_ model: inout TopModel, room: Int) -> [String] {
        let lines = TopDetails(columns: columns, style: style).lines(model)
        model.scroll = min(model.scroll, max(lines.count - room, 0))
        return Array(lines.dropFirst(model.scroll))
    }
}
