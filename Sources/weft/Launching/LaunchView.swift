// The lines that show a launch. Pure; drawing them is in LaunchDisplay.
internal import Console
internal import Launch
internal import LaunchCore

enum LaunchView {
    /// The order in which workers are shown when there is not room for all: what needs attention
    /// comes first.
    private static let urgency: [MemberState] = [
        .failed, .waiting, .copying, .pending, .starting, .draining, .running, .ended,
    ]

    /// A table of all workers.
    static func table(_ document: LaunchStatus) -> TextTable {
        var table = TextTable([
            .init(title: "WORKER"), .init(title: "STATE"), .init(title: "HOST"),
            .init(title: "STARTS", isNumeric: true), .init(title: "NOTE", isElastic: true),
        ])
        for worker in document.workers {
            table.add([
                .init(worker.name), .init(worker.state.rawValue, color(worker.state)),
                .init(worker.site), .init("\(worker.starts)"), .init(worker.note),
            ])
        }
        return table
    }

    /// One line a worker, no wider than the terminal and no more than there is room for.
    static func lines(
        _ document: LaunchStatus,
        width: Int,
        room: Int,
        style: Style
    ) -> [String] {
        guard room > 0 else { return [] }
        var workers = document.workers.filter { $0.state != .ended }
        var hidden = 0
        if workers.count > room {
            hidden = workers.count - (room - 1)
            let rank = { (worker: LaunchedWorker) in urgency.firstIndex(of: worker.state) ?? 0 }
            // The sort is stable in effect: equal states keep the order of their names.
            let ranked = workers.enumerated().sorted {
                (rank($0.element), $0.offset) < (rank($1.element), $1.offset)
            }
            workers = ranked.prefix(room - 1).sorted { $0.offset < $1.offset }.map(\.element)
        }
        var lines = workers.map { line($0, width: width, style: style) }
        if hidden > 0 { lines.append(style.paint("  and \(hidden) more", .dim)) }
        return lines
    }

    /// One worker in one line.
    static func line(_ worker: LaunchedWorker, width: Int, style: Style) -> String {
        let widest = min(28, max(8, width - 20))
        let name = Text.filled(
            Text.shortened(Text.printable(worker.name), to: widest),
            to: min(16, widest)
        )
        let state = Text.filled(worker.state.rawValue, to: 9)
        let rest = worker.note.isEmpty ? worker.site : "\(worker.site): \(worker.note)"
        let head = "  \(name)  \(state)  "
        let room = width - 1 - Text.width(of: head)
        guard room > 0 else { return Text.cut(head, to: max(width - 1, 0)) }
        return "  \(name)  " + style.paint(state, color(worker.state)) + "  "
            + Text.cut(Text.printable(rest), to: room)
    }

    /// How many workers are in which state: `5 workers: 3 running, 2 starting`.
    static func summary(_ document: LaunchStatus) -> String {
        let workers = document.workers.filter { $0.state != .ended }
        let counts = urgency.reversed().compactMap { state -> String? in
            let count = workers.count { $0.state == state }
            return count > 0 ? "\(count) \(state.rawValue)" : nil
        }
        let total = Text.count(workers.count, "worker")
        return counts.isEmpty ? total : "\(total): \(counts.joined(separator: ", "))"
    }

    static func color(_ state: MemberState) -> Style.Color? {
        switch state {
        case .running: .green
        case .failed: .red
        case .waiting, .pending, .draining: .yellow
        case .copying, .starting: .cyan
        case .ended: .dim
        }
    }
}
