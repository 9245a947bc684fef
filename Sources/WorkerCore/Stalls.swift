// Tools that cannot be started for want of descriptors, processes or memory: when each is tried
// again, and when their attempts are handed back instead.

import Core

/// The tools whose attempts wait because the system lacked something.
struct Stalls: Sendable {
    /// The pause after the first try; it doubles with each further one.
    static let first: Duration = .milliseconds(50)
    static let longest: Duration = .seconds(2)
    /// How long the attempts of a tool wait at the worker before they are handed back.
    static let patience: Duration = .milliseconds(700)

    private struct Stall: Sendable {
        /// When it failed first after an attempt of it had begun.
        let since: Instant
        var retryAt: Instant?
        var pauses = 0
        /// Whether its attempts were handed back and none has begun since.
        var isHandedBack = false
    }

    /// By tool; a tool without `retryAt` is being tried.
    private var entries: [Int: Stall] = [:]

    var isEmpty: Bool { entries.isEmpty }

    /// The tools that pause, in order.
    var pausing: [Int] { entries.filter { $0.value.retryAt != nil }.keys.sorted() }

    /// When the next tool is tried again.
    var earliest: Instant? { entries.values.compactMap(\.retryAt).min() }

    func isStalled(tool: Int) -> Bool { !entries.isEmpty && entries[tool]?.retryAt != nil }

    /// A start failed; returns whether the tool could be started until now.
    mutating func noteFailure(ofTool tool: Int, at now: Instant) -> Bool {
        var stall = entries[tool] ?? Stall(since: now)
        let isNew = entries[tool] == nil
        // Of several that were tried at once the first one sets the pause.
        if stall.retryAt == nil {
            stall.retryAt = now + min(Self.first * (1 << min(stall.pauses, 10)), Self.longest)
            stall.pauses += 1
        }
        entries[tool] = stall
        return isNew
    }

    /// Whether a start that fails now is one too many for the worker to wait any longer.
    func isOutOfPatience(tool: Int, at now: Instant) -> Bool {
        entries[tool].map { $0.isHandedBack || now - $0.since >= Self.patience } ?? false
    }

    /// The attempts of the tool were handed back; returns whether that is new.
    ///
    /// The coordinator says by its next dispatch when the tool is tried again.
    mutating func noteHandBack(ofTool tool: Int) -> Bool {
        let isNew = entries[tool]?.isHandedBack == false
        entries[tool]?.isHandedBack = true
        return isNew
    }

    /// The tool is tried again.
    mutating func noteRetry(ofTool tool: Int) { entries[tool]?.retryAt = nil }

    /// An attempt of the tool runs.
    mutating func noteStart(ofTool tool: Int) {
        guard !entries.isEmpty, !isStalled(tool: tool) else { return }
        entries[tool] = nil
    }
}
