// The details of a row of `weft top`, and its help, as lines. Pure.
internal import Console
internal import Core
internal import OrderedCollections
internal import Wire

/// Makes the lines of details, no wider than the columns.
struct TopDetails {
    let columns: Int
    let style: Style

    func lines(_ model: TopModel) -> [String] {
        switch model.details {
        case .run?: model.runDetails.map(lines) ?? [text("Asking.", .dim)]
        case .worker(let name)?:
            model.answers.workers.first { $0.name == name }.map(lines)
                ?? [text("This worker has left.", .dim)]
        case .tool(let name)?:
            model.answers.tools.first { $0.description.name == name }.map(lines)
                ?? [text("No worker offers this tool any more.", .dim)]
        case .help?: help
        case nil: []
        }
    }

    // MARK: - A run

    private func lines(_ details: TopRunDetails) -> [String] {
        let run = details.run
        let first = ["label", "status", "error", "reason", "nodes"]
        let facts = RunView.pairs(run).filter { $0.value != nil && $0.name != "run" }
        var lines = pairs(facts.filter { first.contains($0.name) })
        lines.append(pair("progress", TopTable.bar(run.counts, width: barWidth)))
        lines += nodes(details)
        lines += ["", heading("More")] + pairs(facts.filter { !first.contains($0.name) })
        return lines
    }

    private func nodes(_ details: TopRunDetails) -> [String] {
        var lines: [String] = []
        if !details.inProgress.isEmpty {
            lines += ["", heading("In progress")]
            for node in details.inProgress {
                let time = node.milliseconds.map { Text.duration(milliseconds: $0) } ?? ""
                let name = Text.filled(Text.shortened(node.id, to: 20), to: 10)
                let tool = Text.filled(Text.shortened(Text.printable(node.tool), to: 20), to: 10)
                let end = Text.filled(time, to: 8)
                lines.append(
                    Text.cut(
                        "  \(name)  \(tool)  \(end)  \(Text.printable(node.reason))",
                        to: columns
                    )
                )
            }
        }
        guard let waiting = details.waiting, !waiting.groups.isEmpty else { return lines }
        lines += ["", heading("Waiting")]
        for group in waiting.groups {
            let words = Explanation.line(group, Style(isColored: false))
            lines += Text.wrapped(words, to: max(columns - 4, 8)).enumerated()
                .map { ($0.offset == 0 ? "  " : "    ") + $0.element }
        }
        return lines
    }

    // MARK: - A worker

    private func lines(_ worker: WorkerDocument) -> [String] {
        let labels = worker.labels.map { "\($0)=\($1)" }.joined(separator: ", ")
        let slots = TopTable.meter(worker.inFlight, of: worker.slots, width: barWidth)
        var lines = pairs([
            ("state", worker.state.rawValue),
            ("slots", "\(slots) \(worker.inFlight)/\(worker.slots)"),
            ("host", worker.host),
            ("process", worker.pid.map { "\($0)" }),
            ("version", worker.software),
            ("connected", Text.duration(milliseconds: Double(worker.connectedMilliseconds))),
            ("labels", labels.isEmpty ? nil : labels),
            ("tools", worker.tools.joined(separator: ", ")),
        ])
        let withheld = worker.refusedTools + worker.withheldTools
        if !withheld.isEmpty {
            lines += ["", heading("Not offered")] + pairs(withheld.map { ($0.name, $0.reason) })
        }
        if !worker.coolingTools.isEmpty {
            lines += ["", heading("Could not be started lately")]
            lines += pairs(
                worker.coolingTools.map { ($0.name, "\($0.refusals) times: \($0.reason)") }
            )
        }
        return lines
    }

    // MARK: - A tool

    private func lines(_ tool: ToolDocument) -> [String] {
        let description = tool.description
        func times(_ times: DurationDocument?) -> String? {
            guard let times else { return nil }
            let (half, most) = (times.median, times.ninetyFifth)
            return "half in \(Text.duration(microseconds: half)), "
                + "95 % in \(Text.duration(microseconds: most))"
        }
        let timeout = description.timeoutMilliseconds.map {
            Text.duration(milliseconds: Double($0))
        }
        return pairs([
            ("description", description.description),
            ("repeatable", description.mayBeRepeated ? "yes" : "no"),
            ("timeout", timeout),
            ("calls", tool.figures.map { "\($0.calls), \($0.failures) failed" }),
            ("ran", times(tool.figures?.run)),
            ("queued", times(tool.figures?.queue)),
            ("workers", tool.workers.joined(separator: ", ")),
        ])
    }

    // MARK: - Help

    private var help: [String] {
        pairs([
            ("1 2 3, Tab", "runs, workers, tools"),
            ("arrows, j k", "select a row, or scroll"),
            ("Enter", "details of the row: nodes in progress, why others wait"),
            ("/", "show rows with a text only; Esc shows all again"),
            ("s", "sort by the next column; after the last one the usual order"),
            ("r", "reverse the order"),
            ("c", "cancel the selected run, after a question"),
            ("d", "drain the selected worker, after a question"),
            ("Ctrl-L", "draw the screen again"),
            ("Esc", "back"),
            ("q", "back, or quit"),
        ]) + [
            "",
            text(
                "PROGRESS: = has ended, > is with a worker, . is to come. SLOTS: | is in use.",
                .dim
            ),
        ]
    }

    // MARK: - Lines

    /// The columns of a bar behind a name.
    private var barWidth: Int { min(max(columns - 28, 8), 40) }

    private func heading(_ words: String) -> String { text(words, .cyan) }

    private func text(_ words: String, _ color: Style.Color?) -> String {
        style.paint(Text.cut(words, to: columns), color)
    }

    private func pair(_ name: String, _ value: String) -> String { pairs([(name, value)])[0] }

    /// Names and values; a long value goes on below its beginning.
    private func pairs(_ pairs: [(name: String, value: String?)]) -> [String] {
        pairs.flatMap { name, value -> [String] in
            guard let value else { return [] }
            let head = Text.shortened(Text.printable(name), to: 14)
            let room = max(columns - 16, 8)
            return Text.wrapped(Text.printable(value), to: room).enumerated().map { place, words in
                let start = Text.filled(place == 0 ? head : "", to: 16)
                guard columns > 24 else { return Text.cut(start + words, to: columns) }
                let color = name == "state" || name == "status" ? Style.color(ofState: words) : nil
                return style.paint(start, .dim) + style.paint(words, color)
            }
        }
    }
}
