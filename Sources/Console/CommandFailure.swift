// The failure of a command: an exit code and lines for standard error.
package import Client
package import Plans
internal import Wire

/// The exit codes of every command.
package enum ExitStatus: Int32 {
    case success = 0
    case failed = 1
    case usage = 2
    case unreachable = 3
    case refused = 4
    case interrupted = 130
}

/// A failed command; lines are written to standard error unchanged.
package struct CommandFailure: Error, Equatable {
    package var status: ExitStatus
    package var lines: [String]

    package init(_ status: ExitStatus, _ lines: [String] = []) {
        self.status = status
        self.lines = lines
    }

    package init(_ status: ExitStatus, _ message: String) {
        self.init(status, [message.asError])
    }

    /// A connection or a request that failed.
    package init(_ error: ClientError) {
        let status: ExitStatus =
            switch (error.kind, error.code) {
            // The key was taken away while the command ran.
            case (.lost, ErrorCode.authFailed?): .refused
            case (.unreachable, _), (.lost, _), (_, ErrorCode.busy?), (_, ErrorCode.shuttingDown?):
                .unreachable
            case (.refused, _): .refused
            case (.rejected, ErrorCode.badPlan?), (.rejected, ErrorCode.unknownRun?),
                (.rejected, ErrorCode.unknownNode?), (.rejected, ErrorCode.unknownWorker?),
                (.rejected, ErrorCode.unknownPlan?):
                .usage
            case (.rejected, _): .failed
            }
        if error.problems.isEmpty {
            self.init(status, error.message)
        } else {
            self.init(status, error.problems.map(\.line))
        }
    }

    package func report() {
        guard !lines.isEmpty else { return }
        guard LogFormat.current == .text else {
            for line in lines { JSONLogLine.write(line, level: "error", component: "weft") }
            return
        }
        let text = lines.map { Text.printable($0) + "\n" }.joined()
        Output.error.writeNow(text)
    }
}

extension String {
    /// The sentence as an error message.
    package var asError: String { "error: \(self)" }
}

extension PlanProblem {
    /// The problem as one line for people: `error: node t3 …`, `warning: …`.
    package var line: String { "\(isWarning ? "warning" : "error"): \(sentence)" }

    /// The problem, with its node.
    package var sentence: String {
        guard let node, !message.contains("node \(node)") else { return message }
        return "node \(node): \(message)"
    }
}
