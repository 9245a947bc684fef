// The live line on standard error, and lines above it: drawn over themselves, moved out of the way
// of messages, and gone at the end. Its layout is in ProgressLine.
internal import UVLoop

/// A line that shows how a run gets on; does nothing when standard error is no terminal.
///
/// Confined to its loop.
final class ProgressBar {
    private let loop: EventLoop
    private let terminal: Terminal
    private let startedAt: Int64
    private var progress = RunProgress()
    private var timer: Timer?
    private var lastDrawn: Int64?
    private var isShown = false
    /// How many lines stand above the live line.
    private var linesAbove = 0
    /// What stands above the live line, for a width and the milliseconds since the beginning.
    var above: ((_ width: Int, _ elapsedMilliseconds: Double) -> [String])?

    /// Nanoseconds between two drawings at least.
    private static let pause: Int64 = 100_000_000

    init(loop: EventLoop, terminal: Terminal) {
        self.loop = loop
        self.terminal = terminal
        startedAt = loop.nowNanoseconds
        guard terminal.isTerminal else { return }
        timer = Timer(loop: loop) { [weak self] in self?.draw() }
    }

    /// Shows where the run is now, ten times a second at most.
    func show(_ progress: RunProgress) {
        self.progress = progress
        touch()
    }

    /// Draws anew, ten times a second at most.
    func touch() {
        guard let timer else { return }
        let due = (lastDrawn ?? 0) + Self.pause
        if due <= loop.nowNanoseconds { draw() } else { timer.schedule(at: due) }
    }

    /// Prints lines above the live line.
    func say(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        var text = erasure
        for line in lines { text += line + "\n" }
        isShown = false
        Output.error.writeNow(text)
        if lastDrawn != nil { draw() }
    }

    /// Takes the line away for good.
    func end() {
        timer?.close()
        timer = nil
        if isShown { Output.error.writeNow(erasure) }
        isShown = false
        lastDrawn = nil
    }

    /// What takes the live lines away, and leaves the cursor where they began.
    private var erasure: String {
        guard isShown else { return "" }
        return "\r" + (linesAbove > 0 ? "\u{1B}[\(linesAbove)A" : "") + "\u{1B}[J"
    }

    private func draw() {
        guard let timer else { return }
        let now = loop.nowNanoseconds
        // The width may have changed with the window.
        let width = Terminal.of(.error).width ?? terminal.width ?? 80
        let elapsed = Double(now - startedAt) / 1e6
        let line = ProgressLine.text(
            progress,
            elapsedMilliseconds: elapsed,
            width: width,
            style: terminal.style
        )
        let lines = above?(width, elapsed) ?? []
        Output.error.writeNow(erasure + lines.map { $0 + "\n" }.joined() + line)
        linesAbove = lines.count
        isShown = true
        lastDrawn = now
        // The clock of the line goes on when nothing happens.
        timer.schedule(after: .seconds(1))
    }
}
