// The standard input of this process on the loop: its lines, or its bytes as they come, and its end.
// Not here: what they mean; reading it before there is a loop.
internal import CLibuv
internal import Glibc

/// Reads standard input, line by line or as it comes, without blocking the loop.
///
/// Lives until it is closed, and does not keep the loop alive unless it is asked to. A process that
/// shares this input, such as the shell of a terminal, is not disturbed where the system allows it:
/// a pipe or a terminal is opened once more for reading, so that it stays blocking for others.
public final class StandardInput {
    private let loop: EventLoop
    private let descriptor: Int32
    private var source: PollSource?
    private var onLine: (([UInt8]) -> Void)?
    private var onBytes: (([UInt8]) -> Void)?
    private var onEnd: (() -> Void)?
    private var rest: [UInt8] = []
    private var isClosed = false
    private let longestLine: Int

    /// Begins to read; `onEnd` is called once, in a later turn, when there is nothing more to come.
    ///
    /// Longer lines than the longest are cut.
    public convenience init(
        loop: EventLoop,
        longestLine: Int = 4096,
        keepsLoopAlive: Bool = false,
        onLine: @escaping ([UInt8]) -> Void,
        onEnd: @escaping () -> Void
    ) {
        self.init(loop, longestLine, keepsLoopAlive: keepsLoopAlive, onEnd: onEnd)
        self.onLine = onLine
    }

    /// Begins to read keys or other bytes as they come; `onEnd` is called once, in a later turn.
    ///
    /// Its first name is another one, so that a closure without a name always gets lines above.
    public convenience init(
        bytesOn loop: EventLoop,
        onBytes: @escaping ([UInt8]) -> Void,
        onEnd: @escaping () -> Void
    ) {
        self.init(loop, 0, keepsLoopAlive: false, onEnd: onEnd)
        self.onBytes = onBytes
    }

    private init(
        _ loop: EventLoop,
        _ longestLine: Int,
        keepsLoopAlive: Bool,
        onEnd: @escaping () -> Void
    ) {
        loop.preconditionNotClosed()
        self.loop = loop
        self.onEnd = onEnd
        self.longestLine = longestLine
        let reopened = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        // A socket cannot be opened again, nor can the pipe of another user.
        descriptor = reopened >= 0 ? reopened : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
        source = try? PollSource(loop: loop, descriptor: descriptor) { [self] _ in read() }
        if let source {
            source.watch(.readable)
            if !keepsLoopAlive { source.detachFromLoopLife() }
        } else {
            // A file cannot be watched, and need not be: all of it is there.
            loop.nextTurn { [self] in read() }
        }
    }

    /// Stops reading; no callback is called any more.
    ///
    /// Calling it again does nothing.
    public func close() {
        loop.assertOnLoop()
        guard !isClosed else { return }
        isClosed = true
        onLine = nil
        onBytes = nil
        onEnd = nil
        source?.close()
        source = nil
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    private func read() {
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        while !isClosed {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            // An input that cannot be read is as good as ended.
            guard count > 0 else { return end() }
            addBytes(bytes[..<count])
        }
    }

    private func addBytes(_ bytes: ArraySlice<UInt8>) {
        if let onBytes { return onBytes(Array(bytes)) }
        var bytes = bytes
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            addToLine(bytes[..<end])
            bytes = bytes[(end + 1)...]
            let line = rest
            rest = []
            onLine?(line)
        }
        addToLine(bytes)
    }

    private func addToLine(_ bytes: ArraySlice<UInt8>) {
        rest.append(contentsOf: bytes.prefix(max(longestLine - rest.count, 0)))
    }

    private func end() {
        let onEnd = onEnd
        close()
        onEnd?()
    }
}

@available(*, unavailable)
extension StandardInput: Sendable {}
