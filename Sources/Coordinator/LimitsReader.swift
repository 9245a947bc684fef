// Reads the part `limits` of a configuration file and collects all problems. The limits themselves
// and their defaults are in Wire's Limits.
internal import Configuration
internal import Wire
internal import YAML

struct LimitsReader: FieldReading {
    private(set) var limits = Limits()
    /// All problems so far, in the order of the file.
    private(set) var problems: [FileProblem] = []

    private typealias Count = WritableKeyPath<Limits, Int> & Sendable
    private typealias Time = WritableKeyPath<Limits, Duration> & Sendable

    private static let sizes: [(name: String, path: any Count, range: ClosedRange<Int>)] = [
        ("max_line", \.maxLine, 4 << 10...1 << 30),
        ("max_line_before_authentication", \.maxLineBeforeAuthentication, 4 << 10...16 << 20),
        ("max_value", \.maxValue, 64 << 10...1 << 40),
        ("window", \.window, 4 << 10...1 << 30),
        ("chunk", \.chunkBytes, 1 << 10...256 << 20),
        ("max_output", \.maxOutput, 1 << 10...1 << 40),
        ("unsent_bytes", \.outboxHighWater, 1 << 20...1 << 40),
        ("all_unsent_bytes", \.allUnsentBytes, 1 << 20...1 << 40),
        ("argument_bytes", \.argumentBytes, 0...1 << 40),
        ("run_bytes", \.runBytes, 1 << 20...1 << 50),
        ("unwritten_bytes", \.unwrittenBytes, 1 << 10...1 << 40),
        ("held_bytes", \.heldBytes, 1 << 20...1 << 50),
        ("attempt_log", \.attemptTextBytes, 0...1 << 30),
        ("run_log", \.runTextBytes, 0...1 << 40),
        ("event_bytes", \.eventBytes, 1 << 10...1 << 40),
        ("finished_bytes", \.finishedBytes, 0...1 << 50),
    ]

    private static let counts: [(name: String, path: any Count, range: ClosedRange<Int>)] = [
        ("missed_heartbeats", \.missedHeartbeats, 1...1000),
        ("connections", \.connections, 1...1_000_000),
        ("unauthenticated_connections", \.unauthenticatedConnections, 1...1_000_000),
        ("handshake_rate", \.handshakeRate, 1...1_000_000),
        ("unknown_types", \.unknownTypes, 0...1_000_000),
        ("tools_per_worker", \.toolsPerWorker, 1...100_000),
        ("slots_per_worker", \.slotsPerWorker, 1...Limits.largestSlots),
        ("unfinished_runs", \.unfinishedRuns, 1...10_000_000),
        ("finished_runs", \.finishedRuns, 1...10_000_000),
        ("finished_nodes", \.finishedNodes, 1...1_000_000_000),
        ("events", \.eventLogEntries, 16...10_000_000),
        ("finished_events", \.finishedEvents, 1...10_000_000),
    ]

    private static let times: [(name: String, path: any Time, range: ClosedRange<Duration>)] = [
        ("heartbeat", \.heartbeat, .milliseconds(50) ... .seconds(3600)),
        ("lease", \.lease, .milliseconds(100) ... .seconds(86_400)),
        ("resume_window", \.resumeWindow, .zero ... .seconds(86_400)),
        ("handshake", \.handshake, .milliseconds(100) ... .seconds(600)),
        ("cancel_grace", \.cancelGrace, .zero ... .seconds(3600)),
        ("approval_timeout", \.approvalTimeout, .milliseconds(1) ... .seconds(365 * 86_400)),
    ]

    /// The names of the fields, in the order of the documentation.
    static let names = sizes.map(\.name) + counts.map(\.name) + times.map(\.name)

    mutating func read(_ node: YAMLNode?) {
        guard let node, !node.isNull else { return }
        guard let fields = node.mapping else {
            report(node, field: nil, "must have fields, such as {max_line: 4MiB}.")
            return
        }
        checkNames(fields, Self.names)
        for (name, path, range) in Self.sizes {
            if let value = size(fields, name, range) { limits[keyPath: path] = value }
        }
        for (name, path, range) in Self.counts {
            if let value = integer(fields, name, range) { limits[keyPath: path] = value }
        }
        for (name, path, range) in Self.times {
            if let value = duration(fields, name, range) { limits[keyPath: path] = value }
        }
        if problems.isEmpty { checkTogether(fields) }
    }

    /// The fields in which the second differs from the first, with the second's values.
    static func differences(from old: Limits, to new: Limits) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        for (name, path, _) in sizes where old[keyPath: path] != new[keyPath: path] {
            found.append((name, Quantities.text(bytes: new[keyPath: path])))
        }
        for (name, path, _) in counts where old[keyPath: path] != new[keyPath: path] {
            found.append((name, "\(new[keyPath: path])"))
        }
        for (name, path, _) in times where old[keyPath: path] != new[keyPath: path] {
            found.append((name, Quantities.text(new[keyPath: path])))
        }
        return found
    }

    /// Combinations of fields that are not allowed.
    private mutating func checkTogether(_ fields: YAMLNode.Mapping) {
        if limits.maxLine < 2 * limits.chunkBytes + 1024 {
            report(
                fields["chunk"] ?? fields["max_line"],
                field: "chunk",
                "does not fit into a line, as it may double when it is escaped. With a line of"
                    + " \(Quantities.text(bytes: limits.maxLine)) it may be"
                    + " \(Quantities.text(bytes: (limits.maxLine - 1024) / 2)) at most."
            )
        }
        if limits.window < limits.chunkBytes {
            report(fields["window"] ?? fields["chunk"], field: "window", "is less than a chunk.")
        }
        if limits.runBytes > limits.heldBytes {
            report(
                fields["run_bytes"] ?? fields["held_bytes"],
                field: "run_bytes",
                "is more than held_bytes, which all runs share."
            )
        }
        if limits.maxLineBeforeAuthentication > limits.maxLine {
            report(
                fields["max_line_before_authentication"] ?? fields["max_line"],
                field: "max_line_before_authentication",
                "is more than max_line."
            )
        }
        if limits.lease < limits.heartbeat * 2 {
            report(
                fields["lease"] ?? fields["heartbeat"],
                field: "lease",
                "must be at least two heartbeats, or healthy workers lose their attempts."
            )
        }
        if limits.resumeWindow > limits.lease {
            report(
                fields["resume_window"] ?? fields["lease"],
                field: "resume_window",
                "is longer than the lease."
            )
        }
    }

    mutating func report(_ node: YAMLNode?, field: String?, _ message: String) {
        problems.append(
            FileProblem(line: node?.line, entry: "limits", field: field, message: message)
        )
    }
}
