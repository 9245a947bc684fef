// The worker's shell: one connection to the coordinator, the toolbox, one timer. It turns bytes,
// time and reports of tools into events for the machine and executes its actions; all decisions are
// in WorkerCore.

internal import Core
internal import JSON
public import Logging
internal import OrderedCollections
internal import Tools
internal import Transport
public import UVLoop
internal import Wire
public import WorkerCore

/// A running worker on one loop.
///
/// Confined to its loop. It connects, and connects again, until it is drained, stopped or refused;
/// then `onExit` is called, once, and it no longer keeps the loop alive.
public final class WorkerService {
    /// Called when the worker has ended, with the reason.
    public var onExit: ((WorkerMachine.ExitReason) -> Void)?
    /// Called for the notices of the machine, which are also logged; for programs that embed a
    /// worker.
    public var onNotice: ((WorkerMachine.Notice) -> Void)?

    let loop: EventLoop
    let options: WorkerOptions
    private let logger: Logger
    private(set) var machine: WorkerMachine
    var numbers = WorkerNumbers()
    /// In nanoseconds of the loop.
    let startedAt: Int64
    private var actions: [WorkerMachine.Action] = []
    private var isCarryingOut = false
    private var connecting: PendingConnect?
    private var connection: MessageConnection?
    private var outboxes: Outboxes?
    private var hook: TurnHook?
    private var timer: Timer?
    private var armedFor: Instant?
    /// Invocations that did not end while they were started.
    private var running: [AttemptID: any RunningInvocation] = [:]
    /// The attempt being started, until it ends.
    private var starting: AttemptID?
    private var hasExited = false

    /// Prepares a worker; nothing happens before `start`.
    public init(loop: EventLoop, options: WorkerOptions, logger: Logger) {
        self.loop = loop
        self.options = options
        self.logger = logger
        startedAt = loop.nowNanoseconds
        let seed = SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        machine = WorkerMachine(
            configuration: options.configuration,
            key: options.key,
            seed: seed
        )
    }

    /// Begins to connect.
    public func start() {
        // The machine's hook comes before that of the outboxes, so that its messages leave in this
        // turn.
        hook = loop.onTurnEnd { [weak self] in self?.endTurn() }
        outboxes = Outboxes(loop: loop)
        timer = Timer(loop: loop) { [weak self] in
            self?.armedFor = nil
            self?.handle(.deadlineReached)
        }
        let slots = options.configuration.slots
        if slots < options.wantedSlots {
            let limit = ProcessTable.fileDescriptors().limit
            logger.warning(
                "fewer slots than asked for: the limit of open files is too low (see ulimit -n)",
                metadata: [
                    "slots": "\(slots)", "asked": "\(options.wantedSlots)", "files": "\(limit)",
                ]
            )
        }
        logNotices()
        if options.toolbox.hasServers { logger.info("waiting for the MCP servers to start") }
        // A worker that registered before its servers have listed their tools would have to refuse
        // plans for them.
        options.toolbox.prepare { [weak self] in
            guard let self else { return }
            let toolbox = options.toolbox
            if toolbox.hasServers {
                handle(.toolsChanged(toolbox.descriptions))
                toolbox.onChange = { [weak self] in self?.handleToolsChanged() }
            }
            handle(.startRequested)
        }
    }

    private func handleToolsChanged() {
        handle(.toolsChanged(options.toolbox.descriptions))
    }

    /// Writes what the sources of tools say to the log.
    private func logNotices() {
        let logger = logger
        options.toolbox.onNotice = { $0.log(to: logger) }
    }

    /// Accepts nothing new, finishes running attempts, and exits; by force after the deadline, if
    /// there is one.
    public func drain(deadline: Duration? = nil) {
        handle(.drainRequested(deadline: deadline))
    }

    /// Drains because what started this process has gone: what runs gets a few seconds.
    public func noteStarterGone() {
        handle(.starterGone)
    }

    /// Ends now; running tools are killed.
    public func stop() {
        handle(.stopRequested)
    }

    // MARK: - Events

    private var now: Instant { Instant(nanoseconds: loop.nowNanoseconds) }

    private func handle(_ event: WorkerMachine.Event) {
        guard !hasExited else { return }
        machine.handle(event, at: now, into: &actions)
        carryOut()
    }

    private func endTurn() {
        guard !hasExited else { return }
        machine.endTurn(at: now, into: &actions)
        carryOut()
        armTimer()
    }

    /// Arms the timer for the next deadline, unless it fires earlier.
    ///
    /// Every message from the coordinator moves that deadline; a timer that fires too early costs
    /// less than one that is scheduled again each turn.
    private func armTimer() {
        guard let deadline = machine.nextDeadline() else { return }
        if let armedFor, armedFor <= deadline { return }
        armedFor = deadline
        timer?.schedule(at: deadline.nanoseconds)
    }

    // MARK: - Actions

    /// Carries out the actions in order.
    ///
    /// A tool may end while it is started: the resulting actions are appended and executed in the
    /// same loop.
    private func carryOut() {
        guard !isCarryingOut else { return }
        isCarryingOut = true
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            carryOut(action)
        }
        actions.removeAll(keepingCapacity: true)
        isCarryingOut = false
    }

    private func carryOut(_ action: WorkerMachine.Action) {
        switch action {
        case .send(let message):
            connection?.send(message)
            if case .register = message { connection?.maximumLine = machine.maximumLine }
        case .startAttempt(let start): begin(start)
        case .checkTools: handle(.toolsChecked(options.toolbox.obstacles()))
        case .cancelAttempt(let attempt, let grace): running[attempt]?.cancel(grace: grace)
        case .connect: connect()
        case .disconnect:
            connecting?.cancel()
            connecting = nil
            connection?.closeAfterWriting()
            connection = nil
        case .awaitWritten: awaitWritten()
        case .report(let notice):
            if case .registered = notice { numbers.registrations += 1 }
            onNotice?(notice)
            notice.log(to: logger, ownSoftware: options.configuration.software)
        case .exit(let reason): exit(reason)
        }
    }

    private func connect() {
        let endpoint = options.endpoints[machine.coordinator]
        connecting = TCPConnection.connect(
            loop: loop,
            host: endpoint.host,
            port: endpoint.port,
            timeout: options.configuration.answerTime
        ) { [weak self] result in
            guard let self, !hasExited else {
                if case .success(let socket) = result { socket.close() }
                return
            }
            connecting = nil
            switch result {
            case .success(let socket):
                begin(socket, isEncrypted: options.tls.encrypts(host: endpoint.host))
            case .failure(let error): handle(.connectFailed(reason: "\(error)"))
            }
        }
    }

    private func begin(_ socket: TCPConnection, isEncrypted: Bool) {
        let connection = MessageConnection(
            loop: loop,
            socket: socket,
            tls: isEncrypted ? .peer(options.key, role: .worker) : nil,
            maximumLine: machine.maximumLine,
            outboxes: outboxes
        )
        self.connection = connection
        socket.setKeepAlive(seconds: 30)
        handle(.connected(nonce: SecureRandom.bytes(Limits.nonceBytes)))
        connection.start(
            onMessage: { [weak self] in self?.handle(.received($0)) },
            onViolation: { [weak self] in self?.handle(.violated($0)) },
            onEnd: { [weak self] error in self?.end(error) }
        )
    }

    private func end(_ error: UVError?) {
        connection?.close()
        connection = nil
        handle(.disconnected(reason: error.map { "\($0)" }))
    }

    /// The next time that everything has left is the requested one.
    private func awaitWritten() {
        connection?.onDrained = { [weak self] in
            self?.connection?.onDrained = nil
            self?.handle(.written)
        }
        loop.nextTurn { [weak self] in self?.connection?.flush() }
    }

    private func exit(_ reason: WorkerMachine.ExitReason) {
        hasExited = true
        connecting?.cancel()
        connection?.closeAfterWriting()
        connection = nil
        hook?.cancel()
        timer?.close()
        options.toolbox.shutDown()
        onExit?(reason)
    }

    // MARK: - Attempts

    private func begin(_ start: WorkerMachine.AttemptStart) {
        let attempt = start.attempt
        let startedAt = loop.nowNanoseconds
        starting = attempt
        guard options.toolbox.runner(named: start.tool) != nil else {
            return noteToolGone(start)
        }
        if let failure = options.toolbox.validate(arguments: start.arguments, for: start.tool) {
            return finish(
                attempt,
                start.tool,
                .failure(failure),
                isTruncated: false,
                startedAt: startedAt
            )
        }
        numbers.argumentBytes += start.arguments.count
        guard let runner = options.toolbox.runner(named: start.tool) else {
            preconditionFailure("the toolbox validates calls of \(start.tool), which it has not")
        }
        let invocation = Invocation(
            attempt: attempt,
            run: start.run,
            node: start.node,
            tool: start.tool,
            arguments: start.arguments,
            number: start.number,
            maxOutput: start.maxOutput,
            timeout: start.timeout,
            traceParent: start.traceParent
        )
        let handle = runner.start(invocation) { [weak self] report in
            self?.handleReport(report, of: attempt, start.tool, startedAt: startedAt)
        }
        guard starting != nil else { return }
        starting = nil
        running[attempt] = handle
    }

    /// The tool of an attempt has gone since the attempt was taken on.
    private func noteToolGone(_ start: WorkerMachine.AttemptStart) {
        starting = nil
        let failure = Failure(
            code: .spawnFailed,
            message: "\(start.tool) was not started: the worker no longer has it.",
            isRetryable: true
        )
        let problem = WorkerMachine.StartProblem(
            failure: failure,
            isShortage: false,
            arguments: start.arguments
        )
        handle(.attemptNotStarted(start.attempt, problem))
    }

    private func handleReport(
        _ report: ToolReport,
        of attempt: AttemptID,
        _ tool: String,
        startedAt: Int64
    ) {
        switch report {
        case .started: break
        case .output(let stream, let bytes):
            numbers.outputBytes += bytes.count
            handle(.attemptOutput(attempt, stream, bytes))
        case .progress(let fraction, let note):
            handle(.attemptProgressed(attempt, fraction: fraction, note: note))
        case .notStarted(let refusal):
            forget(attempt)
            handle(
                .attemptNotStarted(
                    attempt,
                    WorkerMachine.StartProblem(
                        failure: refusal.failure,
                        isShortage: refusal.isShortage,
                        arguments: refusal.arguments
                    )
                )
            )
        case .finished(let result, let isTruncated):
            let checked = options.toolbox.checked(result, of: tool)
            finish(attempt, tool, checked, isTruncated: isTruncated, startedAt: startedAt)
        }
    }

    /// Removes the invocation of an attempt that has ended.
    private func forget(_ attempt: AttemptID) {
        if starting == attempt {
            starting = nil
        } else {
            running[attempt] = nil
        }
    }

    private func finish(
        _ attempt: AttemptID,
        _ tool: String,
        _ result: Result<RawJSON, Failure>,
        isTruncated: Bool,
        startedAt: Int64
    ) {
        forget(attempt)
        let now = Instant(nanoseconds: loop.nowNanoseconds)
        let microseconds = now.microseconds(since: Instant(nanoseconds: startedAt))
        numbers.count(tool, result, microseconds: microseconds) {
            [toolbox = options.toolbox] name in
            toolbox.runner(named: name) != nil
        }
        handle(
            .attemptFinished(
                attempt,
                result,
                isTruncated: isTruncated,
                microseconds: microseconds
            )
        )
    }
}

@available(*, unavailable)
extension WorkerService: Sendable {}
