// One connection to a server, kept up: started, started again after a failure, with growing pauses.
// Not here: which call goes over which connection (MCPHost), the protocol (module MCP).
internal import Core
internal import JSON
internal import MCP
internal import UVLoop

/// A connection of a host, with the client that speaks over it.
final class MCPLink {
    /// Where it stands.
    enum State {
        /// Not started, or between two starts.
        case down
        /// Started; the server has not listed its tools.
        case starting
        /// Calls can be made.
        case ready
        /// The server has forgotten the session; calls that are under way get their ends.
        case leaving
        /// The process is being ended.
        case ending
    }

    private unowned let host: MCPHost
    private let loop: EventLoop
    private var machine: MCPClientMachine
    private var transport: (any MCPTransport)?
    private var timer: Timer?
    private var pause: Timer?
    private var calls: [Int: MCPInvocation] = [:]
    private var lastCall = 0
    private var isHandling = false
    private var pending: [MCPClientMachine.Event] = []
    private var isStopped = false

    private(set) var state = State.down
    /// How often in a row it failed before a call was answered.
    private(set) var failures = 0
    /// Why it failed last; nil once it is ready.
    private(set) var problem: String?

    init(host: MCPHost) {
        self.host = host
        loop = host.loop
        machine = MCPClientMachine(host.configuration)
    }

    /// How many calls are under way.
    var load: Int { calls.count }

    /// Whether a failed start has been tried again without success, so that others may do better.
    var isFailing: Bool { state != .ready && failures > 1 }

    // MARK: - Starting and ending

    func start() {
        guard state == .down, !isStopped else { return }
        pause?.cancel()
        machine = MCPClientMachine(host.configuration)
        state = .starting
        do throws(StartProblem) {
            transport = try host.makeTransport { [weak self] event in self?.handle(event) }
        } catch {
            state = .down
            return noteFailure(error.words)
        }
        handle(.opened)
    }

    /// Ends it for good.
    func stop(grace: Duration) {
        isStopped = true
        pause?.close()
        pause = nil
        let cutOff = calls
        calls = [:]
        for call in cutOff.values { call.finish(.failure(.shutDown(call.tool))) }
        timer?.close()
        timer = nil
        if let transport {
            state = .ending
            transport.end(grace: grace)
        }
    }

    private func noteFailure(_ words: String) {
        failures += 1
        problem = words
        guard !isStopped else { return }
        let wait = failures == 1 ? .zero : Self.pause(after: failures)
        host.linkFailed(self, words, again: wait)
        let timer = pause ?? Timer(loop: loop) { [weak self] in self?.start() }
        pause = timer
        timer.schedule(after: wait)
    }

    private static func pause(after failures: Int) -> Duration {
        min(.milliseconds(200) * (1 << min(failures - 2, 10)), .seconds(30))
    }

    // MARK: - Calls

    func begin(_ call: MCPInvocation) {
        lastCall += 1
        call.place = (self, lastCall)
        calls[lastCall] = call
        let limit = calls.values.reduce(0) { max($0, $1.outputLimit) }
        // A result has its content as text and, escaped again, as structure.
        let room = min(limit, 1 << 40) * 3 + (1 << 20)
        // Never less, since a long line may be on its way.
        if let transport, transport.maximumMessage < room { transport.maximumMessage = room }
        call.begin()
        handle(
            .callRequested(
                MCPClientMachine.Call(
                    number: lastCall,
                    tool: call.remoteTool,
                    arguments: call.invocation.arguments,
                    traceParent: call.traceParent
                )
            )
        )
    }

    func cancel(_ number: Int, grace: Duration) {
        handle(.cancelRequested(call: number, grace: grace))
    }

    // MARK: - The machine

    private func handle(_ event: MCPTransportEvent) {
        switch event {
        case .received(let message): handle(MCPClientMachine.Event.received(message))
        case .lost(let request, let lost): handle(.responseLost(request: request, lost))
        case .wrote(let bytes):
            for call in calls.values { call.errors.append(bytes) }
            host.wrote(bytes)
        case .misread(let text): host.misread(text)
        case .ended(let words): ended(words)
        }
    }

    /// Events that come while actions are carried out wait.
    private func handle(_ event: MCPClientMachine.Event) {
        pending.append(event)
        guard !isHandling else { return }
        isHandling = true
        while !pending.isEmpty {
            let event = pending.removeFirst()
            var actions: [MCPClientMachine.Action] = []
            machine.handle(event, at: Instant(nanoseconds: loop.nowNanoseconds), into: &actions)
            for action in actions { carryOut(action) }
        }
        isHandling = false
        armTimer()
    }

    private func armTimer() {
        guard !isStopped, let deadline = machine.nextDeadline() else { return }
        let timer = timer ?? Timer(loop: loop) { [weak self] in self?.handle(.deadlineReached) }
        self.timer = timer
        timer.schedule(at: deadline.nanoseconds)
    }

    private func carryOut(_ action: MCPClientMachine.Action) {
        switch action {
        case .send(let outgoing): transport?.send(outgoing)
        case .openStream(let headers): transport?.openStream(headers: headers)
        case .abandon(let request): transport?.abandon(request: request)
        case .becameReady(let facts):
            state = .ready
            problem = nil
            host.linkBecameReady(self, facts)
        case .listed(let tools): host.linkListed(self, tools)
        case .progressed(let call, let fraction, let note):
            calls[call]?.send(.progress(fraction, note))
        case .finished(let call, let outcome):
            guard let call = calls.removeValue(forKey: call) else { return }
            if case .cancelled = outcome {} else { failures = 0 }
            call.finish(outcome)
            host.linkHasRoom(self)
        case .sessionGone: state = .leaving
        case .failed(let words):
            problem = words
            state = .ending
            transport?.end(grace: .zero)
        }
    }

    /// The connection has ended: its calls end, and it is started again.
    private func ended(_ words: String) {
        transport = nil
        timer?.cancel()
        let wasReady = state == .ready
        state = .down
        let words = wasReady ? words : problem ?? words
        let cutOff = calls.sorted { $0.key < $1.key }
        calls = [:]
        for (_, call) in cutOff { call.finish(serverEnded: words) }
        guard !isStopped else { return host.linkStopped(self) }
        noteFailure(words)
    }
}

extension StartProblem {
    /// Why, in words for a person.
    fileprivate var words: String {
        switch self {
        case .failed(let failure), .refused(let failure, _): failure.message
        }
    }
}
