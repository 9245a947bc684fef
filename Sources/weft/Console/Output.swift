// Bytes to standard output and standard error: at once, or from a loop that goes on meanwhile.
internal import Glibc
internal import UVLoop

/// One of the two outputs of the process.
struct Output: Sendable {
    let descriptor: Int32

    static let standard = Output(descriptor: STDOUT_FILENO)
    static let error = Output(descriptor: STDERR_FILENO)

    /// Writes text and waits until it is taken; false if nobody reads any more.
    @discardableResult
    func writeNow(_ text: String) -> Bool { writeNow(Array(text.utf8)) }

    /// Writes bytes and waits until they are taken; false if nobody reads any more.
    @discardableResult
    func writeNow(_ bytes: [UInt8]) -> Bool {
        ProcessTable.ignoreSIGPIPE()
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withContiguousStorageIfAvailable {
                write(descriptor, $0.baseAddress, $0.count)
            }
            guard let count, count > 0 else {
                if errno == EINTR { continue }
                // Whoever shares the terminal or pipe may have made it non-blocking.
                guard errno == EAGAIN else { return false }
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
                continue
            }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

/// Writes to an output from a loop without holding the loop up when the reader is slow.
///
/// Confined to its loop. Once nobody reads any more, everything further is dropped.
final class OutputQueue {
    /// Called once when nobody reads any more.
    var onBroken: (() -> Void)?

    private let loop: EventLoop
    private let output: Output
    private var waiting: [UInt8] = []
    private var isWriting = false
    private var isBroken = false
    private var drained: [() -> Void] = []

    init(loop: EventLoop, output: Output = .standard) {
        self.loop = loop
        self.output = output
    }

    /// Whether a write is under way that closing the loop would wait for.
    var isBusy: Bool { isWriting }

    func write(_ bytes: [UInt8]) {
        guard !isBroken else { return }
        waiting += bytes
        writeOn()
    }

    /// Calls back when everything written so far has been taken or dropped.
    func whenDrained(_ then: @escaping () -> Void) {
        if !isWriting, waiting.isEmpty { return loop.nextTurn(then) }
        drained.append(then)
    }

    private func writeOn() {
        guard !isWriting, !waiting.isEmpty else { return }
        isWriting = true
        let bytes = waiting
        let output = output
        waiting = []
        loop.offload {
            output.writeNow(bytes)
        } then: { [self] isTaken in
            isWriting = false
            if !isTaken, !isBroken {
                isBroken = true
                waiting = []
                onBroken?()
            }
            writeOn()
            guard !isWriting else { return }
            let callbacks = drained
            drained = []
            for callback in callbacks { callback() }
        }
    }
}
