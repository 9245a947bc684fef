// The terminal during a run: permanent lines for nodes that have ended, and below them changing
// lines for nodes that have not. Pure; drawing is in ProgressBar.
internal import Console
internal import Core
internal import JSON
internal import Plans
internal import Weftline
internal import Wire

/// The nodes of a run, as its events describe them.
struct LiveView {
    /// The kind of run, which decides what is shown.
    enum Subject {
        /// Every node is shown from when it is planned, and stays when it has ended.
        case goal
        /// There may be many nodes: the running ones are shown, and failed ones stay.
        case plan
    }

    private struct Node {
        var tool: String
        var state = NodeStatus.waiting
        /// Milliseconds since the view began.
        var startedAt = 0.0
    }

    /// What happens before there are nodes.
    var phase: String?
    /// Counts of nodes; progress events are too rare to match the lines.
    private(set) var progress = RunProgress()
    /// How many failures have permanent lines.
    private(set) var toldFailures = 0

    private let style: Style
    private let subject: Subject
    private var nodes: [String: Node] = [:]
    /// Nodes with changing lines: for a goal those that have not ended, in the order in which they
    /// were planned; for a plan those that run, in the order in which they began.
    private var shown: [String] = []

    /// Lines of nodes that have not ended.
    private static let limit = 8
    /// Permanent lines for failures of a plan; its end tells how many more there are.
    private static let failuresTold = 20

    init(style: Style, subject: Subject = .goal) {
        self.style = style
        self.subject = subject
    }

    /// Adds the nodes of a plan that is about to run.
    mutating func add(_ document: PlanDocument) {
        for node in document.nodes { add(node.id.text, tool: node.tool) }
    }

    /// Handles an event that many milliseconds after the view began; returns the permanent lines.
    mutating func handleEvent(_ event: EventMessage, elapsedMilliseconds: Double) -> [String] {
        phase = nil
        switch event.kind {
        case .planned:
            if case .planned(let planned) = try? EventData(of: event) {
                for node in planned.nodes { add(node.id.text, tool: node.tool) }
            }
            return []
        case .progress, .snapshot:
            if case .progress(let told) = try? EventData(of: event) { note(told) }
            return []
        default: break
        }
        guard let id = event.node?.text, nodes[id] != nil else { return [] }
        switch event.kind {
        case .approvalAsked:
            nodes[id]?.state = .awaitingApproval
            if subject == .plan, !shown.contains(id) { shown.append(id) }
        case .approved: nodes[id]?.state = .waiting
        case .nodeReady: nodes[id]?.state = .ready
        case .dispatched: nodes[id]?.state = .sent
        case .started: start(id, elapsedMilliseconds)
        case .retrying:
            if nodes[id]?.state == .running { progress.counts.running -= 1 }
            nodes[id]?.state = .backingOff
        case .nodeSucceeded: return end(id, .succeeded, EventLines.text(of: event))
        case .nodeFailed: return end(id, .failed, EventLines.text(of: event))
        case .nodeSkipped: return end(id, .skipped, EventLines.text(of: event))
        case .nodeCancelled: return end(id, .cancelled, nil)
        default: break
        }
        return []
    }

    /// The changing lines, no wider than a terminal of that many columns, and no more than there is
    /// room for.
    func lines(width: Int, room: Int, elapsedMilliseconds: Double) -> [String] {
        guard room > 0 else { return [] }
        if let phase { return [style.paint(Text.cut("  \(phase)", to: width - 1), .dim)] }
        guard !shown.isEmpty else {
            // No node is running: a model plans or answers.
            return subject == .goal ? [style.paint("  the model writes", .dim)] : []
        }
        var count = min(Self.limit, room, shown.count)
        // The line with the number of further nodes uses the place of one.
        if count < shown.count { count = min(count, room - 1) }
        var lines = shown.prefix(count).compactMap { id -> String? in
            guard let node = nodes[id] else { return nil }
            let time =
                node.state == .running
                ? Text.duration(milliseconds: elapsedMilliseconds - node.startedAt) : nil
            return line(id, node.tool, node.state, time, width: width)
        }
        if shown.count > count {
            lines.append(style.paint("  and \(shown.count - count) more", .dim))
        }
        return lines
    }

    // MARK: - What happens

    private mutating func add(_ id: String, tool: String) {
        guard nodes[id] == nil else { return }
        nodes[id] = Node(tool: tool)
        if subject == .goal { shown.append(id) }
        progress.counts.total += 1
    }

    private mutating func note(_ told: RunProgress) {
        // The only counts of a plan whose nodes are not watched.
        if nodes.isEmpty, subject == .plan { progress = told }
        progress.criticalPath = told.criticalPath
    }

    private mutating func start(_ id: String, _ elapsed: Double) {
        if nodes[id]?.state != .running { progress.counts.running += 1 }
        nodes[id]?.state = .running
        nodes[id]?.startedAt = elapsed
        if subject == .plan, !shown.contains(id) { shown.append(id) }
    }

    private mutating func end(_ id: String, _ state: NodeStatus, _ text: String?) -> [String] {
        guard let node = nodes[id], !node.state.isTerminal else { return [] }
        if let place = shown.firstIndex(of: id) { shown.remove(at: place) }
        if node.state == .running { progress.counts.running -= 1 }
        switch state {
        case .succeeded: progress.counts.succeeded += 1
        case .failed: progress.counts.failed += 1
        case .skipped: progress.counts.skipped += 1
        default: progress.counts.cancelled += 1
        }
        nodes[id]?.state = state
        if state == .failed {
            guard subject == .goal || toldFailures < Self.failuresTold else { return [] }
            toldFailures += 1
        } else if subject == .plan {
            return []
        }
        return [line(id, node.tool, state, text, width: 80)]
    }

    // MARK: - A line

    private func line(
        _ id: String,
        _ tool: String,
        _ state: NodeStatus,
        _ text: String?,
        width: Int
    ) -> String {
        let room = min(width, 80) - 1
        let isNarrow = room < 50
        let name = Text.filled(Text.shortened(Text.printable(id), to: isNarrow ? 8 : 16), to: 6)
        let called = Text.filled(
            Text.shortened(Text.printable(tool), to: isNarrow ? 10 : 24),
            to: isNarrow ? 8 : 16
        )
        let word = Text.filled(state.rawValue, to: 9)
        let head = "  \(name)  \(called)  "
        let used = Text.width(of: head) + word.count + 2
        guard used <= room else { return Text.cut(head + word, to: room).trimmingEnd() }
        let rest = text.map { Text.cut(Text.printable($0), to: room - used) } ?? ""
        let line = head + style.paint(word, Style.color(ofState: state.rawValue)) + "  " + rest
        return rest.isEmpty ? line.trimmingEnd() : line
    }
}

extension String {
    /// The text without the blanks at its end.
    fileprivate func trimmingEnd() -> String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
