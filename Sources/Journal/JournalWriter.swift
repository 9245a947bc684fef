// Writing to the journal without waiting for the disk: entries collect while a thread of its own
// writes those before them, so that one wait for the disk confirms many. Reading is done on another
// thread with a connection of its own.

public import Core
public import UVLoop

/// Writes a journal from a loop; confined to the loop's thread.
///
/// Positions count the entries that were ever appended. After ``onProblem`` with another kind than
/// `full` nothing more is written.
public final class JournalWriter {
    /// Called with a position after all entries up to there are on the disk.
    public var onWritten: (Int) -> Void = { _ in }
    /// Called when writing fails.
    ///
    /// With a full disk the entries are kept and writing is tried again each second; ``onWritten``
    /// tells that it goes on. Anything else is for good.
    public var onProblem: (JournalError) -> Void = { _ in }

    /// The position after the last appended entry.
    public private(set) var appended = 0
    /// The position up to which everything is on the disk.
    public private(set) var written = 0

    private let loop: EventLoop
    private let writing: Connection
    private let reading: Connection
    private var waiting: [JournalEntry] = []
    private var state = State.idle
    private var closing: ((JournalError?) -> Void)?
    private var flushes: [(position: Int, then: (JournalError?) -> Void)] = []
    private var retry: Timer?

    private enum State {
        case idle
        case writing
        /// The disk was full at the last attempt.
        case full(JournalError)
        /// The same, and another attempt is under way.
        case retrying
        case failed(JournalError)
        case closed
    }

    /// Goes on with an open journal; a second connection is opened when something is read first.
    public init(loop: EventLoop, file: sending JournalFile) throws(UVError) {
        self.loop = loop
        let path = file.path
        writing = try Connection(name: "weft-journal", path: path, file)
        reading = try Connection(name: "weft-history", path: path, nil)
        retry = Timer(loop: loop) { [weak self] in self?.tryAgain() }
    }

    // MARK: - Writing

    /// Appends entries, and returns the position after them.
    @discardableResult
    public func append(_ entries: [JournalEntry]) -> Int {
        precondition(closing == nil, "entries were appended to a closed journal")
        appended += entries.count
        switch state {
        case .failed, .closed: break
        case .idle:
            waiting += entries
            writeWaiting()
        case .writing, .retrying, .full: waiting += entries
        }
        return appended
    }

    /// Calls a closure when all entries so far are on the disk, or with what keeps them from it for
    /// good.
    public func flush(then: @escaping (JournalError?) -> Void) {
        if case .failed(let problem) = state { return loop.nextTurn { then(problem) } }
        guard written < appended else { return loop.nextTurn { then(nil) } }
        flushes.append((appended, then))
    }

    /// Writes what waits, closes the file and calls a closure, with what is wrong if not all was
    /// written.
    ///
    /// A full disk is tried once more. Nothing may be appended any more.
    public func close(then: @escaping (JournalError?) -> Void) {
        precondition(closing == nil, "a journal was closed twice")
        closing = then
        switch state {
        case .idle, .failed: finishClosing()
        case .full: tryAgain()
        case .writing, .retrying, .closed: break
        }
    }

    private func writeWaiting() {
        guard !waiting.isEmpty else { return }
        if case .full = state { state = .retrying } else { state = .writing }
        let entries = waiting
        waiting = []
        writing.use(on: loop) { (file) throws(JournalError) in
            try file.write(entries)
        } then: { [self] result in
            switch result {
            case .success: confirm(entries.count)
            case .failure(let problem): handle(problem, entries)
            }
        }
    }

    private func confirm(_ count: Int) {
        state = .idle
        written += count
        // What follows is written while the caller deals with what was.
        writeWaiting()
        onWritten(written)
        while let flush = flushes.first, flush.position <= written {
            flushes.removeFirst()
            flush.then(nil)
        }
        if closing != nil, case .idle = state { finishClosing() }
    }

    private func handle(_ problem: JournalError, _ entries: [JournalEntry]) {
        guard problem.kind == .full, closing == nil else { return fail(problem) }
        waiting = entries + waiting
        let isKnown = if case .retrying = state { true } else { false }
        state = .full(problem)
        retry?.schedule(after: .seconds(1))
        if !isKnown { onProblem(problem) }
    }

    private func tryAgain() {
        if case .full = state { writeWaiting() }
    }

    private func fail(_ problem: JournalError) {
        state = .failed(problem)
        waiting = []
        onProblem(problem)
        let flushes = flushes
        self.flushes = []
        for flush in flushes { flush.then(problem) }
        if closing != nil { finishClosing() }
    }

    private func finishClosing() {
        guard let then = closing else { return }
        var problem: JournalError?
        switch state {
        case .closed: return
        case .failed(let found): problem = found
        default: break
        }
        state = .closed
        retry?.close()
        retry = nil
        reading.close(on: loop) { [self] in
            writing.close(on: loop) { then(problem) }
        }
    }

    // MARK: - Forgetting

    /// Removes a run that has ended, and tells whether there was one of that name.
    public func forget(_ run: RunID, then: @escaping (Result<Bool, JournalError>) -> Void) {
        writing.use(on: loop) { (file) throws(JournalError) in
            try file.forget(run)
        } then: { [self] result in
            failIfBroken(result)
            then(result)
        }
    }

    /// Removes runs that ended before a time, in milliseconds of Unix time, and then the oldest ones
    /// until those that have ended keep at most so many bytes; tells which.
    ///
    /// Entries are written meanwhile.
    public func prune(
        endedBefore time: Int?,
        keepingBytes: Int?,
        then: @escaping (Result<[RunID], JournalError>) -> Void
    ) {
        prune(time, keepingBytes, removed: [], then)
    }

    private func prune(
        _ time: Int?,
        _ keepingBytes: Int?,
        removed: [RunID],
        _ then: @escaping (Result<[RunID], JournalError>) -> Void
    ) {
        writing.use(on: loop) { (file) throws(JournalError) in
            try file.prune(endedBefore: time, keepingBytes: keepingBytes)
        } then: { [self] result in
            failIfBroken(result)
            switch result {
            case .success(let step) where step.isDone || closing != nil:
                then(.success(removed + step.runs))
            case .success(let step):
                prune(time, keepingBytes, removed: removed + step.runs, then)
            case .failure(let problem): then(.failure(problem))
            }
        }
    }

    /// After a failed disk nothing more is written, whatever found it.
    private func failIfBroken<Value>(_ result: Result<Value, JournalError>) {
        guard case .failure(let problem) = result, problem.kind != .full else { return }
        switch state {
        case .failed, .closed: return
        case .idle, .full: fail(problem)
        // What is under way will find the same.
        case .writing, .retrying: return
        }
    }

    // MARK: - Reading

    /// Reads on another thread, with a connection of its own, and passes what was found to `then`.
    ///
    /// It finds everything that `onWritten` confirmed.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (JournalFile) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    ) {
        reading.use(on: loop, body, then: then)
    }
}

@available(*, unavailable)
extension JournalWriter: Sendable {}

/// A connection to the file, with the thread that uses it.
private struct Connection {
    private let path: String
    private let thread: SerialThread
    private let file: Locked<JournalFile?>

    init(name: String, path: String, _ file: sending JournalFile?) throws(UVError) {
        self.path = path
        thread = try SerialThread(name: name)
        self.file = Locked(file)
    }

    /// Uses the connection on its thread; it is opened for reading if it is not open.
    func use<Value: Sendable>(
        on loop: EventLoop,
        _ body: @escaping @Sendable (JournalFile) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    ) {
        let path = path
        let file = file
        loop.run(on: thread) {
            file.withLock { file -> Result<Value, JournalError> in
                do throws(JournalError) {
                    let opened: JournalFile
                    if let file {
                        opened = file
                    } else {
                        opened = try JournalFile(path: path, .reading)
                        file = opened
                    }
                    return .success(try body(opened))
                } catch {
                    return .failure(error)
                }
            }
        } then: {
            then($0)
        }
    }

    func close(on loop: EventLoop, then: @escaping () -> Void) {
        let file = file
        loop.run(on: thread) {
            file.withLock { $0 = nil }
        } then: {
            then()
        }
    }
}
