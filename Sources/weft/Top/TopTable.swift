// The tables of runs, workers and tools: columns, rows, order, filter. Pure.
internal import Console
internal import Core
internal import Wire

/// A table of `weft top`.
struct TopTable {
    /// A column.
    struct Column {
        var title: String
        var isNumeric = false
        /// Whether it draws a number.
        var isBar = false
        var isElastic = false

        /// Whether the largest come first: large numbers are what a person looks for.
        var isDescending: Bool { isNumeric || isBar }
    }

    /// What a row is sorted by.
    enum Key: Comparable {
        case text(String)
        case number(Double)
    }

    struct Row {
        /// The name of the run, worker or tool.
        var name: String
        var cells: [TextTable.Cell]
        var keys: [Key]

        init(_ name: String) {
            self.name = name
            cells = []
            keys = []
        }

        mutating func add(_ text: String, _ color: Style.Color? = nil) {
            cells.append(.init(text, color))
            keys.append(.text(text))
        }

        mutating func add(_ text: String, sortedBy value: Double, _ color: Style.Color? = nil) {
            cells.append(.init(text, color))
            keys.append(.number(value))
        }
    }

    let columns: [Column]
    private(set) var rows: [Row]
    /// Rows with those that the filter leaves out.
    let total: Int

    init(
        _ section: TopSection,
        _ answers: TopAnswers,
        _ arrangement: TopModel.Arrangement = .init()
    ) {
        switch section {
        case .runs:
            columns = Self.runColumns(answers.runs)
            rows = Self.runRows(answers.runs)
        case .workers:
            columns = Self.workerColumns
            rows = Self.workerRows(answers.workers)
        case .tools:
            columns = Self.toolColumns
            rows = Self.toolRows(answers.tools)
        }
        total = rows.count
        if !arrangement.filter.isEmpty {
            let wanted = arrangement.filter.lowercased()
            rows = rows.filter { row in
                row.cells.contains { $0.text.lowercased().contains(wanted) }
            }
        }
        sort(arrangement)
    }

    /// The table as text; the title of the column by which it is sorted has an arrow.
    func text(_ arrangement: TopModel.Arrangement = .init()) -> TextTable {
        var table = TextTable(
            columns.enumerated().map { place, column in
                var title = column.title
                if place == arrangement.column {
                    title += column.isDescending != arrangement.isReversed ? "↓" : "↑"
                }
                return .init(
                    title: title,
                    isNumeric: column.isNumeric,
                    isElastic: column.isElastic
                )
            }
        )
        for row in rows { table.add(row.cells) }
        return table
    }

    private mutating func sort(_ arrangement: TopModel.Arrangement) {
        if let column = arrangement.column, column < columns.count {
            // Equal rows keep their usual order.
            let isDescending = columns[column].isDescending != arrangement.isReversed
            rows = rows.enumerated().sorted { first, second in
                let (one, other) = (first.element.keys[column], second.element.keys[column])
                if one == other { return first.offset < second.offset }
                return isDescending ? one > other : one < other
            }
            .map(\.element)
        } else if arrangement.isReversed {
            rows.reverse()
        }
    }

    // MARK: - Runs

    /// Costs have a column if a run has a cost, identities if there are several.
    private static func runColumns(_ runs: [RunDocument]) -> [Column] {
        var columns: [Column] = [
            .init(title: "RUN"), .init(title: "STATUS"), .init(title: "PROGRESS", isNumeric: true),
            .init(title: "DONE", isNumeric: true), .init(title: "BUSY", isNumeric: true),
            .init(title: "FAILED", isNumeric: true), .init(title: "AGE", isNumeric: true),
        ]
        if hasCosts(runs) { columns.append(.init(title: "COST", isNumeric: true)) }
        if hasSeveralAuthors(runs) { columns.append(.init(title: "BY")) }
        return columns + [.init(title: "LABEL", isElastic: true)]
    }

    private static func hasSeveralAuthors(_ runs: [RunDocument]) -> Bool {
        runs.contains { $0.submittedBy != runs[0].submittedBy }
    }

    private static func hasCosts(_ runs: [RunDocument]) -> Bool {
        runs.contains { $0.usage?.cost != nil }
    }

    private static func runRows(_ runs: [RunDocument]) -> [Row] {
        let hasCosts = hasCosts(runs)
        let hasSeveralAuthors = hasSeveralAuthors(runs)
        return runs.map { run in
            let counts = run.counts
            let share = Double(counts.settled) / Double(max(counts.total, 1))
            var row = Row(run.run.text)
            row.add(run.run.text)
            row.add(run.status.rawValue, Style.color(ofState: run.status.rawValue))
            row.add(bar(counts), sortedBy: share)
            row.add("\(counts.settled)/\(counts.total)", sortedBy: Double(counts.settled))
            row.add("\(counts.running)", sortedBy: Double(counts.running))
            row.add(
                "\(counts.failed)",
                sortedBy: Double(counts.failed),
                counts.failed > 0 ? .red : nil
            )
            row.add(
                age(seconds: run.ageMilliseconds / 1_000),
                sortedBy: Double(run.ageMilliseconds)
            )
            if hasCosts {
                let cost = run.usage?.cost
                row.add(cost.map(Text.amount) ?? "", sortedBy: cost ?? 0)
            }
            if hasSeveralAuthors { row.add(run.submittedBy ?? "") }
            row.add(run.label ?? "")
            return row
        }
    }

    /// An age in one unit, because columns are few.
    private static func age(seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3_600: "\(seconds / 60) min"
        case ..<86_400: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    /// Ten columns: what has settled, and what runs.
    static func bar(_ counts: NodeCounts, width: Int = 10) -> String {
        guard counts.total > 0 else { return String(repeating: ".", count: width) }
        func columns(_ number: Int) -> Int {
            min(Int(Double(number) / Double(counts.total) * Double(width)), width)
        }
        let settled = columns(counts.settled)
        let running = max(columns(counts.settled + counts.running) - settled, 0)
        return String(repeating: "=", count: settled) + String(repeating: ">", count: running)
            + String(repeating: ".", count: width - settled - running)
    }

    // MARK: - Workers

    private static let workerColumns: [Column] = [
        .init(title: "WORKER"), .init(title: "STATE"), .init(title: "BUSY", isNumeric: true),
        .init(title: "SLOTS", isBar: true), .init(title: "CONNECTED", isNumeric: true),
        .init(title: "HOST"), .init(title: "TOOLS", isElastic: true),
    ]

    private static func workerRows(_ workers: [WorkerDocument]) -> [Row] {
        workers.map { worker in
            var row = Row(worker.name)
            row.add(worker.name)
            row.add(worker.state.rawValue, Style.color(ofState: worker.state.rawValue))
            row.add("\(worker.inFlight)/\(worker.slots)", sortedBy: Double(worker.inFlight))
            row.add(meter(worker.inFlight, of: worker.slots), sortedBy: Double(worker.slots))
            let connected = Double(worker.connectedMilliseconds)
            row.add(Text.duration(milliseconds: connected), sortedBy: connected)
            row.add(worker.host ?? "")
            row.add(worker.tools.joined(separator: ", "))
            return row
        }
    }

    /// Columns for slots that are in use, and for those that are free.
    static func meter(_ used: Int, of all: Int, width: Int = 10) -> String {
        guard all > 0 else { return "" }
        let columns = min(all, width)
        let filled = min((used * columns + all - 1) / all, columns)
        return String(repeating: "|", count: filled)
            + String(repeating: ".", count: columns - filled)
    }

    // MARK: - Tools

    /// Times are those of half of the calls and of nearly all, 95 %.
    private static let toolColumns: [Column] = [
        .init(title: "TOOL"), .init(title: "CALLS", isNumeric: true),
        .init(title: "FAILED", isNumeric: true), .init(title: "P50", isNumeric: true),
        .init(title: "P95", isNumeric: true), .init(title: "QUEUED P95", isNumeric: true),
        .init(title: "WORKERS", isNumeric: true), .init(title: "DESCRIPTION", isElastic: true),
    ]

    private static func toolRows(_ tools: [ToolDocument]) -> [Row] {
        tools.map { tool in
            var row = Row(tool.description.name)
            row.add(tool.description.name)
            let figures = tool.figures
            func add(_ count: Int?, _ color: Style.Color? = nil) {
                row.add(count.map { "\($0)" } ?? "", sortedBy: Double(count ?? 0), color)
            }
            func add(time: Int?) {
                let words = time.map { Text.duration(microseconds: $0) } ?? ""
                row.add(words, sortedBy: Double(time ?? 0))
            }
            add(figures?.calls)
            add(figures?.failures, (figures?.failures ?? 0) > 0 ? .red : nil)
            add(time: figures?.run?.median)
            add(time: figures?.run?.ninetyFifth)
            add(time: figures?.queue?.ninetyFifth)
            row.add("\(tool.workers.count)", sortedBy: Double(tool.workers.count))
            row.add(tool.description.description)
            return row
        }
    }
}
