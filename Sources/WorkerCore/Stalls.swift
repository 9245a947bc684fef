// Tools that cannot be started for want of descriptors, processes or memory: when each is tried
// again, and since when nothing at all could run.
internal import Plans

/// The tools whose attempts wait because the system lacked something.
struct Stalls: Sendable {
    /// The pause after the first try; it doubles with each further one.
    static let first: Duration = .milliseconds(50)
    static let longest: Duration = .seconds(2)
    /// How long attempts wait while nothing runs whose end could give something back.
    static let patience: Duration = .seconds(10)

    private struct Stall: Sendable {
        var retryAt: Instant?
        var pauses = 0
    }

    /// By tool; a tool without `retryAt` is being tried.
    private var entries: [Int: Stall] = [:]
    /// Since when attempts have waited and none ran.
    var starvedSince: Instant?

    var isEmpty: Bool { entries.isEmpty }

    /// The tools that pause, in order.
    var pausing: [Int] { entries.filter { $0.value.retryAt != nil }.keys.sorted() }

    /// When the next tool is tried again.
    var earliest: Instant? { entries.values.compactMap(\.retryAt).min() }

    func isStalled(tool: Int) -> Bool { entries[tool]?.retryAt != nil }

    /// A start failed; whether the tool was well until now.
    mutating func failed(tool: Int, at now: Instant) -> Bool {
        var stall = entries[tool] ?? Stall()
        let isNew = entries[tool] == nil
        // Of several that were tried at once the first one sets the pause.
        if stall.retryAt == nil {
            stall.retryAt = now + min(Self.first * (1 << min(stall.pauses, 10)), Self.longest)
            stall.pauses += 1
        }
        entries[tool] = stall
        return isNew
    }

    /// The tool is tried again.
    mutating func retry(tool: Int) { entries[tool]?.retryAt = nil }

    /// An attempt of the tool runs.
    mutating func succeeded(tool: Int) {
        guard !entries.isEmpty, !isStalled(tool: tool) else { return }
        entries[tool] = nil
    }
}
