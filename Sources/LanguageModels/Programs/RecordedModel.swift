// A model that repeats the recorded replies of another one. The format is in Recording.
import Core
public import PlannerCore
public import UVLoop

/// Replays a recording: the calls in its order, independent of the requests.
public final class RecordedModel: CallableModel {
    /// How fast a recording is replayed.
    public enum Pace: Sendable, Hashable {
        /// As it was recorded.
        case recorded
        /// One event after each such time; zero for one in each turn of the loop.
        case every(Duration)
    }

    private let loop: EventLoop
    private let calls: [Recording.Call]
    private let pace: Pace
    private let isRepeated: Bool
    private let makeTimer: MakeTimer
    private let onNotice: ((String) -> Void)?
    private var hasNotice = false
    private var next = 0

    /// Makes a model.
    ///
    /// - Parameters:
    ///   - loop: The loop to replay on.
    ///   - recording: What to replay.
    ///   - label: Replays only the calls of that label, if there are any; otherwise all.
    ///   - pace: How fast to replay.
    ///   - isRepeated: Whether it starts again after the last call; otherwise further calls fail.
    ///   - makeTimer: Makes the timers that the events wait for.
    ///   - onNotice: Called once, with a sentence, when a call is for another goal or for other
    ///     tools than the recorded one; it is replayed all the same.
    public init(
        loop: EventLoop,
        recording: Recording,
        label: String? = nil,
        pace: Pace = .recorded,
        isRepeated: Bool = true,
        makeTimer: @escaping MakeTimer = { Timer(loop: $0, onFire: $1) },
        onNotice: ((String) -> Void)? = nil
    ) {
        self.loop = loop
        self.pace = pace
        self.isRepeated = isRepeated
        self.makeTimer = makeTimer
        self.onNotice = onNotice
        let labelled = recording.calls.filter { $0.label == label }
        calls = label == nil || labelled.isEmpty ? recording.calls : labelled
    }

    /// Starts a call; see ``CallableModel/call(_:report:)``.
    @discardableResult
    public func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        if next == calls.count, isRepeated { next = 0 }
        var entries = [Recording.Entry(time: .zero, event: .failed(Self.usedUp))]
        if next < calls.count {
            entries = calls[next].entries
            compare(request.subject, with: calls[next].subject)
            next += 1
        }
        let call = RecordedCall(loop: loop, entries: entries, pace: pace, report: report)
        call.begin(makeTimer)
        return call
    }

    private func compare(_ asked: ModelSubject?, with recorded: ModelSubject?) {
        guard let asked, let recorded, asked != recorded, !hasNotice else { return }
        hasNotice = true
        let difference =
            asked.goal == recorded.goal
            ? "with the tools \(recorded.tools.joined(separator: ", "))"
            : "for the goal \"\(recorded.goal.prefix(200))\""
        onNotice?("The recording was made \(difference); it is replayed all the same.")
    }

    private static let usedUp = ModelFailure(
        code: .badConfiguration,
        message: "The recording holds no further call."
    )
}

private final class RecordedCall: ModelCall {
    private let loop: EventLoop
    private let start: Int64
    private let entries: [Recording.Entry]
    private let pace: RecordedModel.Pace
    private var report: ((ModelEvent) -> Void)?
    private var position = 0
    private var timer: (any OneShotTimer)?

    let source = ModelSource(provider: "recorded", model: "recorded")

    init(
        loop: EventLoop,
        entries: [Recording.Entry],
        pace: RecordedModel.Pace,
        report: @escaping (ModelEvent) -> Void
    ) {
        self.loop = loop
        self.entries = entries
        self.pace = pace
        self.report = report
        start = loop.nowNanoseconds
    }

    func begin(_ makeTimer: MakeTimer) {
        timer = makeTimer(loop) { [self] in replay() }
        schedule()
    }

    func cancel() { tell(.failed(.cancelled)) }

    private func replay() {
        guard position < entries.count else { return }
        tell(entries[position].event)
        position += 1
        schedule()
    }

    private func schedule() {
        guard position < entries.count else { return }
        switch pace {
        case .recorded:
            let due = Instant(nanoseconds: start) + entries[position].time
            timer?.schedule(at: due.nanoseconds)
        case .every(let interval): timer?.schedule(after: interval)
        }
    }

    private func tell(_ event: ModelEvent) {
        guard let report else { return }
        if event.isEnd {
            self.report = nil
            timer?.close()
            timer = nil
        }
        report(event)
    }
}
