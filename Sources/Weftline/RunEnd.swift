// The counts of a run and its end, as in its events. The form for Swift programs is RunResult;
// words for people are in the command.
package import Core
package import JSON
package import Wire

/// How many nodes of a run are in which state.
package struct RunProgress: Equatable {
    package var total = 0
    package var running = 0
    package var succeeded = 0
    package var failed = 0
    package var skipped = 0
    package var cancelled = 0
    package var criticalPathMilliseconds = 0.0

    package var settled: Int { succeeded + failed + skipped + cancelled }

    package init() {}

    /// Reads `{"counts":{…},"critical_path_ms":…}`; in the last event the time is under `timing`.
    package init?(_ data: RawJSON) {
        guard let counts = data.field("counts") else { return nil }
        func count(_ key: String) -> Int { counts.field(key)?.intValue ?? 0 }
        total = count("total")
        running = count("running")
        succeeded = count("succeeded")
        failed = count("failed")
        skipped = count("skipped")
        cancelled = count("cancelled")
        let path =
            data.field("critical_path_ms")
            ?? data.value(at: [.key("timing"), .key("critical_path_ms")])
        criticalPathMilliseconds = path?.doubleValue ?? 0
    }
}

/// The last event of a run.
package struct RunEnd {
    package var run: RunID
    package var status: RunResult.Status
    /// The answer, unless it is too large for an event.
    package var answer: RawJSON?
    /// Why the run as a whole failed: `{"code","message",…}`.
    package var error: RawJSON?
    /// Why it was cancelled.
    package var reason: String?
    package var counts = RunProgress()
    /// `wall_ms`, `critical_path_ms`, `work_ms`, `speedup`.
    package var timing: RawJSON
    /// The tokens that language models used.
    package var usage: TokenUsage?

    /// Reads an event; nil if it is not the last one of a run.
    package init?(_ event: EventMessage) {
        switch event.kind {
        case .runSucceeded: status = .succeeded
        case .runFailed: status = .failed
        case .runCancelled: status = .cancelled
        default: return nil
        }
        run = event.run
        let data = event.data ?? .emptyObject
        answer = data.field("answer")
        error = data.field("error")
        reason = data.field("reason")?.stringValue
        counts = RunProgress(data) ?? RunProgress()
        timing = data.field("timing") ?? .emptyObject
        usage = data.field("usage").flatMap { TokenUsage(reading: $0) }
    }
}
