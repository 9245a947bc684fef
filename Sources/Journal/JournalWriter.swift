// Writing to the journal without waiting for the disk: entries collect while those before them are
// written, so that one wait for the disk confirms many. Not here: what keeps them (JournalStore).

package import Core
package import Metrics
package import UVLoop

/// Writes a journal from a loop; confined to the loop's thread.
///
/// Positions count the entries that were ever appended. After ``onProblem`` with another kind than
/// `full` nothing more is written.
package final class JournalWriter {
    /// Called with a position after all entries up to there are on the disk.
    package var onWritten: (Int) -> Void = { _ in }
    /// Called when writing fails.
    ///
    /// With a full disk the entries are kept and writing is tried again each second; ``onWritten``
    /// tells that it goes on. Anything else is for good.
    package var onProblem: (JournalError) -> Void = { _ in }

    /// The position after the last appended entry.
    package private(set) var appended = 0
    /// The position up to which everything is on the disk.
    package private(set) var written = 0

    /// Until when what the coordinator says counts; see ``JournalStore/validUntil``.
    package var validUntil: Int64 { store.validUntil }

    /// How long it took to write entries and to know that they are on the disk.
    package private(set) var writeTimes = Histogram()
    /// How long the oldest entry has waited that is not on the disk, in microseconds.
    package var lagMicroseconds: Int {
        waitingSince.map { Int(loop.nowNanoseconds - $0) / 1_000 } ?? 0
    }
    /// When the oldest entry was appended that is not on the disk, in nanoseconds of the loop, and
    /// the oldest of those that are not being written.
    private var waitingSince: Int64?
    private var nextSince: Int64?

    private let loop: EventLoop
    private let store: any JournalStore
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

    /// Goes on with an open journal in a file.
    package convenience init(loop: EventLoop, file: sending JournalFile) throws(UVError) {
        self.init(loop: loop, store: try FileStore(loop: loop, file: file))
    }

    /// Goes on with a journal that no other writer has.
    package init(loop: EventLoop, store: any JournalStore) {
        self.loop = loop
        self.store = store
        retry = Timer(loop: loop) { [weak self] in self?.tryAgain() }
        store.onFailure = { [weak self] in self?.failApart($0) }
    }

    // MARK: - Writing

    /// Appends entries, and returns the position after them.
    @discardableResult
    package func append(_ entries: [JournalEntry]) -> Int {
        precondition(closing == nil, "entries were appended to a closed journal")
        appended += entries.count
        if nextSince == nil { nextSince = loop.nowNanoseconds }
        if waitingSince == nil { waitingSince = nextSince }
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
    package func flush(then: @escaping (JournalError?) -> Void) {
        if case .failed(let problem) = state { return loop.nextTurn { then(problem) } }
        guard written < appended else { return loop.nextTurn { then(nil) } }
        flushes.append((appended, then))
    }

    /// Writes what waits, closes the file and calls a closure, with what is wrong if not all was
    /// written.
    ///
    /// A full disk is tried once more. Nothing may be appended any more.
    package func close(then: @escaping (JournalError?) -> Void) {
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
        nextSince = nil
        let start = loop.nowNanoseconds
        store.write(entries) { [self] result in
            switch result {
            case .success:
                writeTimes.observe(microseconds: Int(loop.nowNanoseconds - start) / 1_000)
                waitingSince = nextSince
                confirm(entries.count)
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
        store.close { then(problem) }
    }

    // MARK: - Forgetting

    /// Removes a run that has ended, and tells whether there was one of that name.
    package func forget(_ run: RunID, then: @escaping (Result<Bool, JournalError>) -> Void) {
        store.forget(run) { [self] result in
            failIfBroken(result)
            then(result)
        }
    }

    /// Removes runs that ended before a time, in milliseconds of Unix time, and then the oldest ones
    /// until those that have ended keep at most so many bytes; tells which.
    ///
    /// Entries are written meanwhile.
    package func prune(
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
        store.prune(endedBefore: time, keepingBytes: keepingBytes) { [self] result in
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
        guard case .failure(let problem) = result, problem.kind != .full,
            problem.kind != .unreachable
        else { return }
        switch state {
        case .failed, .closed: return
        case .idle, .full: fail(problem)
        // What is under way will find the same.
        case .writing, .retrying: return
        }
    }

    /// The store failed, and answers what is under way with that.
    private func failApart(_ problem: JournalError) {
        switch state {
        case .idle, .full: fail(problem)
        case .writing, .retrying, .failed, .closed: break
        }
    }

    // MARK: - Reading

    /// Reads on another thread, with a connection of its own, and passes what was found to `then`.
    ///
    /// It finds everything that `onWritten` confirmed.
    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any JournalReading) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    ) {
        store.read(body, then: then)
    }
}

@available(*, unavailable)
extension JournalWriter: Sendable {}
