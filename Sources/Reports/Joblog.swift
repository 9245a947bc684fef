// A run as the log that GNU parallel writes with --joblog, so that what reads those reads runs, too.

internal import Core
internal import Wire

/// The log of a run: a line a node, in the order of the plan.
package enum Joblog {
    /// The names of the columns.
    static let columns = [
        "Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command",
    ]

    /// The log with its line of names.
    package static func text(of facts: RunFacts) -> String {
        let began = facts.run.startedAt?.milliseconds ?? 0
        var lines = [columns.joined(separator: "\t")]
        for (place, node) in facts.nodes.enumerated() {
            let last = node.attempts.last
            let start = began + (last?.start ?? 0) / 1_000
            let values = [
                "\(place + 1)",
                last.map { field($0.worker) } ?? "-",
                last == nil ? "0.000" : decimals(start),
                decimals(((last?.work ?? 0) + 500) / 1_000),
                // The bytes of the arguments are in no answer about all nodes.
                "0",
                "\(node.outputBytes)",
                "\(exitValue(of: node))",
                "\(node.error?.signal ?? 0)",
                "\(field(node.tool)) \(node.id)",
            ]
            lines.append(values.joined(separator: "\t"))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What a shell would have seen: 0 of a success, -1 of a node that has not run to its end.
    private static func exitValue(of node: NodeFacts) -> Int {
        switch node.status {
        case .succeeded: 0
        case .failed: node.error?.exitCode ?? (node.error?.signal == nil ? 1 : 0)
        default: -1
        }
    }

    /// Milliseconds as seconds.
    private static func decimals(_ milliseconds: Int) -> String {
        let rest = "\(milliseconds % 1_000)"
        return "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// A text that neither ends a field nor a line, and that steers no terminal.
    private static func field(_ text: String) -> String {
        var field = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}": field += " "
            default: field.unicodeScalars.append(scalar)
            }
        }
        return field.isEmpty ? "-" : field
    }
}
