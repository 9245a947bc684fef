// The live line on standard error: drawn over itself, moved out of the way of messages, and gone
// at the end. Its layout is in ProgressLine.
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
        guard let timer else { return }
        self.progress = progress
        let due = (lastDrawn ?? 0) + Self.pause
        if due <= loop.nowNanoseconds { draw() } else { timer.schedule(at: due) }
    }

    /// Prints lines above the live line.
    func say(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        var text = isShown ? "\r\u{1B}[K" : ""
        for line in lines { text += line + "\n" }
        isShown = false
        Output.error.writeNow(text)
        if lastDrawn != nil { draw() }
    }

    /// Takes the line away for good.
    func end() {
        timer?.close()
        timer = nil
        if isShown { Output.error.writeNow("\r\u{1B}[K") }
        isShown = false
        lastDrawn = nil
    }

    private func draw() {
        guard let timer else { return }
        let now = loop.nowNanoseconds
        // The width may have changed with the window.
        let line = ProgressLine.text(
            progress,
            elapsedMilliseconds: Double(now - startedAt) / 1e6,
            width: Terminal.of(.error).width ?? terminal.width ?? 80,
            style: terminal.style
        )
        Output.error.writeNow("\r\(line)\u{1B}[K")
        isShown = true
        lastDrawn = now
        // The clock of the line goes on when nothing happens.
        timer.schedule(after: .seconds(1))
    }
}
