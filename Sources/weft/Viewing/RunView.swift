// A run as shown by `weft show`: the run as a whole, and a line for each node.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Wire

/// The nodes of a run, as many as are wanted: failed ones first, then running ones, then the others
/// in the order of the plan.
struct RunView {
    private var failed: [[TextTable.Cell]] = []
    private var running: [[TextTable.Cell]] = []
    private var others: [[TextTable.Cell]] = []
    private var matching = 0
    private var total = 0
    private let limit: Int
    private let status: NodeStatus?
    private let counts: NodeCounts
    private let age: Int

    /// A view of a run; with a state, of nodes in that state only.
    init(of run: RunDocument, limit: Int, status: NodeStatus? = nil) {
        self.limit = limit
        self.status = status
        counts = run.counts
        age = run.ageMilliseconds
    }

    /// Nodes that are wanted but not in the table, as far as pages were read.
    var unseen: Int {
        let listed = min(failed.count + running.count + others.count, limit)
        return max((status == nil ? total : matching) - listed, 0)
    }

    /// Whether no further page can change the list.
    var isComplete: Bool {
        guard status == nil else { return false }
        let important = failed.count + running.count
        if important >= limit, failed.count >= min(counts.failed, limit) { return true }
        return important + others.count >= limit && failed.count >= counts.failed
            && running.count >= counts.running
    }

    /// The nodes, as many as are wanted.
    var table: TextTable {
        var table = TextTable([
            .init(title: "NODE"), .init(title: "TOOL"), .init(title: "STATUS"),
            .init(title: "TRIES", isNumeric: true), .init(title: "WORKER"),
            .init(title: "WAITED", isNumeric: true), .init(title: "RAN", isNumeric: true),
            .init(title: "OUTCOME", isElastic: true),
        ])
        for row in (failed + running + others).prefix(limit) { table.add(row) }
        return table
    }

    /// Adds the nodes of a page.
    mutating func add(_ page: NodesPage) throws(WireError) {
        total = page.total
        try page.forEachNode { id, node in
            if let status, status != node.status { return true }
            matching += 1
            switch node.status {
            case .failed: add(id, node, to: &failed)
            case .running, .sent, .backingOff, .cancelling, .awaitingApproval:
                add(id, node, to: &running)
            case .waiting, .ready, .succeeded, .cancelled, .skipped: add(id, node, to: &others)
            }
            return true
        }
    }

    private func add(_ id: String, _ node: NodeDocument, to rows: inout [[TextTable.Cell]]) {
        guard rows.count < limit else { return }
        let time = node.runningMilliseconds(at: age).map { Text.duration(milliseconds: $0) + " …" }
        func text(_ time: Int?) -> String { time.map { Text.duration(microseconds: $0) } ?? "" }
        rows.append([
            .init(id), .init(node.tool), .state(node.status.rawValue), .init("\(node.attempts)"),
            .init(node.worker ?? ""), .init(text(node.queued)), .init(time ?? text(node.run)),
            .init(Self.outcome(node)),
        ])
    }

    /// The outcome of a node in a few words.
    private static func outcome(_ node: NodeDocument) -> String {
        if let error = node.error, node.status == .failed { return error.description }
        if let because = node.because { return "because of \(because)" }
        guard let output = node.output else { return "" }
        // Terminals show no more.
        return String((output.stringValue ?? output.text).prefix(400))
    }

    /// The run as a whole.
    static func pairs(_ run: RunDocument) -> [(name: String, value: String?)] {
        let counts = run.counts
        let parts = [
            (counts.running, "running"), (counts.succeeded, "succeeded"),
            (counts.failed, "failed"), (counts.skipped, "skipped"),
            (counts.cancelled, "cancelled"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        let nodes = parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))"
        let age = Text.duration(milliseconds: Double(run.ageMilliseconds))
        return [
            ("run", run.run.text),
            ("label", run.label),
            ("retries", run.retriedRun.map { "run \($0)" }),
            ("by", run.submittedBy),
            ("status", run.status.rawValue + (run.isGrowing ? ", its plan still grows" : "")),
            ("error", run.error?.description),
            ("reason", run.reason),
            ("ended by", run.cancelledBy),
            ("nodes", "\(counts.total)\(nodes)"),
            ("started", "\(age) ago"),
            ("took", Text.duration(microseconds: run.timing.wall)),
            ("critical path", Text.duration(microseconds: run.timing.criticalPath)),
            ("work", Text.duration(microseconds: run.timing.work)),
            ("speedup", Text.fixed(run.timing.speedup, digits: 2)),
            ("models", run.planning.map { $0.words(run.usage, columns: 64) }),
            ("join", run.joinInstruction),
        ]
    }

    // MARK: - Asking

    /// Asks for a run and as many of its nodes as wanted.
    static func fetch(
        _ run: RunID,
        _ options: CoordinatorClient.Options,
        _ reconnecting: Duration,
        limit: Int,
        status: NodeStatus? = nil
    ) throws -> (run: RunDocument, view: RunView) {
        let data = try Session.ask(
            options,
            .run,
            id: run.text,
            reconnecting: reconnecting
        )
        let document = try read { () throws(WireError) in try RunDocument(decoding: data) }
        var view = RunView(of: document, limit: limit, status: status)
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting) { client in
                client.forEachPage(of: run) { (page, goOn) throws(WireError) in
                    try view.add(page)
                    goOn(!view.isComplete)
                } then: { result in
                    switch result {
                    case .success: session.end()
                    case .failure(let error): session.end(CommandFailure(error))
                    }
                }
            }
        }
        return (document, view)
    }

    /// Prints a run with every node as one JSON object, page by page.
    static func printReport(
        of run: RunID,
        _ options: CoordinatorClient.Options,
        _ reconnecting: Duration
    ) throws {
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting) { client in
                RunReport(client, run, session.output)
                    .write { result in
                        switch result {
                        case .success(let omission): session.end(omission)
                        case .failure(let error): session.end(CommandFailure(error))
                        }
                    }
            }
        }
    }
}

extension NodeDocument {
    /// How long a node has been running, of a run that was accepted so many milliseconds ago; nil if
    /// it does not run.
    func runningMilliseconds(at age: Int) -> Double? {
        guard status == .running, let readyAt else { return nil }
        return max(Double(age) - Double(readyAt + (queued ?? 0)) / 1_000, 0)
    }
}
