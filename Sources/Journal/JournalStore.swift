// What the writer of a journal needs of the store that keeps it: a file of SQLite, or PostgreSQL.

package import Core
internal import UVLoop

/// A store that is written from a loop, by one coordinator.
package protocol JournalStore: AnyObject {
    /// Called when the store failed for good apart from a call.
    var onFailure: (JournalError) -> Void { get set }
    /// Until when what the coordinator says counts, in nanoseconds of the loop: later another one may
    /// lead. `Int64.max` if there is no other.
    var validUntil: Int64 { get }

    /// Writes entries as a whole; comes again only after the answer.
    func write(
        _ entries: [JournalEntry],
        then: @escaping (Result<Void, JournalError>) -> Void
    )

    /// Removes a run that has ended, and tells whether there was one of that name.
    func forget(_ run: RunID, then: @escaping (Result<Bool, JournalError>) -> Void)

    /// Does a part of removing what is not kept any longer.
    func prune(
        endedBefore time: Int?,
        keepingBytes: Int?,
        then: @escaping (Result<JournalFile.Pruned, JournalError>) -> Void
    )

    /// Reads on another thread; it finds everything that was written.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any JournalReading) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    )

    /// Ends its connections and calls back.
    func close(then: @escaping () -> Void)
}

/// A file of SQLite: one thread writes it, and another one reads it with a connection of its own, so
/// that a long read delays no commit.
final class FileStore: JournalStore {
    var onFailure: (JournalError) -> Void = { _ in }
    var validUntil: Int64 { .max }

    private let loop: EventLoop
    private let writing: ThreadConnection<JournalFile>
    private let reading: ThreadConnection<JournalFile>

    /// Goes on with an open journal; a second connection is opened when something is read first.
    init(loop: EventLoop, file: sending JournalFile) throws(UVError) {
        self.loop = loop
        let path = file.path
        writing = try ThreadConnection(name: "weft-journal", file) { () throws(JournalError) in
            try JournalFile(path: path)
        }
        reading = try ThreadConnection(name: "weft-history", nil) { () throws(JournalError) in
            try JournalFile(path: path, .reading)
        }
    }

    func write(
        _ entries: [JournalEntry],
        then: @escaping (Result<Void, JournalError>) -> Void
    ) {
        writing.use(
            on: loop,
            { (file) throws(JournalError) in try file.write(entries) },
            then: then
        )
    }

    func forget(_ run: RunID, then: @escaping (Result<Bool, JournalError>) -> Void) {
        writing.use(on: loop, { (file) throws(JournalError) in try file.forget(run) }, then: then)
    }

    func prune(
        endedBefore time: Int?,
        keepingBytes: Int?,
        then: @escaping (Result<JournalFile.Pruned, JournalError>) -> Void
    ) {
        writing.use(
            on: loop,
            { (file) throws(JournalError) in
                try file.prune(endedBefore: time, keepingBytes: keepingBytes)
            },
            then: then
        )
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any JournalReading) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    ) {
        reading.use(on: loop, { (file) throws(JournalError) in try body(file) }, then: then)
    }

    func close(then: @escaping () -> Void) {
        reading.close(on: loop) { [self] in
            writing.close(on: loop, then: then)
        }
    }
}
