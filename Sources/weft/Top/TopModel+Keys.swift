// What keys do to the model of `weft top`. Pure.
internal import Console
internal import Core
internal import Wire

extension TopModel {
    /// The longest filter, in characters.
    private static let longestFilter = 40

    /// Handles a key, and tells what is to be done.
    mutating func handle(_ key: TopKey) -> TopOrder {
        message = nil
        if key == .redraw { return .redraw }
        if question != nil { return answerQuestion(key) }
        if isFiltering { return handleFilter(key) }
        switch key {
        case .character("q"): return details == nil ? .quit : closeDetails()
        case .character("?"), .character("h"):
            scroll = 0
            details = .help
            return .none
        case .character("c"): return askToCancel()
        case .character("d"): return askToDrain()
        default: return details == nil ? handleInTable(key) : handleInDetails(key)
        }
    }

    private mutating func handleInTable(_ key: TopKey) -> TopOrder {
        switch key {
        case .tab, .right, .character("l"): return choose(section.rawValue + 1)
        case .backTab, .left: return choose(section.rawValue + TopSection.allCases.count - 1)
        case .character("1"): return choose(0)
        case .character("2"): return choose(1)
        case .character("3"): return choose(2)
        case .up, .character("k"): move(-1)
        case .down, .character("j"): move(1)
        case .pageUp: move(-room)
        case .pageDown: move(room)
        case .home, .character("g"): move(-Int(Int32.max))
        case .end, .character("G"): move(Int(Int32.max))
        case .character("/"): isFiltering = true
        case .character("s"): chooseColumn()
        case .character("r"):
            arrangement.isReversed.toggle()
            keepSelection()
        case .escape:
            arrangement.filter = ""
            keepSelection()
        case .enter: return openDetails()
        default: break
        }
        return .none
    }

    private mutating func handleInDetails(_ key: TopKey) -> TopOrder {
        switch key {
        case .up, .character("k"): scroll = max(scroll - 1, 0)
        case .down, .character("j"): scroll += 1
        case .pageUp: scroll = max(scroll - room, 0)
        case .pageDown, .character(" "): scroll += room
        case .home, .character("g"): scroll = 0
        case .escape, .enter, .left, .backspace: return closeDetails()
        default: break
        }
        return .none
    }

    private mutating func handleFilter(_ key: TopKey) -> TopOrder {
        switch key {
        case .enter: isFiltering = false
        case .escape:
            isFiltering = false
            arrangement.filter = ""
        case .backspace: _ = arrangement.filter.popLast()
        case .character(let character) where arrangement.filter.count < Self.longestFilter:
            arrangement.filter += Text.printable(String(character))
        case .up: move(-1)
        case .down: move(1)
        default: break
        }
        keepSelection()
        return .none
    }

    private mutating func answerQuestion(_ key: TopKey) -> TopOrder {
        defer { question = nil }
        guard key == .character("y") || key == .character("Y"), let question else {
            message = "Nothing is done."
            return .none
        }
        return question.order
    }

    // MARK: - Selecting

    private mutating func choose(_ number: Int) -> TopOrder {
        section = TopSection.allCases[number % TopSection.allCases.count]
        keepSelection()
        return .ask
    }

    private mutating func move(_ distance: Int) {
        let rows = table.rows
        guard !rows.isEmpty else { return }
        let position = min(max(arrangement.position + distance, 0), rows.count - 1)
        arrangement.position = position
        arrangement.selected = rows[position].name
    }

    /// The next column; after the last one the usual order again.
    private mutating func chooseColumn() {
        let columns = table.columns.count
        let next = arrangement.column.map { $0 + 1 } ?? 0
        arrangement.column = next < columns ? next : nil
        arrangement.isReversed = false
        keepSelection()
    }

    private mutating func openDetails() -> TopOrder {
        guard let name = arrangement.selected else { return .none }
        scroll = 0
        switch section {
        case .runs:
            guard let run = RunID(name) else { return .none }
            details = .run(run)
            runDetails = answers.runs.first { $0.run == run }.map { TopRunDetails(run: $0) }
        case .workers: details = .worker(name)
        case .tools: details = .tool(name)
        }
        return .ask
    }

    private mutating func closeDetails() -> TopOrder {
        details = nil
        runDetails = nil
        scroll = 0
        return .ask
    }

    // MARK: - Orders

    private mutating func askToCancel() -> TopOrder {
        let chosen =
            shownRun?.text ?? (details == nil && section == .runs ? arrangement.selected : nil)
        guard let run = chosen.flatMap({ RunID($0) }) else {
            return refuse("Select a run to cancel: 1, arrows, c.")
        }
        guard mayOrder else { return refuse(Self.needsClient("Cancelling")) }
        let known = shownRun == nil ? answers.runs.first { $0.run == run } : runDetails?.run
        if let status = known?.status, status != .running {
            return refuse("Run \(run) has ended: \(status.rawValue).")
        }
        let label = known?.label.map { " (\(Text.shortened(Text.printable($0), to: 24)))" } ?? ""
        question = Question(text: "Cancel run \(run)\(label)? y or n", order: .cancel(run))
        return .none
    }

    private mutating func askToDrain() -> TopOrder {
        var chosen = details == nil && section == .workers ? arrangement.selected : nil
        if case .worker(let name)? = details { chosen = name }
        guard let name = chosen else { return refuse("Select a worker to drain: 2, arrows, d.") }
        guard mayOrder else { return refuse(Self.needsClient("Draining")) }
        let shown = Text.shortened(Text.printable(name), to: 30)
        question = Question(
            text: "Drain \(shown)? It ends what it runs and leaves. y or n",
            order: .drain(name)
        )
        return .none
    }

    private mutating func refuse(_ reason: String) -> TopOrder {
        message = reason
        return .none
    }

    private static func needsClient(_ what: String) -> String {
        "\(what) needs a client's key; this one may only watch (--key-file)."
    }
}
