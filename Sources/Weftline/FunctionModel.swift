// A language model that is a Swift function: the task that runs it, and how its text gets to the
// loop. Not here: the public form of such a model (LanguageModel).
public import Core
internal import LanguageModels
public import PlannerCore
internal import UVLoop

/// The reply that a model function writes.
public struct ModelReply: Sendable {
    fileprivate let relay: ReplyRelay

    /// Adds a piece of text to the reply; nodes that are now complete start at once.
    public func write(_ text: String) {
        relay.add(.delta(text))
    }

    /// Reports the tokens used so far by this call; a later report replaces an earlier one.
    ///
    /// Without it, each four bytes count as a token.
    public func report(_ usage: TokenUsage) {
        relay.add(.usage(usage))
    }

    /// Reports why the model stopped writing, if the reply is not complete.
    ///
    /// A cut reply (`.length`) is used as far as it goes.
    public func report(_ stop: ModelStop) {
        relay.setStop(stop)
    }
}

/// Calls a function for each request; confined to its loop.
final class FunctionModel: CallableModel {
    /// The function of the program.
    typealias Body = @Sendable (ModelRequest, ModelReply) async throws -> Void

    private let loop: EventLoop
    private let timeout: Duration
    private let body: Body

    init(loop: EventLoop, timeout: Duration, body: @escaping Body) {
        self.loop = loop
        self.timeout = timeout
        self.body = body
    }

    @discardableResult
    func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        let call = FunctionCall(loop: loop, report: report)
        call.begin(request, body, timeout: timeout)
        return call
    }
}

/// One call of a function.
private final class FunctionCall: ModelCall {
    private let loop: EventLoop
    private let relay = ReplyRelay()
    private var report: ((ModelEvent) -> Void)?
    private var work: PerformedWork?
    private var deadline: Timer?

    let source = ModelSource(provider: "function", model: "function")

    init(loop: EventLoop, report: @escaping (ModelEvent) -> Void) {
        self.loop = loop
        self.report = report
    }

    func begin(_ request: ModelRequest, _ body: @escaping FunctionModel.Body, timeout: Duration) {
        let relay = relay
        work = loop.perform {
            await failure(of: body, request, ModelReply(relay: relay))
        } then: { failure in
            self.finish(failure)
        }
        let deadline = Timer(loop: loop) { [weak self] in
            let message = "The function takes longer than \(timeout)."
            self?.stop(ModelFailure(code: .timeout, message: message, isRetryable: true))
        }
        deadline.schedule(after: timeout)
        self.deadline = deadline
        awaitText()
    }

    func cancel() {
        stop(ModelFailure(code: .cancelled, message: "The call was cancelled."))
    }

    /// One wait at a time: text that arrives meanwhile is handled together.
    private func awaitText() {
        let relay = relay
        loop.perform {
            await relay.wait()
        } then: {
            self.deliver(relay.drainEvents())
            if self.report != nil { self.awaitText() }
        }
    }

    /// Passes events on; `report` may cancel the call.
    private func deliver(_ events: [ModelEvent]) {
        for event in events { report?(event) }
    }

    private func finish(_ failure: ModelFailure?) {
        let (rest, stop) = relay.close()
        deliver(rest)
        end(with: failure.map { .failed($0) } ?? .ended(stop))
    }

    private func stop(_ failure: ModelFailure) {
        guard report != nil else { return }
        work?.cancel()
        _ = relay.close()
        end(with: .failed(failure))
    }

    private func end(with event: ModelEvent) {
        guard let last = report else { return }
        report = nil
        deadline?.close()
        deadline = nil
        last(event)
    }
}

/// Calls the function and reports why it failed, if it did; runs in the task.
private func failure(
    of body: FunctionModel.Body,
    _ request: ModelRequest,
    _ reply: ModelReply
) async -> ModelFailure? {
    do {
        try await body(request, reply)
        return nil
    } catch let failure as ModelFailure {
        return failure
    } catch is CancellationError {
        return ModelFailure(code: .cancelled, message: "The function was cancelled.")
    } catch {
        let words = String("\(error)".prefix(500))
        return ModelFailure(code: "server_error", message: "The function failed: \(words)")
    }
}

/// Passes the text of a function from its task to the loop, in order.
///
/// Text after the end is dropped.
private final class ReplyRelay: Sendable {
    private struct State {
        var events: [ModelEvent] = []
        var stop = ModelStop.end
        var waiter: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    private let state = Locked(State())

    func add(_ event: ModelEvent) {
        let waiter = state.withLock { state in
            guard !state.isClosed else { return nil as CheckedContinuation<Void, Never>? }
            state.events.append(event)
            return state.waiter.take()
        }
        waiter?.resume()
    }

    func setStop(_ stop: ModelStop) {
        state.withLock { $0.stop = stop }
    }

    /// Accepts nothing further, ends the wait and returns the remaining events.
    func close() -> (rest: [ModelEvent], stop: ModelStop) {
        let (waiter, rest, stop) = state.withLock { state in
            state.isClosed = true
            defer { state.events = [] }
            return (state.waiter.take(), state.events, state.stop)
        }
        waiter?.resume()
        return (rest, stop)
    }

    /// Waits until there is text, or the relay is closed; removes nothing.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isClosed || !state.events.isEmpty { return true }
                state.waiter = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    func drainEvents() -> [ModelEvent] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }
}
