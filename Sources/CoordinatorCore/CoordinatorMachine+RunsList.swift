// The list of runs: those in memory first, then those that are on disk only, the newest first. The
// connection that asked waits while the disk is read.

internal import Core
public import JSON
internal import Runs
public import Wire

/// A question for runs, the last part of whose answer is on disk.
public struct RunsQuestion: Sendable {
    /// Who asked.
    let connection: ConnectionID
    /// What was asked.
    let asked: Get
    /// The first part of the answer.
    let head: [RawJSON]
    /// Only runs that ended so.
    public var status: RunStatus? { asked.status }
    /// Only runs with this label.
    public var label: String? { asked.label }
    /// Only runs accepted since then, in milliseconds of Unix time.
    public var since: Int? { asked.since }
    /// Only runs before the one with this number on disk; nil for the newest.
    public let before: Int?
    /// How many at most.
    public let limit: Int
}

/// A run that has ended, as the disk has it.
public struct EndedRun: Sendable {
    /// Its number there; earlier ones have lower numbers.
    public let number: Int
    /// What was known of it at its end, as `NewRecord.summary` gave it.
    public let document: RawJSON

    /// A run of that number.
    public init(number: Int, document: RawJSON) {
        self.number = number
        self.document = document
    }
}

extension CoordinatorMachine {
    /// Positions from here on are those of runs on disk: `from` above it goes on before a number,
    /// which is less than this.
    private static let firstOnDisk = 1 << 40

    /// Answers a question for runs, now or when the disk was read.
    mutating func listRuns(_ get: Get, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        let from = max(get.from ?? 0, 0)
        let limit = max(get.limit ?? 100, 1)
        var head: [RawJSON] = []
        if from < Self.firstOnDisk {
            let (documents, next) = runsInMemory(get, from: from, limit: limit, turn.now)
            head = documents
            guard next == nil, head.count < limit, configuration.keepsRecords else {
                let onDisk = configuration.keepsRecords ? Self.firstOnDisk : nil
                return reply(get, head, next: next ?? onDisk, id, in: &turn)
            }
        }
        if get.status == .running { return reply(get, head, next: nil, id, in: &turn) }
        let question = RunsQuestion(
            connection: id,
            asked: get,
            head: head,
            before: from > Self.firstOnDisk ? Self.firstOnDisk * 2 - from : nil,
            limit: limit - head.count
        )
        turn.append(.pauseReading(id))
        turn.append(.listRuns(question))
    }

    /// The disk was read: the answer is complete, unless there are more runs than were asked for.
    mutating func passListed(
        _ question: RunsQuestion,
        _ runs: [EndedRun],
        in turn: inout CoordinatorTurn
    ) {
        let id = question.connection
        guard peers[id] != nil else { return }
        turn.append(.resumeReading(id))
        let time = unixMilliseconds(at: turn.now)
        var documents = question.head
        for run in runs { documents.append(run.document.aged(at: time)) }
        let isFull = runs.count == question.limit
        // Later pages have higher positions, and older runs lower numbers.
        let next = isFull ? runs.last.map { Self.firstOnDisk * 2 - $0.number } : nil
        reply(question.asked, documents, next: next, id, in: &turn)
    }

    /// What the list says of a run once it has ended.
    mutating func noteSummary(of run: Int, _ now: Instant) {
        guard configuration.keepsRecords else { return }
        let document = runs[run].state.document(at: now, isGrowing: false)
        journal.append(.summary(runs[run].id, document.json))
    }

    /// The runs that the disk does not have yet, or that have not ended; without a journal all.
    private func runsInMemory(
        _ get: Get,
        from: Int,
        limit: Int,
        _ now: Instant
    ) -> (documents: [RawJSON], next: Int?) {
        let ended = runs.finished.reversed().filter { id in
            guard configuration.keepsRecords, let slot = runs.slot(of: id) else { return true }
            return runs[slot].endPosition > journal.written
        }
        let newestFirst = [AnySequence(runs.active.newestFirst), AnySequence(ended)].joined()
        var documents: [RawJSON] = []
        var work = PageWork()
        var position = 0
        for id in newestFirst {
            defer { position += 1 }
            guard position >= from, let slot = runs.slot(of: id) else { continue }
            guard documents.count < limit, !work.isUsedUp else { return (documents, position) }
            work.look(8)
            guard runs[slot].state.matches(get) else { continue }
            let isGrowing = runs[slot].author != nil
            documents.append(runs[slot].state.document(at: now, isGrowing: isGrowing).json)
            work.write(bytes: documents[documents.count - 1].count)
        }
        return (documents, nil)
    }

    private mutating func reply(
        _ get: Get,
        _ documents: [RawJSON],
        next: Int?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        var writer = JSONWriter(reserving: 256)
        writer.beginArray()
        for document in documents { writer.raw(document) }
        writer.endArray()
        let data = JSONPieces(RawJSON(trusted: writer.bytes[...]))
        reply(get, data, next: next, id, in: &turn)
    }
}

extension Run {
    /// Whether a question for runs asks for this one.
    fileprivate func matches(_ get: Get) -> Bool {
        if let status = get.status, status != self.status { return false }
        if let label = get.label, label != acceptance.label { return false }
        return get.since.map { acceptance.unixMilliseconds >= $0 } ?? true
    }
}

extension RawJSON {
    /// The document of a run as it is at a time, in milliseconds of Unix time.
    fileprivate func aged(at time: Int) -> RawJSON {
        guard var document = try? RunDocument(decoding: self) else { return self }
        if let started = document.startedAt {
            document.ageMilliseconds = max(time - started.milliseconds, 0)
        }
        return document.json
    }
}
