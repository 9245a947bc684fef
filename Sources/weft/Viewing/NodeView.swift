// A node as shown by `weft show RUN NODE`: everything known about it. Pure except for printing.
internal import Console
internal import Core
internal import JSON
internal import Wire

/// Everything about one node.
struct NodeView {
    private let details: NodeDetails
    /// Milliseconds that it has been running.
    private let runningFor: Double?

    /// A node, and how many milliseconds ago its run was accepted.
    init(_ details: NodeDetails, age: Int? = nil) {
        self.details = details
        runningFor = age.flatMap { details.node.runningMilliseconds(at: $0) }
    }

    /// The facts in one line each.
    var pairs: [(name: String, value: String?)] {
        let node = details.node
        let dependencies = details.dependencies.map(\.text).joined(separator: ", ")
        return [
            ("node", details.id.text),
            ("tool", node.tool),
            ("status", node.status.rawValue),
            ("output", node.isTakenOver ? "taken over from the run that is retried" : nil),
            ("because", node.because.map { "\($0) did not succeed" }),
            ("depends on", dependencies.isEmpty ? nil : dependencies),
            ("attempts", "\(node.attempts)"),
            ("worker", node.worker),
            ("waited", node.queued.map { Text.duration(microseconds: $0) }),
            ("ran", node.run.map { Text.duration(microseconds: $0) }),
            ("runs for", runningFor.map { Text.duration(milliseconds: $0) }),
            ("error", node.error?.description),
            ("exit code", node.error?.exitCode.map { "\($0)" }),
            ("signal", node.error?.signal.map { "\($0)" }),
        ]
    }

    /// The values that may have many lines, each under its heading.
    var sections: [(title: String, text: String)] {
        var sections: [(title: String, text: String)] = []
        if let arguments = details.arguments { sections.append(("args", arguments.text)) }
        if let output = details.node.output {
            sections.append(("output", output.stringValue ?? output.text))
        }
        if let tail = details.node.error?.stderrTail {
            sections.append(("standard error, its end", tail))
        }
        if !details.reasons.isEmpty {
            let sentences = details.reasons.map(\.message).joined(separator: "\n")
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
