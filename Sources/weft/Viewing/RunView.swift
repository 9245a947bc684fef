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
    /// The states that can be asked for.
    enum Status: String, CaseIterable {
        case waiting, ready, sent, running
        case backingOff = "backing_off"
        case cancelling
        case succeeded, failed, skipped, cancelled
    }

    private var failed: [[TextTable.Cell]] = []
    private var running: [[TextTable.Cell]] = []
    private var others: [[TextTable.Cell]] = []
    private var matching = 0
    private var total = 0
    private let limit: Int
    private let status: Status?
    private let counts: JSONValue
    private let age: Double?

    /// A view of a run from the coordinator's description; with a state, only of nodes in that
    /// state.
    init(of run: JSONValue = .null, limit: Int, status: Status? = nil) {
        self.limit = limit
        self.status = status
        counts = run["counts"] ?? .null
        age = run["age_ms"]?.doubleValue
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
        if important >= limit, failed.count >= min(counts.number("failed"), limit) { return true }
        return important + others.count >= limit && failed.count >= counts.number("failed")
            && running.count >= counts.number("running")
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
    mutating func add(_ page: RawJSON) {
        total = page.value(at: [.key("total")])?.intValue ?? total
        page.value(at: [.key("nodes")])?
            .forEachField { id, raw in
                // The output of a node that is not listed need not be decoded.
                let state = raw.value(at: [.key("status")])?.stringValue ?? ""
                if let status, status.rawValue != state { return }
                matching += 1
                switch state {
                case "failed": add(id, raw, to: &failed)
                case "running", "sent", "backing_off", "cancelling": add(id, raw, to: &running)
                default: add(id, raw, to: &others)
                }
            }
    }

    private func add(_ id: String, _ raw: RawJSON, to rows: inout [[TextTable.Cell]]) {
        guard rows.count < limit else { return }
        let node = JSONValue(raw)
        let time = node.runningMilliseconds(at: age).map { Text.duration(milliseconds: $0) + " …" }
        rows.append([
            .init(id), .init(node.text("tool")), .state(node.text("status")),
            .init("\(node.number("attempts"))"), .init(node.text("worker")),
            .init(node.time("queued_ms")), .init(time ?? node.time("run_ms")),
            .init(Self.outcome(node)),
        ])
    }

    /// The outcome of a node in a few words.
    private static func outcome(_ node: JSONValue) -> String {
        if let error = node["error"], node.text("status") == "failed" {
            return "\(error.text("code")): \(error.text("message"))"
        }
        if let because = node["because"]?.stringValue { return "because of \(because)" }
        guard let output = node["output"] else { return "" }
        // Terminals show no more.
        return String((output.stringValue ?? output.description).prefix(400))
    }

    /// The run as a whole.
    static func pairs(_ run: JSONValue) -> [(name: String, value: String?)] {
        let counts = run["counts"] ?? .null
        let timing = run["timing"] ?? .null
        let error = run["error"].map { "\($0.text("code")): \($0.text("message"))" }
        let names = ["running", "succeeded", "failed", "skipped", "cancelled"]
        let parts = names.compactMap { name in
            counts.number(name) > 0 ? "\(counts.number(name)) \(name)" : nil
        }
        let isGrowing = run["growing"]?.boolValue == true
        return [
            ("run", run.text("run")),
            ("label", run["label"]?.stringValue),
            ("status", run.text("status") + (isGrowing ? ", its plan still grows" : "")),
            ("error", error),
            ("reason", run["reason"]?.stringValue),
            (
                "nodes",
                "\(counts.number("total"))"
                    + (parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))")
            ),
            ("started", "\(run.time("age_ms")) ago"),
            ("took", timing.time("wall_ms")),
            ("critical path", timing.time("critical_path_ms")),
            ("work", timing.time("work_ms")),
            ("speedup", timing["speedup"]?.doubleValue.map { Text.fixed($0, digits: 2) }),
            ("join", run["join_instruction"]?.stringValue),
        ]
    }

    // MARK: - Asking

    /// Asks for a run and as many of its nodes as wanted.
    static func fetch(
        _ run: RunID,
        _ options: CoordinatorClient.Options,
        limit: Int,
        status: Status? = nil
    ) throws -> (summary: RawJSON, view: RunView) {
        var summary = RawJSON.emptyObject
        var view = RunView(limit: limit)
        try Session.run { session in
            session.ask(run, options) { client, data in
                summary = data
                view = RunView(of: JSONValue(data), limit: limit, status: status)
                client.forEachPage(of: run) { page, goOn in
                    view.add(page)
                    goOn(!view.isComplete)
                } then: {
                    session.end($0)
                }
            }
        }
        return (summary, view)
    }

    /// Prints a run with every node as one JSON object, page by page.
    static func printDocument(of run: RunID, _ options: CoordinatorClient.Options) throws {
        try Session.run { session in
            let output = session.output
            var document = RunDocument()
            session.ask(run, options) { client, data in
                output.write(Array("{\"run\":".utf8) + data.bytes + Array(",\"nodes\":{".utf8))
                client.forEachPage(of: run) { page, goOn in
                    output.write(document.nodes(page))
                    output.whenDrained { goOn(true) }
                } then: { result in
                    if case .success = result { output.write(Array("}}\n".utf8)) }
                    session.end(result)
                }
            }
        }
    }
}

extension RunView.Status: ExpressibleByArgument {}

extension JSONValue {
    /// How long a node has been running, in a run that was accepted that long ago; nil if it does
    /// not run.
    func runningMilliseconds(at age: Double?) -> Double? {
        guard text("status") == "running", let age, let ready = self["ready_at_ms"]?.doubleValue
        else { return nil }
        return max(age - ready - (self["queued_ms"]?.doubleValue ?? 0), 0)
    }
}

extension Session {
    /// Connects and asks for a run; ends the command if there is none.
    func ask(
        _ run: RunID,
        _ options: CoordinatorClient.Options,
        then: @escaping (CoordinatorClient, RawJSON) -> Void
    ) {
        connect(options) { [self] client in
            client.get(.run, id: run.text) { [self] result in
                switch result {
                case .success(let data): then(client, data)
                case .failure(let error): end(CommandFailure(error))
                }
            }
        }
    }

    /// Ends the command with the result of a request.
    func end(_ result: Result<Void, ClientError>) {
        switch result {
        case .success: end()
        case .failure(let error): end(CommandFailure(error))
        }
    }
}
