// The fold of each run's records, kept beside the coordinator: a run is what its records say, no more
// and no less, after every turn, and watchers hear of nothing that is in no record.

import Core
import Plans
import Runs
import Wire

@testable import CoordinatorCore

/// Runs made of nothing but their records.
struct RecordFold {
    private var runs: [RunID: Run] = [:]
    /// What the records of each run told.
    private var told: [RunID: Set<Told>] = [:]
    private var changed: Set<RunID> = []
    /// All records of all runs, for the story of what went wrong.
    private var records: [RunID: [RunRecord]] = [:]

    private struct Told: Hashable {
        var kind: EventKind
        var node: Int?
    }

    /// The next record of a run.
    mutating func apply(_ new: NewRecord, at now: Instant) -> String? {
        guard case .run(let run, let new) = new else { return nil }
        changed.insert(run)
        records[run, default: []].append(new)
        if let kind = new.change.eventKind {
            told[run, default: []].insert(Told(kind: kind, node: new.change.node))
        }
        if case .accepted(let acceptance) = new.change {
            guard runs.updateValue(Run(acceptance, at: now), forKey: run) == nil else {
                return "\(run) was accepted twice"
            }
            return nil
        }
        guard runs[run] != nil else { return "\(run) changed before it was accepted" }
        // As it would be read from a file.
        do {
            let record = try RunRecord(decoding: new.document)
            guard record == new else { return "\(record) was read, not \(new)" }
            try runs[run]?.applyRead(record)
            return nil
        } catch {
            return "\(new.document) cannot be read: \(error)"
        }
    }

    /// A run as its records say.
    func run(_ id: RunID) -> Run? { runs[id] }

    /// How many nodes wait for approval.
    var openApprovals: Int { runs.values.reduce(0) { $0 + $1.approvals.count } }

    /// The runs that changed since the last call, in an order that is always the same.
    mutating func takeChanged() -> [RunID] {
        defer { changed = [] }
        return changed.sorted()
    }

    /// The latest attempt of every node that had one.
    var latestAttempts: [(run: RunID, node: Int, number: Int)] {
        runs.flatMap { id, run in
            run.nodes.indices.filter { run.nodes[$0].attempt > 0 }.map {
                (run: id, node: $0, number: Int(run.nodes[$0].attempt))
            }
        }
    }

    /// How many nodes a run has; 0 if it is not known.
    func nodeCount(of run: RunID) -> Int { runs[run]?.plan.count ?? 0 }

    /// The attempts that workers hold of the runs that go on.
    var heldAttempts: [AttemptID] {
        runs.values.filter { $0.phase.isGoingOn && $0.phase != .growing }.flatMap { run in
            run.nodes.indices.filter { run.nodes[$0].status.isHeld }.map {
                AttemptID(run: run.id, node: $0, number: Int(run.nodes[$0].attempt))
            }
        }
    }

    /// Compares a run with the fold of its records; one that the coordinator has only on disk is the
    /// same there.
    mutating func compare(_ id: RunID, with run: Run?) -> String? {
        guard let run else { return nil }
        return runs[id]?.difference(from: run).map {
            "\(id) is not what its records say, in its \($0)"
        }
    }

    /// All that happened to the nodes that these words name as `RUN/NODE`, or to the whole runs that
    /// they name, one line a record.
    func story(of words: String) -> String {
        var lines: [String] = []
        for (run, records) in records.sorted(by: { $0.key < $1.key }) {
            let mentions = words.ranges(of: run.text)
            guard !mentions.isEmpty else { continue }
            let nodes = Set(mentions.compactMap { Self.node(in: words[$0.upperBound...]) })
            lines.append(
                nodes.isEmpty
                    ? "story of \(run)"
                    : "story of \(run), nodes \(nodes.sorted().map(String.init).joined(separator: " "))"
            )
            for record in records {
                guard let node = record.change.node else {
                    lines.append(record.storyLine)
                    continue
                }
                if nodes.isEmpty || nodes.contains(node) {
                    lines.append("\(record.storyLine)  (node \(node))")
                }
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func node(in rest: Substring) -> Int? {
        guard rest.first == "/" else { return nil }
        return Int(rest.dropFirst().prefix { $0.isNumber })
    }

    /// What watchers hear of is in a record, unless it changes nothing.
    func justify(_ event: EventMessage) -> String? {
        switch event.kind {
        case .snapshot, .progress, .chunk, .answering: return nil
        default: break
        }
        let node = event.kind == .joined ? nil : event.node
        let index = node.flatMap { runs[event.run]?.plan.index(of: $0) }
        if told[event.run]?.contains(Told(kind: event.kind, node: index)) == true { return nil }
        return "\(event.kind.rawValue) of \(event.run) was told, but is in no record"
    }
}

extension HeldRun {
    /// The names of its nodes in the order of the plan.
    var planIDs: [String] { (0..<state.plan.count).map { state.plan[$0].id.text } }
}
