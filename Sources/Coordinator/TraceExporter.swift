// Sends the spans of runs that have ended to a collector of OpenTelemetry. It never holds anything
// up: there is a bound on what waits, and a batch that cannot be sent is dropped and counted.

internal import Core
internal import DequeModule
internal import HTTP
internal import Logging
internal import Metrics
internal import Runs
internal import Telemetry
internal import UVLoop

/// Sends traces from a loop.
///
/// Confined to it. Spans are made a batch at a time, so that a large run holds up no other.
final class TraceExporter {
    private let loop: EventLoop
    private let settings: TraceSettings
    private let resource: [Span.Attribute]
    private let version: String
    private let logger: Logger
    private let client: HTTPClient
    private var timer: Timer?
    private var waiting: Deque<RunTrace> = []
    private var waitingSpans = 0
    private var openRequests = 0
    private var isPumping = false
    private var isClosed = false
    /// Called when nothing waits any more, or the time for that is over.
    private var onFinished: (() -> Void)?
    /// Whether the last batch was dropped, which was logged then.
    private var isFailing = false
    private(set) var sent = 0
    private(set) var dropped = 0

    /// Spans of a request.
    private static let batch = 256
    /// Spans that may wait; runs beyond that are dropped.
    private static let mostWaiting = 20_000
    private static let mostRequests = 2
    /// How long the end of the coordinator waits for the collector.
    private static let lastWait = Duration.seconds(2)
    /// How long a small batch waits for more.
    private static let pause = Duration.seconds(1)

    init(loop: EventLoop, settings: TraceSettings, build: BuildInfo, epoch: Int, logger: Logger) {
        self.loop = loop
        self.settings = settings
        self.logger = logger
        version = build.version
        resource = [
            Span.Attribute("service.name", .text(settings.service)),
            Span.Attribute("service.version", .text(build.version)),
            Span.Attribute("service.instance.id", .text("epoch-\(epoch)")),
        ]
        client = HTTPClient(loop: loop)
        timer = Timer(loop: loop) { [weak self] in self?.pump(isUrgent: true) }
        timer?.detachFromLoopLife()
    }

    /// Whether spans wait, or are on their way.
    var hasWaiting: Bool { !waiting.isEmpty || openRequests > 0 }

    /// Takes in a run that has ended.
    func add(_ trace: RunTrace) {
        guard !isClosed else { return }
        guard waitingSpans + trace.rest <= Self.mostWaiting || waiting.isEmpty else {
            return drop(trace.rest, because: "they come faster than the collector takes them")
        }
        waiting.append(trace)
        waitingSpans += trace.rest
        if waiting.count == 1, onFinished == nil { timer?.schedule(after: Self.pause) }
        if waitingSpans >= Self.batch { pump(isUrgent: false) }
    }

    /// Sends what waits, and calls back in a later turn when it is sent or two seconds are over.
    func finish(then: @escaping () -> Void) {
        onFinished = then
        timer?.close()
        timer = Timer(loop: loop) { [weak self] in self?.endFinishing() }
        timer?.schedule(after: Self.lastWait)
        pump(isUrgent: true)
        endFinishingIfDone()
    }

    private func endFinishingIfDone() {
        if onFinished != nil, !hasWaiting { loop.nextTurn { [weak self] in self?.endFinishing() } }
    }

    private func endFinishing() {
        guard !isClosed else { return }
        exchange(&onFinished, with: nil)?()
    }

    /// Drops what waits.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        onFinished = nil
        dropped += waitingSpans
        waiting = []
        waitingSpans = 0
        timer?.close()
        client.close()
    }

    // MARK: - Batches

    /// Sends a batch if there is one and room for it, and more in the next turns.
    private func pump(isUrgent: Bool) {
        guard !isClosed, !isPumping, openRequests < Self.mostRequests, !waiting.isEmpty,
            isUrgent || waitingSpans >= Self.batch
        else { return }
        var spans: [Span] = []
        while !waiting.isEmpty, spans.count < Self.batch {
            let before = waiting[0].rest
            waiting[0].makeSpans(Self.batch - spans.count, into: &spans)
            waitingSpans -= before - waiting[0].rest
            if waiting[0].isDone { waiting.removeFirst() }
        }
        if !spans.isEmpty { send(spans) }
        guard !waiting.isEmpty else { return }
        isPumping = true
        loop.nextTurn { [weak self] in
            self?.isPumping = false
            self?.pump(isUrgent: isUrgent)
        }
    }

    private func send(_ spans: [Span]) {
        let batch = SpanBatch(resource: resource, version: version, spans: spans)
        let request = HTTPRequest(
            method: "POST",
            url: settings.url,
            headers: [
                ("Content-Type", settings.encoding.contentType),
                ("User-Agent", "weftline/\(version)"),
            ] + settings.headers,
            body: settings.encoding == .json ? batch.json : batch.protobuf,
            connectTimeout: .seconds(5),
            idleTimeout: .seconds(10),
            deadline: .seconds(10)
        )
        openRequests += 1
        var status = 0
        client.start(
            request,
            onHead: { status = $0.status },
            onBody: { _ in },
            onEnd: { [weak self] result in
                guard let self else { return }
                openRequests -= 1
                switch result {
                case .success where (200..<300).contains(status): noteSent(spans.count)
                case .success: drop(spans.count, because: "the collector answers \(status)")
                case .failure(let error): drop(spans.count, because: "\(error)")
                }
                pump(isUrgent: true)
                endFinishingIfDone()
            }
        )
    }

    private func noteSent(_ count: Int) {
        sent += count
        guard isFailing else { return }
        isFailing = false
        logger.info("traces are sent again")
    }

    private func drop(_ count: Int, because reason: String) {
        dropped += count
        guard !isFailing, !isClosed else { return }
        isFailing = true
        logger.warning(
            "traces are not sent; spans are dropped, and this is not said again until some are sent",
            metadata: ["reason": "\(reason)"]
        )
    }

    func write(into text: inout MetricsText) {
        text.family("weft_spans", .counter, "Spans of traces, by whether they were sent")
        text.sample(sent, [("outcome", "sent")])
        text.sample(dropped, [("outcome", "dropped")])
    }
}

/// The calls of models for runs that have not ended, for their traces.
struct OpenModelCalls {
    private struct Call {
        var number: Int
        var facts: ModelCallFacts
    }

    private var calls: [RunID: [Call]] = [:]

    /// A call began; its end is that of the run, unless it ends before.
    mutating func begin(_ run: RunID, _ number: Int, _ facts: ModelCallFacts) {
        calls[run, default: []].append(Call(number: number, facts: facts))
    }

    /// A call ended; of a run that has ended nothing is kept.
    mutating func end(_ run: RunID, _ number: Int, _ body: (inout ModelCallFacts) -> Void) {
        guard let place = calls[run]?.firstIndex(where: { $0.number == number }) else { return }
        calls[run]?[place].facts.isOpen = false
        if var facts = calls[run]?[place].facts {
            body(&facts)
            calls[run]?[place].facts = facts
        }
    }

    /// Removes the calls of a run that ended at an age in microseconds.
    mutating func remove(_ run: RunID, endedAt age: Int) -> [ModelCallFacts] {
        guard let found = calls.removeValue(forKey: run) else { return [] }
        return found.map { call in
            var facts = call.facts
            if facts.isOpen { facts.end = age }
            return facts
        }
    }
}
