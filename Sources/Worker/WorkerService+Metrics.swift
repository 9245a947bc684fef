// The metrics of a worker: attempts by tool and outcome, slots, processes, bytes, connections, and
// what the process uses. A test compares their names with the article Metrics.

internal import Core
internal import JSON
internal import Metrics
internal import Tools
internal import UVLoop
internal import WorkerCore

/// What a worker has counted since its start.
struct WorkerNumbers {
    /// Attempts that ended, by tool; queue times are the coordinator's.
    var tools = ToolTable()
    var argumentBytes = 0
    var outputBytes = 0
    /// Sessions that the coordinator opened or resumed.
    var registrations = 0

    /// An attempt has ended.
    mutating func count(
        _ tool: String,
        _ result: Result<RawJSON, Failure>,
        microseconds: Int,
        isKnown: (String) -> Bool
    ) {
        let row = tools.row(of: tool) ?? tools.addRow(of: tool, isKnown: isKnown)
        tools.change(row) { numbers in
            numbers.duration.observe(microseconds: microseconds)
            switch result {
            case .success: numbers.succeeded += 1
            case .failure(let failure) where failure.code == .cancelled: numbers.cancelled += 1
            case .failure: numbers.failed += 1
            }
        }
        if case .success(let output) = result { outputBytes += output.count }
    }
}

extension WorkerService {
    /// All metrics at this moment, in the text format of Prometheus or as OpenMetrics.
    public func metricsText(isOpenMetrics: Bool, commit: String = "", swift: String = "") -> [UInt8]
    {
        var text = MetricsText(isOpenMetrics ? .openMetrics : .prometheus)
        writeAttempts(into: &text)
        let counts = machine.counts
        text.family("weft_attempts_held", .gauge, "Attempts that the worker has, by state")
        text.sample(counts.queued, [("state", "queued")])
        text.sample(counts.running, [("state", "running")])
        text.sample(counts.done, [("state", "done")])
        text.single(
            "weft_slots",
            .gauge,
            "How many attempts may run at once",
            options.configuration.slots
        )
        text.single(
            "weft_tool_processes",
            .gauge,
            "Processes of tools that run",
            loop.childCount
        )
        text.single(
            "weft_connected",
            .gauge,
            "1 while a coordinator has taken the worker on",
            machine.isReady ? 1 : 0
        )
        text.single(
            "weft_registrations",
            .counter,
            "Sessions that a coordinator opened or resumed; all but the first are reconnects",
            numbers.registrations
        )
        text.single(
            "weft_argument_bytes",
            .counter,
            "Bytes of arguments that tools were started with",
            numbers.argumentBytes
        )
        text.single(
            "weft_output_bytes",
            .counter,
            "Bytes of outputs, and of what tools wrote while they ran",
            numbers.outputBytes
        )
        text.family("weft_uptime_seconds", .gauge, "Since the worker was started")
        text.sample(microseconds: Int(loop.nowNanoseconds - startedAt) / 1_000)
        let usage = OwnUsage()
        text.write(
            MetricsText.ProcessNumbers(
                cpuMicroseconds: usage.cpuMicroseconds,
                residentBytes: usage.residentBytes,
                openDescriptors: usage.openDescriptors,
                descriptorLimit: usage.descriptorLimit,
                startedAt: usage.unixMilliseconds - Int(loop.nowNanoseconds - startedAt) / 1_000_000
            )
        )
        text.writeBuild(version: Release.version, commit: commit, swift: swift)
        return text.finished()
    }

    private func writeAttempts(into text: inout MetricsText) {
        let tools = numbers.tools.sorted
        text.family("weft_attempts", .counter, "Attempts that ended, by tool and outcome")
        for (name, numbers) in tools {
            let outcomes = [
                ("succeeded", numbers.succeeded), ("failed", numbers.failed),
                ("cancelled", numbers.cancelled),
            ]
            for (outcome, count) in outcomes {
                text.sample(count, [("tool", name), ("outcome", outcome)])
            }
        }
        text.family("weft_attempt_duration_seconds", .histogram, "How long attempts ran, by tool")
        for (name, numbers) in tools { text.sample(numbers.duration, [("tool", name)]) }
    }
}
