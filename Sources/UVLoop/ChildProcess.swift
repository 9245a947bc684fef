// A child process: its pipes, its group, and the report of its end. Not here: starting it
// (ChildProcess+Spawn), the meaning of its output, time limits.
internal import CLibuv
internal import Glibc

/// A child process, usually in a session of its own; lives until its end has been reported.
public final class ChildProcess {
    /// The descriptor that a piece of output was written to.
    public enum Stream: Sendable, Hashable {
        /// Descriptor 1 of the child.
        case standardOutput
        /// Descriptor 2 of the child.
        case standardError
    }

    /// How a child ended.
    public struct ExitStatus: Sendable, Hashable {
        /// The exit code; 0 when a signal ended the child.
        public var code: Int
        /// The signal that ended the child; 0 for none.
        public var signal: Int
        /// Limits of its confinement that the child has reached.
        public var reached: Confinement.Reached

        /// Makes a status.
        public init(code: Int, signal: Int = 0, reached: Confinement.Reached = []) {
            self.code = code
            self.signal = signal
            self.reached = reached
        }

        /// Whether the child exited by itself with code 0.
        public var isSuccess: Bool { code == 0 && signal == 0 }
    }

    /// The process number, which is also that of the child's group and session.
    public let pid: Int32
    /// Called each time input written with `writeInput` has been accepted completely, after a wait.
    public var onInputDrained: (() -> Void)?

    let loop: EventLoop
    private let parent: Parent
    private let ownsGroup: Bool
    private var input: ByteStream?
    private var outputs: [ByteStream] = []
    private var errorOutput: ByteStream?
    private var onOutput: ((Stream, [UInt8]) -> Void)?
    private var onExit: ((ExitStatus) -> Void)?
    private var status: ExitStatus?
    private var isProcessClosed = false
    private var isPaused = false
    private var closesInputAfterWriting = false
    /// Set while pipes outlive the child.
    private(set) var escapeTimer: Timer?
    private var isEscapeTimeUp = false

    /// The process that waits for the child: this one, or a keeper.
    private enum Parent {
        case us(HandleMemory)
        case keeper(KeeperProcess, id: UInt64)
    }

    init(
        loop: EventLoop,
        memory: HandleMemory,
        ownsGroup: Bool,
        onOutput: @escaping (Stream, [UInt8]) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) {
        self.loop = loop
        parent = .us(memory)
        self.ownsGroup = ownsGroup
        self.onOutput = onOutput
        self.onExit = onExit
        pid = uv_process_get_pid(memory.process)
        memory.retain(self)
        loop.childrenAlive += 1
    }

    init(
        loop: EventLoop,
        started: KeeperProcess.Started,
        onOutput: @escaping (Stream, [UInt8]) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) {
        self.loop = loop
        parent = .keeper(started.keeper, id: started.id)
        ownsGroup = true
        self.onOutput = onOutput
        self.onExit = onExit
        pid = started.pid
        started.keeper.adopt(self, started.id)
    }

    /// Sends a signal to the child alone; does nothing once it has ended.
    public func signal(_ signal: Int32) {
        loop.assertOnLoop()
        // libuv has already waited for an ended child, so its number may belong to another process.
        guard status == nil else { return }
        switch parent {
        case .us: kill(pid, signal)
        case .keeper(let keeper, let id): keeper.signal(id, signal, isGroup: false)
        }
    }

    /// Sends a signal to the child and its whole group; does nothing once the child has ended.
    ///
    /// A child without its own session has no group of its own, so only the child gets it. SIGKILL
    /// to a child of a keeper reaches all processes that it has started.
    public func signalGroup(_ signal: Int32) {
        loop.assertOnLoop()
        guard status == nil else { return }
        switch parent {
        case .us: kill(ownsGroup ? -pid : pid, signal)
        case .keeper(let keeper, let id): keeper.signal(id, signal, isGroup: true)
        }
    }

    /// Writes bytes to the child's input; they are dropped if the input is closed or the child has
    /// ended.
    public func writeInput(_ bytes: [UInt8]) {
        loop.assertOnLoop()
        guard !closesInputAfterWriting, let input else { return }
        var bytes = bytes
        input.write(&bytes)
    }

    /// Ends the child's input when all written bytes have been accepted.
    public func closeInput() {
        loop.assertOnLoop()
        closesInputAfterWriting = true
        if let input, input.unsentBytes == 0 { dropInput() }
    }

    /// Bytes of input not yet accepted by the system.
    public var unsentInputBytes: Int {
        loop.assertOnLoop()
        return input?.unsentBytes ?? 0
    }

    /// Reads now the standard error output so far, up to 1 MiB.
    ///
    /// Otherwise the order of reading between the two outputs is not defined.
    public func readErrorsNow() {
        loop.assertOnLoop()
        errorOutput?.readNow(atMost: 1 << 20)
    }

    /// Bytes of input that an ended child has not read; all of them if it closed its input before.
    public private(set) var unreadInputBytes = 0

    /// Reads no output until `resumeOutput`; the child waits when its pipes are full.
    ///
    /// The end of a child whose output is paused is reported after resuming.
    public func pauseOutput() {
        loop.assertOnLoop()
        isPaused = true
        for output in outputs { output.stopReading() }
        escapeTimer?.cancel()
        isEscapeTimeUp = false
    }

    /// Reads output again after `pauseOutput`.
    public func resumeOutput() {
        loop.assertOnLoop()
        guard isPaused else { return }
        isPaused = false
        for output in outputs { output.startReading() }
        if status != nil { waitForEscapees() }
    }

    // MARK: - Pipes

    func attachInput(_ stream: ByteStream) {
        input = stream
        stream.onWritten = { [self] code in inputWritten(code) }
    }

    func attachOutput(_ stream: ByteStream, as source: Stream) {
        outputs.append(stream)
        if source == .standardError { errorOutput = stream }
        stream.onBytes = { [self] bytes in onOutput?(source, bytes) }
        stream.onReadEnd = { [self] _ in
            stream.close()
            outputs.removeAll { $0 === stream }
            if errorOutput === stream { errorOutput = nil }
            reportIfOver()
        }
        stream.onLoopClosing = { [self] in
            // When the child has ended, its pipes are the only open handles left.
            if status != nil { dropCallbacks() }
        }
        stream.startReading()
    }

    private func inputWritten(_ code: Int32) {
        // A child need not read its input; its exit code tells whether it failed.
        guard code == 0 else { return dropInput() }
        onInputDrained?()
        if closesInputAfterWriting, input?.unsentBytes == 0 { dropInput() }
    }

    private func dropInput() {
        input?.close()
        input = nil
    }

    // MARK: - The end

    func exited(_ exit: ExitStatus) {
        status = exit
        unreadInputBytes = input?.unreadBytes ?? .max
        if case .us = parent {
            loop.childrenAlive -= 1
            closeProcess()
            // While members are left, no other group gets the number, so this cannot hit another
            // group.
            if ownsGroup { kill(-pid, SIGKILL) }
        }
        dropInput()
        guard loop.phase == .open else { return }
        if !outputs.isEmpty, !isPaused { waitForEscapees() }
        reportIfOver()
    }

    /// Gives pipes 250 ms to end: only a process that left the group can still hold them.
    private func waitForEscapees() {
        guard !outputs.isEmpty else { return }
        let timer = escapeTimer ?? Timer(loop: loop) { [self] in escapeTimerFired() }
        escapeTimer = timer
        isEscapeTimeUp = false
        timer.schedule(after: .milliseconds(250))
    }

    private func escapeTimerFired() {
        guard isEscapeTimeUp else {
            // On a busy loop the timer may fire before the loop has read the pipes, because timers
            // come before input; one more turn reads them.
            isEscapeTimeUp = true
            escapeTimer?.schedule(after: .zero)
            return
        }
        for output in outputs { output.close() }
        outputs = []
        errorOutput = nil
        reportIfOver()
    }

    private func reportIfOver() {
        guard let status, outputs.isEmpty, let onExit else { return }
        dropCallbacks()
        onExit(status)
    }

    private func dropCallbacks() {
        onOutput = nil
        onExit = nil
        onInputDrained = nil
        escapeTimer?.close()
        escapeTimer = nil
    }

    private func closeProcess() {
        guard case .us(let memory) = parent, !isProcessClosed else { return }
        isProcessClosed = true
        memory.close()
    }

    /// Releases callbacks and pipes when the loop closes; the keeper kills the rest of a kept
    /// child.
    func dropEverything() {
        dropCallbacks()
        dropInput()
        for output in outputs { output.close() }
        outputs = []
        errorOutput = nil
    }
}

extension ChildProcess: HandleOwner {
    /// The first call kills the child and keeps the handle to wait for its end; the second one
    /// closes it.
    func closeWithLoop() {
        guard onExit != nil else { return closeProcess() }
        signalGroup(SIGKILL)
        dropEverything()
    }
}

@available(*, unavailable)
extension ChildProcess: Sendable {}

func childExited(
    _ handle: UnsafeMutablePointer<uv_process_t>?,
    _ code: Int64,
    _ signal: Int32
) {
    guard let data = handle?.pointee.data else { return }
    let status = ChildProcess.ExitStatus(code: Int(code), signal: Int(signal))
    owner(data, as: ChildProcess.self).exited(status)
}
