// The metrics of a coordinator: those of its machine, and those of its shell: the journal, models,
// and the process. A test compares their names with the article Metrics.

internal import CoordinatorCore
public import Core
internal import Journal
internal import LanguageModels
internal import Metrics
internal import PlannerCore
internal import UVLoop
internal import Wire

/// What a program says of its build, for metrics and for what collects traces.
public struct BuildInfo: Sendable, Equatable {
    /// The version of the software.
    public var version: String
    /// The commit that it was made of; empty if that is not known.
    public var commit: String
    /// The version of the compiler; empty if that is not known.
    public var swift: String

    /// Describes a build.
    public init(version: String = Release.version, commit: String = "", swift: String = "") {
        self.version = version
        self.commit = commit
        self.swift = swift
    }
}

extension CoordinatorService {
    /// All metrics at this moment, in the text format of Prometheus or as OpenMetrics.
    public func metricsText(isOpenMetrics: Bool) -> [UInt8] {
        var text = MetricsText(isOpenMetrics ? .openMetrics : .prometheus)
        machine.write(at: now, into: &text)
        writeJournal(into: &text)
        modelNumbers.write(into: &text)
        text.single(
            "weft_refused_connections",
            .counter,
            "Connections that were closed at once, because their address opens too many",
            refusedConnections
        )
        exporter?.write(into: &text)
        text.write(OwnUsage().numbers(startedAt: startedAt))
        let build = options.build
        text.writeBuild(version: build.version, commit: build.commit, swift: build.swift)
        return text.finished()
    }

    private func writeJournal(into text: inout MetricsText) {
        text.family(
            "weft_journal_fsync_seconds",
            .histogram,
            "From writing records to knowing that they are on disk"
        )
        text.sample(journal?.writeTimes ?? Histogram())
        text.family(
            "weft_journal_lag_seconds",
            .gauge,
            "How long the oldest record has waited that is not on disk"
        )
        text.sample(microseconds: journal?.lagMicroseconds ?? 0)
        text.single(
            "weft_journal_records",
            .counter,
            "Records that were written",
            journal?.writtenRecords ?? 0
        )
        text.single(
            "weft_journal_stalled",
            .gauge,
            "1 while the disk is full, so that nothing can be written",
            isDiskFull ? 1 : 0
        )
    }
}

/// What a call of a model has reported so far.
struct ModelCourse {
    /// In nanoseconds of the loop.
    let startedAt: Int64
    private(set) var isEnded = false
    private(set) var failure: ModelFailure?
    private var used = TokenUsage()
    private var prices: TokenPrices?

    init(startedAt: Int64) { self.startedAt = startedAt }

    /// What it used, as far as it was reported.
    var usage: TokenUsage { used.charged(at: prices) }

    mutating func note(_ event: ModelEvent) {
        switch event {
        case .charged(let prices): self.prices = prices
        case .usage(let usage): used = usage
        case .ended: isEnded = true
        case .failed(let failure):
            isEnded = true
            self.failure = failure
        case .delta, .formatLowered: break
        }
    }
}

/// What the calls of each model used; there are as many models as the configuration names.
struct ModelNumbers {
    private struct Row {
        var succeeded = 0
        var failed = 0
        var usage = TokenUsage()
        var duration = Histogram()
    }

    private var rows: [ModelSource: Row] = [:]

    /// A call of a model has ended, at a time of the loop in nanoseconds.
    mutating func count(_ call: ModelCourse, of source: ModelSource, at time: Int64) {
        var row = rows[source] ?? Row()
        if call.failure == nil { row.succeeded += 1 } else { row.failed += 1 }
        row.usage += call.usage
        row.duration.observe(microseconds: Int(time - call.startedAt) / 1_000)
        rows[source] = row
    }

    func write(into text: inout MetricsText) {
        let sorted = rows.sorted {
            ($0.key.model, $0.key.provider) < ($1.key.model, $1.key.provider)
        }
        func labels(_ source: ModelSource) -> [MetricsText.Label] {
            [("model", source.model), ("provider", source.provider)]
        }
        text.family("weft_llm_calls", .counter, "Calls of models that ended, by outcome")
        for (source, row) in sorted {
            text.sample(row.succeeded, labels(source) + [("outcome", "succeeded")])
            text.sample(row.failed, labels(source) + [("outcome", "failed")])
        }
        text.family("weft_llm_call_duration_seconds", .histogram, "How long calls of models took")
        for (source, row) in sorted { text.sample(row.duration, labels(source)) }
        text.family("weft_llm_tokens", .counter, "Tokens of calls of models, by kind")
        for (source, row) in sorted {
            text.sample(row.usage.input, labels(source) + [("kind", "input")])
            text.sample(row.usage.output, labels(source) + [("kind", "output")])
        }
        text.family(
            "weft_llm_cost",
            .counter,
            "What calls of models cost, in the currency of the configured prices"
        )
        for (source, row) in sorted {
            if let cost = row.usage.cost { text.sample(cost, labels(source)) }
        }
    }
}

extension OwnUsage {
    func numbers(startedAt: Int) -> MetricsText.ProcessNumbers {
        MetricsText.ProcessNumbers(
            cpuMicroseconds: cpuMicroseconds,
            residentBytes: residentBytes,
            openDescriptors: openDescriptors,
            descriptorLimit: descriptorLimit,
            startedAt: startedAt
        )
    }
}
