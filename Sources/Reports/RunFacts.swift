// What the answers of a coordinator tell of a run, as one value that reports are made of. Not here:
// asking for them.

package import Core
internal import JSON
internal import Runs
package import Wire

/// A run with its nodes, in the order of the plan; times are microseconds since it was accepted.
package struct RunFacts: Sendable, Equatable {
    /// The run as a whole.
    package var run: RunDocument
    /// Its nodes.
    package var nodes: [NodeFacts]

    /// Collects facts.
    ///
    /// The document should be asked for after the nodes, so that nothing is later than its end.
    package init(run: RunDocument, nodes: [NodeFacts]) {
        self.run = run
        self.nodes = nodes
        let wall = run.timing.wall
        for node in self.nodes.indices { self.nodes[node].closeAttempts(at: wall) }
    }
}

/// One node of a run.
package struct NodeFacts: Sendable, Equatable {
    /// Its name.
    package var id: NodeID
    /// The tool that it calls.
    package var tool: String
    /// Where it stands.
    package var status: NodeStatus
    /// Why it has no output, if it has none.
    package var error: Failure?
    /// The length of its output as JSON, in bytes.
    package var outputBytes: Int
    /// Attempts without those that surely never ran.
    package var tries: Int
    /// The attempts that are known, the oldest first; without a story, the latest one only.
    package var attempts: [AttemptFacts] = []
    /// The nodes whose outputs it needs, as far as they were asked for.
    package var dependencies: [NodeID] = []
    /// When it first became ready.
    package var readyAt: Int?
    /// How long it waited for a person's approval.
    package var approval = 0

    /// The facts of an entry of `nodes`.
    package init(_ id: NodeID, _ document: NodeDocument) {
        self.id = id
        tool = document.tool
        status = document.status
        error = document.error
        outputBytes = document.output?.count ?? 0
        tries = document.attempts
        guard document.attempts > 0, let ready = document.readyAt, let queued = document.queued
        else { return }
        readyAt = ready
        let leftAt = ready + queued
        // A node that waits for another attempt has the times of the one that is to come.
        guard status.isTerminal || status == .running || status == .sent || status == .cancelling
        else { return }
        attempts = [
            AttemptFacts(
                number: document.attempts,
                worker: document.worker ?? "?",
                readyAt: ready,
                dispatchedAt: leftAt,
                endedAt: document.turnaround.map { leftAt + $0 },
                work: document.run,
                outcome: AttemptFacts.Outcome(status),
                error: document.error
            )
        ]
    }

    /// Whether the story has more than the entry of `nodes` has.
    package var hasMoreToTell: Bool { tries > 1 }

    /// When its last attempt ended; nil without one that has.
    package var endedAt: Int? { attempts.last?.endedAt }

    /// Takes over what the story of the node has.
    package mutating func add(_ story: StoryDocument) {
        guard story.isComplete else { return }
        var reader = StoryReader()
        for text in story.records {
            // A record of a later version says nothing here.
            guard let record = try? RunRecord(decoding: text) else { continue }
            reader.read(record)
        }
        add(reader)
    }

    /// Takes over what the story of all nodes has.
    package static func add(_ story: StoryDocument, to nodes: inout [NodeFacts]) {
        guard story.isComplete else { return }
        var readers = [StoryReader](repeating: StoryReader(), count: nodes.count)
        for text in story.records {
            guard let record = try? RunRecord(decoding: text), let node = record.change.node,
                nodes.indices.contains(node)
            else { continue }
            readers[node].read(record)
        }
        for (node, reader) in readers.enumerated() { nodes[node].add(reader) }
    }

    private mutating func add(_ reader: StoryReader) {
        readyAt = reader.firstReadyAt ?? readyAt
        approval = reader.approval
        if !reader.attempts.isEmpty { attempts = reader.attempts }
    }

    /// Ends attempts that have no end yet with the run, and none later than it.
    fileprivate mutating func closeAttempts(at wall: Int) {
        for index in attempts.indices {
            let start = min(attempts[index].dispatchedAt, wall)
            let end = max(min(attempts[index].endedAt ?? wall, wall), start)
            attempts[index].dispatchedAt = start
            attempts[index].readyAt = min(attempts[index].readyAt, start)
            attempts[index].endedAt = end
            attempts[index].work = min(attempts[index].work ?? end - start, end - start)
        }
    }
}

/// One attempt of a node.
package struct AttemptFacts: Sendable, Equatable {
    /// How an attempt ended.
    package enum Outcome: String, Sendable {
        case succeeded, failed, cancelled, retried, running

        init(_ status: NodeStatus) {
            switch status {
            case .succeeded: self = .succeeded
            case .failed: self = .failed
            case .cancelled, .skipped: self = .cancelled
            default: self = .running
            }
        }
    }

    /// Its number, from 1.
    package var number: Int
    /// The worker that it went to.
    package var worker: String
    /// When the node became ready for it.
    package var readyAt: Int
    /// When it left for the worker.
    package var dispatchedAt: Int
    /// When the coordinator learned of its end; nil only until the facts of the run are complete.
    package var endedAt: Int?
    /// How long the tool ran; nil only until the facts of the run are complete.
    package var work: Int?
    /// How it ended.
    package var outcome: Outcome
    /// Why it failed, if it did.
    package var error: Failure?

    /// Makes the facts of an attempt.
    package init(
        number: Int,
        worker: String,
        readyAt: Int,
        dispatchedAt: Int,
        endedAt: Int? = nil,
        work: Int? = nil,
        outcome: Outcome,
        error: Failure? = nil
    ) {
        self.number = number
        self.worker = worker
        self.readyAt = readyAt
        self.dispatchedAt = dispatchedAt
        self.endedAt = endedAt
        self.work = work
        self.outcome = outcome
        self.error = error
    }

    /// Its end.
    var end: Int { endedAt ?? dispatchedAt }

    /// When its tool began: its working time before its end, because workers tell how long a tool
    /// ran, not when.
    var start: Int { end - (work ?? 0) }
}
