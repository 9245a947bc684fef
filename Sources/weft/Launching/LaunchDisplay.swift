// Shows a launch while it runs: lines that change on a terminal, a line for each change elsewhere.
internal import Console
internal import JSON
internal import Launch
internal import LaunchCore
internal import UVLoop

/// The output of a launch.
///
/// Confined to its loop.
final class LaunchDisplay {
    private let json: Bool
    /// Whether the workers are shown in place, on standard error.
    ///
    /// Only if standard output goes to a terminal, too: a file or a pipe gets a line for each change.
    private let isLive: Bool
    private let terminal: Terminal
    private let bar: ProgressBar
    private var document: LaunchStatus?
    /// The words last shown for each worker.
    private var told: [String: String] = [:]

    init(loop: EventLoop, json: Bool) {
        self.json = json
        terminal = Terminal.of(.error)
        isLive = terminal.isLive && Terminal.of(.standard).isTerminal && !json
        bar = ProgressBar(loop: loop, terminal: terminal)
        bar.above = { [weak self] width, room, _ in
            guard let self, let document else { return [] }
            return LaunchView.lines(document, width: width, room: room, style: terminal.style)
        }
        bar.bottom = { [weak self] width in
            Text.cut(self?.document.map(LaunchView.summary) ?? "starting", to: width - 1)
        }
    }

    /// Shows a new state.
    func show(_ document: LaunchStatus) {
        self.document = document
        for worker in document.workers {
            let words = "\(worker.state) \(worker.note)"
            guard told[worker.name] != words else { continue }
            told[worker.name] = words
            if json {
                Shell.output("\(RawJSON(LaunchStatus.json(worker)))")
            } else if !isLive {
                let note = worker.note.isEmpty ? "" : ": \(worker.note)"
                Shell.output(
                    Text.printable("\(worker.name) \(worker.state.rawValue) \(worker.site)\(note)")
                )
            }
        }
        if isLive { bar.touch() }
    }

    /// One line for people.
    func say(_ line: String) {
        if isLive { bar.say([Text.printable(line)]) } else { Shell.tell(line) }
    }

    func end() { bar.end() }
}
