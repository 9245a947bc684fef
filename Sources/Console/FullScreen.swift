// A terminal that a command fills: its modes, the alternate screen, and lines that are drawn in place.
// Not here: what is drawn, and what keys mean.
internal import Glibc

/// The terminal of a command that fills it, between `enter` and `leave`.
///
/// Keys arrive one by one and without an echo; Ctrl-C and Ctrl-Z remain signals. Only what has changed
/// is written, so that nothing flickers.
package struct FullScreen {
    private let input: Int32 = STDIN_FILENO
    /// The modes of the terminal before; nil outside of `enter` and `leave`.
    private var modes: termios?
    private var shown: [String] = []

    package init() {}

    /// Whether both input and output are a terminal that can be drawn on.
    package static var isPossible: Bool {
        isatty(STDIN_FILENO) == 1 && Terminal.of(.standard).isLive
    }

    /// Changes the modes and clears the alternate screen; returns what has to be written for that.
    ///
    /// In the background this stops the process until it is in the foreground.
    package mutating func enter() -> [UInt8] {
        var modes = termios()
        if self.modes == nil, tcgetattr(input, &modes) == 0 { self.modes = modes }
        if var raw = self.modes {
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN)
            // Ctrl-S would stop the output, and with it the command.
            raw.c_iflag &= ~tcflag_t(IXON)
            // A read returns with one key, or more.
            raw.c_cc.5 = 0
            raw.c_cc.6 = 1
            tcsetattr(input, TCSADRAIN, &raw)
        }
        shown = []
        return Array("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[0m\u{1B}[2J".utf8)
    }

    /// Puts everything back as it was, at once; calling it again does nothing.
    package mutating func leave() {
        guard var modes else { return }
        self.modes = nil
        // The first byte ends a sequence that another write may have begun.
        Output.standard.writeNow("\u{18}\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
        tcsetattr(input, TCSADRAIN, &modes)
    }

    /// Forgets what the terminal shows, so that the next lines are all written.
    package mutating func forget() { shown = [] }

    /// What has to be written to show these lines, from the top; nothing if they are shown.
    package mutating func changes(to lines: [String]) -> [UInt8] {
        guard modes != nil, lines != shown else { return [] }
        var text = shown.isEmpty ? "\u{1B}[2J" : ""
        for (row, line) in lines.enumerated() where row >= shown.count || shown[row] != line {
            // Erased before, as after a full line the cursor is still on its last column.
            text += "\u{1B}[\(row + 1);1H\u{1B}[K\(line)"
        }
        for row in shown.indices.dropFirst(lines.count) { text += "\u{1B}[\(row + 1);1H\u{1B}[K" }
        shown = lines
        return Array(text.utf8)
    }

    /// Stops this process as Ctrl-Z does; returns when it goes on.
    package mutating func stop() {
        leave()
        kill(getpid(), SIGSTOP)
    }
}
