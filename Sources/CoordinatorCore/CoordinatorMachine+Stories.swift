// What happened to one node, or to all: the story, and what a tool wrote. Both are records; with a
// journal they are read from there, and the connection that asked waits meanwhile.

public import Core
internal import DequeModule
internal import JSON
internal import Plans
public import Runs
internal import Wire

/// A question for records of nodes that are on disk.
public struct NodeQuestion: Sendable {
    /// Who asked.
    let connection: ConnectionID
    /// What was asked.
    let asked: Get
    /// What its tool wrote and is in no record yet.
    let held: [(attempt: Int32, text: ToolText)]
    /// The run.
    public let run: RunID
    /// The node, by its position in the plan; nil for all.
    public let node: Int?
    /// The position among the records of the run to begin with.
    public let from: Int
    /// How many records at most, about.
    public let limit: Int

    /// Whether a record belongs to the answer.
    public func wants(_ record: RunRecord) -> Bool {
        guard let about = record.change.node, about == node ?? about else { return false }
        return record.change.isToolText == (asked.what == .logs)
    }
}

extension CoordinatorMachine {
    /// Answers a question for the story of a node or all nodes, or for the log of a node, now or when
    /// the disk was read.
    mutating func tellNode(
        _ get: Get,
        _ run: Int,
        _ node: Int?,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let from = max(get.from ?? 0, 0)
        let limit = max(get.limit ?? 1_000, 1)
        // While nothing can be written, memory knows more of a story than the disk.
        let isInMemory = get.what == .story && (runs[run].log.isWhole || journal.isStalled)
        if configuration.keepsRecords, !isInMemory {
            let question = NodeQuestion(
                connection: id,
                asked: get,
                held: node.map { runs[run].texts.held(of: $0) } ?? [],
                run: runs[run].id,
                node: node,
                from: from,
                limit: limit
            )
            turn.append(.pauseReading(id))
            turn.append(.readNode(question))
            return
        }
        let page: (data: JSONPieces, next: Int?)
        if get.what == .logs, let node {
            let written = runs[run].texts.kept.filter { $0.change.node == node }
            let document = logDocument(run, node, written, runs[run].texts.held(of: node))
            page = (JSONPieces(document.json), nil)
        } else {
            page = storyPage(run, node, from: from, limit: limit)
        }
        reply(get, page.data, next: page.next, id, in: &turn)
    }

    /// The disk was read; nil if it does not have the run.
    mutating func passNode(
        _ question: NodeQuestion,
        _ records: [RunRecord]?,
        next: Int?,
        in turn: inout CoordinatorTurn
    ) {
        let id = question.connection
        guard peers[id] != nil else { return }
        turn.append(.resumeReading(id))
        guard let run = runs.slot(of: question.run) else {
            let request = question.asked.request
            return unknownRun(question.run, request: request, id, in: &turn)
        }
        let get = question.asked
        let data: RawJSON
        if get.what == .logs, let node = question.node {
            let held = next == nil ? question.held : []
            data = logDocument(run, node, records ?? [], held).json
        } else {
            data = storyDocument(run, question.node, isComplete: records != nil, records ?? []).json
        }
        reply(get, JSONPieces(data), next: next, id, in: &turn)
    }

    // MARK: - Stories

    /// A page of the records of a node or all, the oldest first; `from` counts the kept records of the
    /// run.
    private func storyPage(
        _ run: Int,
        _ node: Int?,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        let log = runs[run].log
        var position = min(from, log.entries.count)
        var records: [RunRecord] = []
        var work = PageWork()
        while position < log.entries.count, records.count < limit, !work.isUsedUp {
            defer { position += 1 }
            work.look()
            let entry = log.entries[position]
            guard let about = entry.node, about == node ?? about,
                let record = runs[run].state.record(of: entry)
            else { continue }
            work.write(bytes: 100)
            records.append(record)
        }
        let story = storyDocument(run, node, isComplete: log.isWhole, records)
        return (JSONPieces(story.json), position < log.entries.count ? position : nil)
    }

    private func storyDocument(
        _ run: Int,
        _ node: Int?,
        isComplete: Bool,
        _ records: [RunRecord]
    ) -> StoryDocument {
        StoryDocument(
            run: runs[run].id,
            node: node.map { runs[run].state.plan[$0].id },
            isComplete: isComplete,
            records: records.map { RunRecord(at: $0.at, $0.change.withoutPayload).document }
        )
    }

    // MARK: - Logs

    private func logDocument(
        _ run: Int,
        _ node: Int,
        _ records: [RunRecord],
        _ held: [(attempt: Int32, text: ToolText)]
    ) -> LogDocument {
        var entries: [LogDocument.Entry] = []
        // What was held when the question came may be on disk by now.
        var ends: [Int32: Int] = [:]
        for record in records {
            guard case .toolWrote(_, let attempt, let text) = record.change else { continue }
            ends[attempt] = text.offset + text.bytes.count
            entries.append(LogDocument.Entry(attempt, text))
        }
        for (attempt, text) in held where text.offset >= ends[attempt] ?? 0 {
            entries.append(LogDocument.Entry(attempt, text))
        }
        return LogDocument(
            run: runs[run].id,
            node: runs[run].state.plan[node].id,
            entries: entries
        )
    }
}

extension LogDocument.Entry {
    fileprivate init(_ attempt: Int32, _ text: ToolText) {
        self.init(
            attempt: Int(attempt),
            output: ToolOutput(stream: text.stream, bytes: text.bytes),
            isCut: text.isCut
        )
    }
}

extension RunChange {
    /// Whether it is what a tool wrote.
    fileprivate var isToolText: Bool {
        if case .toolWrote = self { true } else { false }
    }
}
