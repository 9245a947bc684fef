// A node as shown by `weft show RUN NODE`: everything known about it. Pure except for printing.
internal import Console
internal import JSON

/// Everything about one node.
struct NodeView {
    private let node: JSONValue
    private let runningMilliseconds: Double?

    /// A node, and how long ago its run was accepted.
    init(_ node: JSONValue, ageMilliseconds: Double? = nil) {
        self.node = node
        runningMilliseconds = ageMilliseconds.flatMap { node.runningMilliseconds(at: $0) }
    }

    /// The facts in one line each.
    var pairs: [(name: String, value: String?)] {
        let dependencies = node.texts("dependencies")
        let error = node["error"] ?? .null
        return [
            ("node", node.text("id")),
            ("tool", node.text("tool")),
            ("status", node.text("status")),
            ("because", node["because"]?.stringValue.map { "\($0) did not succeed" }),
            ("depends on", dependencies.isEmpty ? nil : dependencies.joined(separator: ", ")),
            ("attempts", "\(node.number("attempts"))"),
            ("worker", node["worker"]?.stringValue),
            ("waited", node["queued_ms"].map { _ in node.time("queued_ms") }),
            ("ran", node["run_ms"].map { _ in node.time("run_ms") }),
            ("runs for", runningMilliseconds.map { Text.duration(milliseconds: $0) }),
            ("error", error["code"].map { _ in "\(error.text("code")): \(error.text("message"))" }),
            ("exit code", error["exit_code"]?.intValue.map { "\($0)" }),
            ("signal", error["signal"]?.intValue.map { "\($0)" }),
        ]
    }

    /// The values that may have many lines, each under its heading.
    var sections: [(title: String, text: String)] {
        var sections: [(title: String, text: String)] = []
        if let arguments = node["args"] { sections.append(("args", arguments.description)) }
        if let output = node["output"] {
            sections.append(("output", output.stringValue ?? output.description))
        }
        if let tail = node["error"]?["stderr_tail"]?.stringValue {
            sections.append(("standard error, its end", tail))
        }
        let reasons = node["reasons"]?.arrayValue ?? []
        if !reasons.isEmpty {
            let sentences = reasons.map { $0.text("message") }.joined(separator: "\n")
            sections.append(("why it waits", sentences))
        }
        return sections
    }

    func show(on printer: Printer) {
        printer.pairs(pairs)
        for section in sections {
            let lines = section.text.split(
                omittingEmptySubsequences: false,
                whereSeparator: \.isNewline
            )
            printer.lines(["", printer.style.paint(section.title, .dim)])
            printer.text(lines.map { "  " + $0 })
        }
    }
}
