// Shows a launch while it runs: lines that change on a terminal, a line for each change elsewhere, and
// all of it as a log for programs if that is wanted.
internal import Console
internal import JSON
internal import Launch
internal import LaunchCore
internal import UVLoop

/// The output of a launch.
///
/// Confined to its loop.
final class LaunchDisplay {
    /// The name of the launch, for the log.
    private let launch: String
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

    init(loop: EventLoop, launch: String, json: Bool) {
        self.launch = launch
        self.json = json
        terminal = Terminal.of(.error)
        isLive =
            terminal.isLive && Terminal.of(.standard).isTerminal && !json && !Self.isLog
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
            show(worker)
        }
        if isLive { bar.touch() }
    }

    /// One worker in another state.
    private func show(_ worker: LaunchedWorker) {
        let note = worker.note.isEmpty ? "" : ": \(worker.note)"
        let line = "\(worker.name) \(worker.state.rawValue) \(worker.site)\(note)"
        if json { Shell.output("\(RawJSON(LaunchStatus.json(worker)))") }
        if Self.isLog {
            let about = LaunchLine(
                text: line,
                group: worker.group,
                member: worker.name,
                site: worker.site,
                isTrouble: worker.state == .failed
            )
            log(about, [("state", worker.state.rawValue), ("note", worker.note)])
        } else if !json, !isLive {
            Shell.output(Text.printable(line))
        }
    }

    /// One line for people.
    func say(_ line: String) { say(LaunchLine(text: line)) }

    /// One line for people.
    func say(_ line: LaunchLine) {
        if Self.isLog {
            log(line)
        } else if isLive {
            bar.say([Text.printable(line.text)])
        } else {
            Shell.tell(line.text)
        }
    }

    private static var isLog: Bool { LogFormat.current == .json }

    private func log(_ line: LaunchLine, _ more: [(name: String, value: String)] = []) {
        let fields: [(name: String, value: String?)] = [
            ("launch", launch), ("group", line.group), ("member", line.member), ("site", line.site),
        ]
        JSONLogLine.write(
            line.text,
            level: line.isTrouble ? "warning" : "info",
            component: "launch",
            fields: fields.compactMap { name, value in value.map { (name, $0) } }
                + more.filter { !$0.value.isEmpty }
        )
    }

    func end() { bar.end() }
}
