// What a terminal shows of a goal while it is planned and runs: nodes that have ended go above for
// good, those that have not stand below and change. Pure; drawing is in ProgressBar.
internal import JSON
internal import Plans
internal import Wire

/// The nodes of a goal, as its events tell of them.
struct GoalView {
    private struct Node {
        var tool: String
        var state = "waiting"
        /// Since the run was accepted; 0 before it began.
        var startedAt = 0
    }

    private let style: Style
    private var nodes: [String: Node] = [:]
    /// Nodes that have not ended, in the order in which they were planned.
    private var open: [String] = []

    /// How many nodes are where; progress events come too seldom to go with the lines.
    private(set) var progress = RunProgress()

    /// Lines of nodes that have not ended.
    private static let limit = 8

    init(style: Style) {
        self.style = style
    }

    /// Takes an event; returns the lines that stay.
    mutating func take(_ event: EventMessage) -> [String] {
        if event.kind == .planned {
            add(event.data?.value(at: [.key("tasks")]))
            return []
        }
        if event.kind == .progress, event.node == nil,
            let told = event.data.flatMap(RunProgress.init)
        {
            progress.criticalPathMilliseconds = told.criticalPathMilliseconds
        }
        guard let id = event.node?.text, nodes[id] != nil else { return [] }
        switch event.kind {
        case .nodeReady: nodes[id]?.state = "ready"
        case .dispatched: nodes[id]?.state = "sent"
        case .started:
            if nodes[id]?.state != "running" { progress.running += 1 }
            nodes[id]?.state = "running"
            nodes[id]?.startedAt = event.atMicroseconds
        case .retrying:
            if nodes[id]?.state == "running" { progress.running -= 1 }
            nodes[id]?.state = "backing_off"
        case .nodeSucceeded: return end(id, "succeeded", EventLines.text(of: event))
        case .nodeFailed: return end(id, "failed", EventLines.text(of: event))
        case .nodeSkipped: return end(id, "skipped", EventLines.text(of: event))
        case .nodeCancelled: return end(id, "cancelled", nil)
        default: break
        }
        return []
    }

    /// The nodes that have not ended, no wider than a terminal of so many columns.
    func lines(width: Int, elapsedMilliseconds: Double) -> [String] {
        // Then a model is at work: it plans, or answers.
        if open.isEmpty { return [style.paint("  the model writes", .dim)] }
        var lines = open.prefix(Self.limit).compactMap { id -> String? in
            guard let node = nodes[id] else { return nil }
            let time =
                node.state == "running"
                ? Text.duration(
                    milliseconds: elapsedMilliseconds - Double(node.startedAt) / 1_000
                ) : nil
            return line(id, node.tool, node.state, time, width: width)
        }
        if open.count > Self.limit {
            lines.append(style.paint("  and \(open.count - Self.limit) more", .dim))
        }
        return lines
    }

    private mutating func add(_ planned: RawJSON?) {
        for node in planned.map({ JSONValue($0) })?.arrayValue ?? [] {
            guard let id = node["id"]?.stringValue, nodes[id] == nil else { continue }
            nodes[id] = Node(tool: node["tool_name"]?.stringValue ?? "?")
            open.append(id)
            progress.total += 1
        }
    }

    private mutating func end(_ id: String, _ state: String, _ text: String?) -> [String] {
        guard let node = nodes[id], let place = open.firstIndex(of: id) else { return [] }
        open.remove(at: place)
        if node.state == "running" { progress.running -= 1 }
        switch state {
        case "succeeded": progress.succeeded += 1
        case "failed": progress.failed += 1
        case "skipped": progress.skipped += 1
        default: progress.cancelled += 1
        }
        nodes[id]?.state = state
        return [line(id, node.tool, state, text, width: 80)]
    }

    private func line(
        _ id: String,
        _ tool: String,
        _ state: String,
        _ text: String?,
        width: Int
    ) -> String {
        let room = min(width, 80) - 1
        let name = Self.filled(Text.cut(Text.printable(id), to: 12), 6)
        let called = Self.filled(Text.cut(Text.printable(tool), to: 24), 16)
        let word = Self.filled(state, 9)
        let head = "  \(name)  \(called)  "
        guard head.count + word.count + 2 <= room else { return Text.cut(head + word, to: room) }
        let left = room - head.count - word.count - 2
        let rest = text.map { Text.cut(Text.printable($0), to: left) } ?? ""
        let line = head + style.paint(word, Style.color(ofState: state)) + "  " + rest
        return rest.isEmpty ? String(line.trimmingEnd()) : line
    }

    private static func filled(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}

extension String {
    /// The text without the blanks at its end.
    fileprivate func trimmingEnd() -> Substring {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return text
    }
}
