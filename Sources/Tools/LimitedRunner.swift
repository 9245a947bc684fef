// Holds the invocations of one tool to its concurrency on this worker.
internal import Plans
internal import Wire

/// Lets another runner run so many invocations at once; the others wait in order.
final class LimitedRunner: ToolRunner {
    private let inner: any ToolRunner
    private let limit: Int
    private var running = 0
    private var waiting: [LimitedInvocation] = []
    private var isStartingWaiting = false

    init(_ inner: any ToolRunner, limit: Int) {
        self.inner = inner
        self.limit = limit
    }

    var description: ToolDescription { inner.description }

    func obstacle() -> String? { inner.obstacle() }
    var pipesPerProcess: Int { inner.pipesPerProcess }
    var keepsProcesses: Bool { inner.keepsProcesses }

    func start(
        _ invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) -> any RunningInvocation {
        let call = LimitedInvocation(runner: self, invocation: invocation, report: report)
        waiting.append(call)
        startWaiting()
        return call
    }

    func shutDown() {
        let cutOff = waiting
        waiting = []
        for call in cutOff { call.refuse(.shutDown(description.name)) }
        inner.shutDown()
    }

    /// Takes back an invocation that has not started; returns whether it was waiting.
    func withdraw(_ call: LimitedInvocation) -> Bool {
        guard let position = waiting.firstIndex(where: { $0 === call }) else { return false }
        waiting.remove(at: position)
        return true
    }

    /// One at a time: invocations that finish at once must not start the next inside themselves.
    private func startWaiting() {
        guard !isStartingWaiting else { return }
        isStartingWaiting = true
        defer { isStartingWaiting = false }
        while running < limit, !waiting.isEmpty {
            let call = waiting.removeFirst()
            running += 1
            call.begin(on: inner) { [self] in
                running -= 1
                startWaiting()
            }
        }
    }
}

/// An invocation that may have to wait for others.
final class LimitedInvocation: RunningInvocation {
    private let runner: LimitedRunner
    private let invocation: Invocation
    private let report: (ToolReport) -> Void
    private var inner: (any RunningInvocation)?

    init(
        runner: LimitedRunner,
        invocation: Invocation,
        report: @escaping (ToolReport) -> Void
    ) {
        self.runner = runner
        self.invocation = invocation
        self.report = report
    }

    func begin(on runner: any ToolRunner, onEnd: @escaping () -> Void) {
        let report = report
        inner = runner.start(invocation) { news in
            report(news)
            switch news {
            case .finished, .notStarted: onEnd()
            case .started, .output, .progress: break
            }
        }
    }

    func refuse(_ failure: Failure) {
        report(.failed(failure))
    }

    func cancel(grace: Duration) {
        if runner.withdraw(self) {
            refuse(.cancelled(invocation.tool))
        } else {
            inner?.cancel(grace: grace)
        }
    }
}
