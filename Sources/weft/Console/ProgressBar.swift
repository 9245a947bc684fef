// Draws the live lines on standard error: overwrites them, moves them below messages, and erases
// them at the end. The layout of the last line is in ProgressLine, of those above it in LiveView.
internal import Console
internal import Glibc
internal import UVLoop
internal import Wire

/// Lines that show the progress of a run; does nothing when standard error is not a terminal that
/// can be overwritten.
///
/// Confined to its loop.
final class ProgressBar {
    private let loop: EventLoop
    private var terminal: Terminal
    private let startedAt: Int64
    private var progress = RunProgress()
    private var timer: Timer?
    private var resizes: SignalSource?
    private var lastDrawn: Int64?
    /// The columns of each line on the screen; empty if there is none.
    private var drawn: [Int] = []
    /// Makes the lines above the last one, for a width, a number of lines and the milliseconds
    /// since the beginning.
    var above: ((_ width: Int, _ room: Int, _ elapsedMilliseconds: Double) -> [String])?

    /// Makes the last line, for a width; nil for the line of a run's progress.
    var bottom: ((_ width: Int) -> String)?

    /// Behind this a person types; nothing is drawn meanwhile.
    private var prompt: String?

    /// The shortest time between two drawings, in nanoseconds.
    private static let pause: Int64 = 100_000_000

    init(loop: EventLoop, terminal: Terminal) {
        self.loop = loop
        self.terminal = terminal
        startedAt = loop.nowNanoseconds
        guard terminal.isLive else { return }
        timer = Timer(loop: loop) { [weak self] in self?.draw() }
        resizes = try? SignalSource(loop: loop, signal: SIGWINCH) { [weak self] in self?.resize() }
    }

    /// Milliseconds since the beginning.
    var elapsedMilliseconds: Double { Double(loop.nowNanoseconds - startedAt) / 1e6 }

    /// Shows the current progress, at most ten times a second.
    func show(_ progress: RunProgress) {
        self.progress = progress
        touch()
    }

    /// Draws again, at most ten times a second.
    func touch() {
        guard let timer else { return }
        let due = (lastDrawn ?? 0) + Self.pause
        if due <= loop.nowNanoseconds { draw() } else { timer.schedule(at: due) }
    }

    /// Prints lines, and asks a question below them in place of the live lines.
    func ask(_ lines: [String], _ question: String) {
        let end = prompt == nil ? erasure : "\r\u{1B}[K"
        drawn = []
        prompt = question
        Output.error.writeNow(end + lines.map { $0 + "\n" }.joined() + question)
    }

    /// The person has ended a line, and with it the question.
    func noteTyped() { prompt = nil }

    /// Nothing is asked any more.
    func endPrompt() {
        if prompt != nil { Output.error.writeNow("\r\u{1B}[K") }
        prompt = nil
        touch()
    }

    /// Prints lines above the live ones.
    func say(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        if let prompt {
            let text = lines.map { $0 + "\n" }.joined()
            Output.error.writeNow("\r\u{1B}[K" + text + prompt)
            return
        }
        let wasDrawn = !drawn.isEmpty
        Output.error.writeNow(erasure + lines.map { $0 + "\n" }.joined())
        drawn = []
        if wasDrawn { draw() }
    }

    /// Erases the live lines; draws nothing any more.
    func end() {
        prompt = nil
        timer?.close()
        timer = nil
        resizes?.close()
        resizes = nil
        if !drawn.isEmpty { Output.error.writeNow(erasure) }
        drawn = []
        lastDrawn = nil
    }

    /// Moves the cursor to the first column of the first live line.
    private var wayBack: String {
        drawn.isEmpty ? "" : "\r" + (drawn.count > 1 ? "\u{1B}[\(drawn.count - 1)A" : "")
    }

    /// Erases the live lines and leaves the cursor where they began.
    private var erasure: String { drawn.isEmpty ? "" : wayBack + "\u{1B}[J" }

    private func resize() {
        if prompt == nil, !drawn.isEmpty { draw() }
    }

    /// Erases the live lines if the size of the window has changed: a line that is wider than the
    /// window takes several rows.
    private func fitToWindow() {
        let old = terminal
        terminal.measure(.error)
        guard !drawn.isEmpty, terminal.width != old.width || terminal.rows != old.rows else {
            return
        }
        if let width = terminal.width, width < old.width ?? 80 {
            let rows = drawn.map { max(1, ($0 + width - 1) / width) }.reduce(0, +)
            drawn = Array(repeating: 0, count: min(rows, max(terminal.rows, 1)))
        }
        Output.error.writeNow(erasure)
        drawn = []
    }

    private func draw() {
        guard let timer else { return }
        guard prompt == nil else { return timer.schedule(after: .milliseconds(100)) }
        // The signal may come later than the next drawing.
        fitToWindow()
        let width = terminal.width ?? 80
        let elapsed = elapsedMilliseconds
        // Two rows stay free: one for the shell's output, one for the line before.
        let room = max(terminal.rows - 3, 0)
        var lines = Array((above?(width, room, elapsed) ?? []).prefix(room))
        lines.append(
            bottom?(width)
                ?? ProgressLine.text(
                    progress,
                    elapsedMilliseconds: elapsed,
                    width: width,
                    style: terminal.style
                )
        )
        // Overwrites the old lines, so that nothing flickers, and erases the rest below.
        let text = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n")
        Output.error.writeNow(wayBack + text + "\u{1B}[J")
        drawn = lines.map { Text.width(of: Style.bare($0)) }
        lastDrawn = loop.nowNanoseconds
        // The clock continues when nothing happens: in tenths of a second while these are shown.
        timer.schedule(after: elapsed < 60_000 ? .milliseconds(100) : .seconds(1))
    }
}
