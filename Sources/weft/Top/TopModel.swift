// What `weft top` shows: the coordinator's answers, what is selected, sorted and filtered. Pure. Not
// here: what keys do (+Keys), the lines of the screen (TopView).
internal import Console
internal import Core
internal import Wire

/// The tables of `weft top`.
enum TopSection: Int, CaseIterable {
    case runs, workers, tools

    var title: String {
        switch self {
        case .runs: "Runs"
        case .workers: "Workers"
        case .tools: "Tools"
        }
    }
}

/// The coordinator's answers.
struct TopAnswers {
    var status: StatusDocument?
    /// Those that go on first, then the newest.
    var runs: [RunDocument] = []
    var workers: [WorkerDocument] = []
    var tools: [ToolDocument] = []

    /// Adds runs that are not there yet, behind those that are.
    mutating func add(_ more: [RunDocument]) {
        let known = Set(runs.map(\.run))
        runs += more.filter { !known.contains($0.run) }
    }
}

/// What the details of a run are made of.
struct TopRunDetails {
    /// A node that a worker has, and for how long if its tool runs.
    struct Node: Equatable {
        var id: String
        var tool: String
        var reason: String
        var milliseconds: Double?
    }

    var run: RunDocument
    var inProgress: [Node] = []
    /// The other nodes that have not settled.
    var waiting: Explanation?
}

/// What is to be done because of a key.
enum TopOrder: Equatable {
    case none, quit
    /// Other answers are needed.
    case ask
    case cancel(RunID)
    case drain(String)
    case redraw
}

/// Everything that the screen shows.
struct TopModel {
    /// How a table is arranged.
    struct Arrangement {
        /// The column by which it is sorted; nil for the usual order.
        var column: Int?
        var isReversed = false
        /// The name in the selected row.
        var selected: String?
        /// Its position.
        var position = 0
        /// Only rows that contain this are shown.
        var filter = ""
    }

    /// What is shown in place of a table.
    enum Details: Equatable {
        case run(RunID)
        case worker(String)
        case tool(String)
        case help
    }

    /// What is asked before it is done.
    struct Question: Equatable {
        var text: String
        var order: TopOrder
    }

    /// Where the coordinator is.
    let place: String
    /// Whether the key allows orders.
    let mayOrder: Bool
    var answers = TopAnswers()
    /// The answers about the run whose details are shown.
    var runDetails: TopRunDetails?
    /// Nodes that settled in a second, between the two latest answers.
    private(set) var rate: Double?
    /// What happened to the connection, while it is lost.
    var outage: String?
    /// What happened last, until the next key.
    var message: String?

    var section = TopSection.runs
    var arrangements: [TopSection: Arrangement] = [:]
    /// Whether keys go to the filter.
    var isFiltering = false
    var question: Question?
    var details: Details?
    /// Lines of the details above the screen.
    var scroll = 0
    /// Rows of the table that the screen has room for.
    var room = 1

    private var lastCount: (settled: Int, epoch: Int, at: Double)?
    /// Milliseconds in which nodes are counted, at least.
    private static let shortestCount = 900.0

    init(place: String, mayOrder: Bool) {
        self.place = place
        self.mayOrder = mayOrder
    }

    var arrangement: Arrangement {
        get { arrangements[section] ?? Arrangement() }
        set { arrangements[section] = newValue }
    }

    /// The rows that pass the filter, in order.
    var table: TopTable { TopTable(section, answers, arrangement) }

    /// The run whose details are shown.
    var shownRun: RunID? {
        if case .run(let run)? = details { run } else { nil }
    }

    /// Shows new answers, that many milliseconds after the beginning.
    mutating func show(_ answers: TopAnswers, at milliseconds: Double) {
        self.answers = answers
        keepSelection()
        guard let status = answers.status else { return }
        if let last = lastCount, last.epoch == status.epoch {
            // A key asks, too; so short a time would say little.
            guard milliseconds - last.at >= Self.shortestCount else { return }
            let gained = Double(status.settledNodes - last.settled)
            rate = max(gained, 0) * 1000 / (milliseconds - last.at)
        } else {
            rate = nil
        }
        lastCount = (status.settledNodes, status.epoch, milliseconds)
    }

    /// Selects the same name at its new position, or what is there now.
    mutating func keepSelection() {
        let rows = table.rows
        var now = arrangement
        let found = now.selected.flatMap { name in rows.firstIndex { $0.name == name } }
        now.position = found ?? min(now.position, max(rows.count - 1, 0))
        now.selected = rows.isEmpty ? nil : rows[now.position].name
        arrangement = now
    }
}
