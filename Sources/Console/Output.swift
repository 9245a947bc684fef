// Writes bytes to standard output and standard error: at once, or from a loop that continues
// meanwhile.
internal import Glibc
package import UVLoop

/// One of the two outputs of the process, or a file.
package struct Output: Sendable {
    package let descriptor: Int32

    package init(descriptor: Int32) { self.descriptor = descriptor }

    package static let standard = Output(descriptor: STDOUT_FILENO)
    package static let error = Output(descriptor: STDERR_FILENO)

    /// The first error of each of the two outputs; a closed pipe is not an error.
    private static let problems = Locked<[Int32: Int32]>([:])

    /// Writes text and waits until it is accepted; false if that is not possible.
    @discardableResult
    package func writeNow(_ text: String) -> Bool { writeNow(Array(text.utf8)) }

    /// Writes bytes and waits until they are accepted; false if that is not possible.
    ///
    /// Errors of the two outputs are reported at the end of the command, see `lost()`; those of a
    /// file by its writer.
    @discardableResult
    package func writeNow(_ bytes: [UInt8]) -> Bool {
        ProcessTable.ignoreSIGPIPE()
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withContiguousStorageIfAvailable {
                write(descriptor, $0.baseAddress, $0.count)
            }
            guard let count, count > 0 else {
                let code = count == 0 ? EIO : errno
                if code == EINTR { continue }
                // Another process that shares the terminal or pipe may have made it non-blocking.
                guard code == EAGAIN else {
                    note(code)
                    errno = code
                    return false
                }
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
                continue
            }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Closes a file; false if something of it was lost.
    package func closed() -> Bool { close(descriptor) == 0 }

    /// The system's message for the last call that failed.
    package static func lastReason() -> String { reason(errno) }

    private static func reason(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }

    private func note(_ code: Int32) {
        // A reader that closes its pipe needs no more.
        guard code != EPIPE else { return }
        Self.problems.withLock { [descriptor] problems in
            if problems[descriptor] == nil { problems[descriptor] = code }
        }
    }

    /// The failure of the command if output was lost; nil if everything was written.
    ///
    /// Some systems report the error when the output is closed, so this closes it: call it last.
    package func lost() -> CommandFailure? {
        // A write that another thread still makes fails once this is closed. That is no loss: the
        // command has decided not to wait for it.
        let earlier = Self.problems.withLock { $0[descriptor] }
        guard let code = earlier ?? (close(descriptor) == 0 ? nil : errno) else { return nil }
        let name = descriptor == STDOUT_FILENO ? "Standard output" : "Standard error"
        return CommandFailure(.failed, "\(name) cannot be written: \(Self.reason(code)).")
    }
}

/// Writes to an output from a loop without blocking it when the reader is slow.
///
/// Confined to its loop. After the output has failed or was closed, everything further is dropped.
package final class OutputQueue {
    /// Called once when the output has failed.
    package var onBroken: (() -> Void)?

    private let loop: EventLoop
    private let output: Output
    private var waiting: [UInt8] = []
    private var isWriting = false
    private var isBroken = false
    private var isClosed = false
    private var drained: [() -> Void] = []

    package init(loop: EventLoop, output: Output = .standard) {
        self.loop = loop
        self.output = output
    }

    /// Whether a write is under way that closing the loop would wait for.
    package var isBusy: Bool { isWriting }

    package func write(_ bytes: [UInt8]) {
        guard !isBroken, !isClosed else { return }
        waiting += bytes
        writeOn()
    }

    /// Calls back when everything written so far has been accepted or dropped.
    package func whenDrained(_ then: @escaping () -> Void) {
        if !isWriting, waiting.isEmpty { return loop.nextTurn(then) }
        drained.append(then)
    }

    /// Drops what is written from now on, and calls back when everything before has been accepted or
    /// dropped.
    package func close(then: @escaping () -> Void) {
        isClosed = true
        whenDrained(then)
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
