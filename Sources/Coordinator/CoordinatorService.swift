// The coordinator's shell: accepts connections, turns bytes and time into events for the machine
// and executes its actions. All decisions are in CoordinatorCore.

public import CoordinatorCore
internal import Core
internal import Glibc
public import Journal
public import LanguageModels
public import Logging
internal import PlannerCore
internal import Runs
public import Telemetry
public import Transport
public import UVLoop
package import Wire

/// A running coordinator on one loop.
///
/// Confined to its loop. `start` begins to listen; `stop` tells every peer and calls `onStopped`,
/// `drain` lets workers finish what they have begun before that.
public final class CoordinatorService {
    /// The options of a coordinator.
    public struct Options: Sendable {
        /// A numeric address, or `localhost`.
        public var host: String
        /// The port; 0 lets the system choose.
        public var port: Int
        /// The configuration of the machine.
        public var machine: CoordinatorMachine.Configuration
        /// Where remembered plans are kept; nil keeps them until the coordinator stops.
        public var memoryFile: PlanMemoryFile?
        /// Whether connections are encrypted; by default they are beyond this host.
        public var tls: TLSPolicy
        /// The state folder whose keys are read again when they change, and what was read of it;
        /// nil keeps the keys of the start.
        public var keys: (folder: String, store: KeyStore)?
        /// The database of a journal that several coordinators share: this one stands by until it
        /// leads; nil if it leads at once.
        public var sharedJournal: PostgresPlace?
        /// What metrics say of the program.
        public var build = BuildInfo()
        /// Where traces of runs are sent; nil if they are not.
        public var traces: TraceSettings?

        /// Describes a coordinator.
        public init(
            host: String = "127.0.0.1",
            port: Int = 7420,
            machine: CoordinatorMachine.Configuration,
            memoryFile: PlanMemoryFile? = nil,
            tls: TLSPolicy = .offHost,
            keys: (folder: String, store: KeyStore)? = nil
        ) {
            self.tls = tls
            self.keys = keys
            self.memoryFile = memoryFile
            self.host = host
            self.port = port
            self.machine = machine
        }
    }

    /// Called for the notices of the machine, which are also logged; for programs that embed a
    /// coordinator.
    public var onNotice: ((CoordinatorMachine.Notice) -> Void)?

    /// Called when the journal failed for good: nothing may be promised any more.
    public var onJournalFailure: ((JournalError) -> Void)?

    /// Called when it begins to stand by or to lead, with a journal that several share.
    public var onStanding: ((Standing) -> Void)?

    /// Called when it has stopped, and everything is on disk.
    public var onStopped: (() -> Void)?

    let loop: EventLoop
    var options: Options
    let models: ModelCatalogue?
    var journal: CoordinatorJournal?
    /// What waits to lead.
    var candidate: PostgresCandidate?
    /// What this one leads with, from when it has the lead.
    var sharedStore: PostgresStore?
    let kept: CoordinatorJournal.Kept
    var pruning: Timer?
    /// Runs while it drains.
    var drainTimer: Timer?
    var modelCalls: [ModelCallID: any ModelCall] = [:]
    var modelNumbers = ModelNumbers()
    /// What sends traces, if they are sent.
    private(set) var exporter: TraceExporter?
    var openModelCalls = OpenModelCalls()
    /// Whether it drains, and waits for the last traces only.
    var sendsLastTraces = false
    /// Connections that were closed at once.
    var refusedConnections = 0
    /// When it was made, in milliseconds of Unix time.
    let startedAt: Int
    let logger: Logger
    var machine: CoordinatorMachine
    var actions: [CoordinatorMachine.Action] = []
    var connections: [ConnectionID: MessageConnection] = [:]
    private var connectionCount = 0
    private var listener: TCPListener?
    var handshakes: HandshakeRate
    /// The keys that encrypt connections; nil if they are not encrypted.
    private var tls: TLSContext?
    /// The keys that are accepted.
    package private(set) var keyring = Keyring()
    private var keyWatch: KeyWatch?
    private var outboxes: Outboxes?
    private var inboxes: Inboxes?
    private var hook: TurnHook?
    private var timer: Timer?
    var armedFor: Instant?
    /// Remembered plans that are still to be written, and until when none are.
    private var unstoredPlans: [RememberedPlan]?
    private var storingPause: Int64?
    private var storingTimer: Timer?
    /// Connections with messages that wait until records are on disk, also closed ones.
    var held: [MessageConnection] = []
    /// The position up to which records are on disk.
    var written = 0
    /// Whether the disk was full when it was written last.
    var isDiskFull = false
    var isStopped = false
    private var isCarryingOut = false
    private var hasFurtherTurn = false

    /// Prepares a coordinator; nothing happens before `start`.
    ///
    /// The models plan and join goals; without them goals are refused. They belong to the same
    /// loop, and their owner closes them after `stop`. The journal keeps runs beyond the end of the
    /// process; without one they are in memory.
    public init(
        loop: EventLoop,
        options: Options,
        models: ModelCatalogue? = nil,
        journal: CoordinatorJournal? = nil,
        kept: CoordinatorJournal.Kept = CoordinatorJournal.Kept(),
        logger: Logger
    ) {
        self.loop = loop
        var options = options
        options.machine.hasModels = models?.planner != nil
        options.machine.highestPrices = models?.highestPrices
        options.machine.decoy = .fresh()
        options.machine.keepsRecords = journal != nil
        options.machine.standsBy = options.sharedJournal != nil
        options.machine.tracesRuns = options.traces != nil
        options.machine.unixMillisecondsAtZero = Self.unixMillisecondsAtZero(of: loop)
        self.options = options
        self.models = models
        self.journal = journal
        self.kept = kept
        self.logger = logger
        exporter = options.traces.map { [build = options.build, epoch = options.machine.epoch] in
            TraceExporter(loop: loop, settings: $0, build: build, epoch: epoch, logger: logger)
        }
        startedAt = options.machine.unixMillisecondsAtZero + Int(loop.nowNanoseconds / 1_000_000)
        handshakes = HandshakeRate(
            perSecond: options.machine.limits.handshakeRate,
            atOnce: 20 * options.machine.limits.handshakeRate
        )
        machine = Self.makeMachine(options.machine, on: loop)
    }

    static func makeMachine(
        _ configuration: CoordinatorMachine.Configuration,
        on loop: EventLoop
    ) -> CoordinatorMachine {
        CoordinatorMachine(
            configuration: configuration,
            seed: SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) },
            at: Instant(nanoseconds: loop.nowNanoseconds)
        )
    }

    /// The time of the calendar at the zero of the loop's clock.
    static func unixMillisecondsAtZero(of loop: EventLoop) -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
        return now - Int(loop.nowNanoseconds / 1_000_000)
    }

    /// Begins to listen and returns the address.
    ///
    /// - Throws: `UVError` if the address cannot be listened on.
    public func start() throws(UVError) -> SocketAddress {
        let listener = try TCPListener.listen(
            loop: loop,
            host: options.host,
            port: options.port,
            onConnection: { [weak self] in self?.accept($0) },
            onError: { [logger] error in
                logger.warning("accepting pauses", metadata: ["error": "\(error)"])
            }
        )
        self.listener = listener
        useKeys()
        // The machine's hook comes before that of the outboxes, so that its messages leave in this
        // turn.
        hook = loop.onTurnEnd { [weak self] in self?.endTurn() }
        outboxes = Outboxes(loop: loop)
        inboxes = Inboxes(loop: loop)
        timer = Timer(loop: loop) { [weak self] in
            self?.armedFor = nil
            self?.noteCalendar()
            self?.handle(.deadlineReached)
        }
        if let place = options.sharedJournal {
            standBy(with: place, listener.localAddress)
        } else {
            takeUpRuns()
        }
        if options.memoryFile != nil {
            storingTimer = Timer(loop: loop) { [weak self] in self?.storePlans() }
        }
        return listener.localAddress
    }

    /// Prepares encryption, and notices when keys change.
    private func useKeys() {
        keyring = options.machine.keyring
        if options.tls.encrypts(host: options.host) {
            tls = TLSContext.coordinator()
            encryptWithValidKeys()
        }
        guard let keys = options.keys else { return }
        keyWatch = KeyWatch(
            loop: loop,
            folder: keys.folder,
            store: keys.store,
            onChange: { [weak self] in self?.useKeyring($0) },
            onProblem: { [logger] in
                logger.warning("keys stay as they were", metadata: ["reason": "\($0)"])
            }
        )
    }

    private func useKeyring(_ keyring: Keyring) {
        logger.info("keys changed")
        self.keyring = keyring
        encryptWithValidKeys()
        handle(.keyringChanged(keyring))
    }

    /// Encrypts new connections with the keys that are accepted now: one whose time is over must
    /// look like one that never was.
    private func encryptWithValidKeys() {
        tls?.use(keyring, at: unixMilliseconds)
    }

    /// Tells the machine the time of the calendar, by which keys end; a clock that was set, or a
    /// host that slept, changes how it runs beside the clock of the loop.
    private func noteCalendar() {
        guard machine.awaitsEndOfKey else { return }
        handle(.calendarRead(unixMillisecondsAtZero: Self.unixMillisecondsAtZero(of: loop)))
    }

    /// Milliseconds of Unix time.
    package var unixMilliseconds: Int {
        Self.unixMillisecondsAtZero(of: loop) + Int(loop.nowNanoseconds / 1_000_000)
    }

    /// Tells those who ask for the status where the page for browsers is.
    package func announcePage(at url: String) { handle(.pageServed(url)) }

    /// Whether connections are encrypted.
    package var isEncrypted: Bool { tls != nil }

    /// Tells every peer, and closes everything that keeps the loop alive.
    public func stop() {
        guard !isStopped else { return }
        handle(.shutdownRequested)
        closeSources()
        guard let journal else { return closeStore() }
        journal.close { [self] problem in
            if let problem {
                logger.error("records were lost", metadata: ["error": "\(problem)"])
            }
            // What is held for records that are not on disk must not leave.
            for connection in exchange(&held, with: []) {
                if problem == nil { connection.release(upTo: .max) } else { connection.close() }
            }
            closeConnections()
        }
    }

    /// Ends without another word, because another coordinator leads, or may lead: neither what it
    /// holds nor what waits to be sent counts.
    func stopWithoutWord() {
        guard !isStopped else { return }
        closeSources()
        for connection in connections.values { connection.close() }
        for connection in exchange(&held, with: []) { connection.close() }
        connections = [:]
        guard let journal else { return closeStore() }
        journal.close { [self] _ in closeConnections() }
    }

    /// Without a journal there may be the store of one that was about to be read.
    private func closeStore() {
        guard let store = exchange(&sharedStore, with: nil) else { return closeConnections() }
        store.close { [self] in closeConnections() }
    }

    /// Nothing happens from here on.
    private func closeSources() {
        isStopped = true
        listener?.close()
        keyWatch?.close()
        hook?.cancel()
        timer?.close()
        storingTimer?.close()
        pruning?.close()
        drainTimer?.close()
        candidate?.close()
        storePlans()
        for call in modelCalls.values { call.cancel() }
        modelCalls = [:]
        exporter?.close()
    }

    private func closeConnections() {
        outboxes?.flush()
        for connection in connections.values { connection.closeAfterWriting() }
        connections = [:]
        onStopped?()
    }

    // MARK: - Events

    var now: Instant { Instant(nanoseconds: loop.nowNanoseconds) }

    func handle(_ event: CoordinatorMachine.Event) {
        guard !isStopped, leadsStill() else { return }
        machine.handle(event, at: now, into: &actions)
        takeRecords()
        // A cancelled model call reports at once, while actions are executed.
        if !isCarryingOut { carryOut() }
    }

    private func endTurn() {
        guard !isStopped, leadsStill() else { return }
        machine.endTurn(at: now, into: &actions)
        takeRecords()
        carryOut()
        armTimer()
        stopIfDrained()
    }

    func armTimer() {
        // The timer is only moved to an earlier time: most deadlines move to a later one in each
        // turn, and firing too early is rare and harmless.
        guard let deadline = machine.nextDeadline() else {
            if armedFor != nil { timer?.cancel() }
            armedFor = nil
            return
        }
        if let armedFor, armedFor <= deadline { return }
        armedFor = deadline
        timer?.schedule(at: deadline.nanoseconds)
    }

    private func accept(_ socket: TCPConnection) {
        guard isWelcome(socket) else { return socket.close() }
        connectionCount += 1
        let id = ConnectionID(connectionCount)
        let connection = MessageConnection(
            loop: loop,
            socket: socket,
            tls: tls,
            maximumLine: options.machine.limits.maxLineBeforeAuthentication,
            cutting: Outbox.Cutting(
                largestInline: options.machine.limits.announced.largestInline,
                bytesPerChunk: options.machine.limits.chunkBytes
            ),
            outboxes: outboxes,
            inboxes: inboxes
        )
        connections[id] = connection
        socket.setKeepAlive(seconds: 30)
        connection.onBacklog = { [weak self] in self?.report($0, of: id) }
        connection.onEncrypted = { [weak self] in self?.handle(.encrypted(id, key: $0)) }
        connection.onLinesWaiting = { [weak self] in self?.handle(.heard(id)) }
        handle(.connected(id, nonce: SecureRandom.bytes(Limits.nonceBytes)))
        connection.start(
            onMessage: { [weak self] in self?.handle(.received(id, $0)) },
            onViolation: { [weak self] in self?.handle(.violated(id, $0)) },
            onEnd: { [weak self] _ in self?.end(id) }
        )
    }

    private func end(_ id: ConnectionID) {
        connections.removeValue(forKey: id)?.close()
        handle(.disconnected(id))
    }

    // MARK: - Actions

    /// Executes the actions in order; handling an event may append more, which come after.
    func carryOut() {
        isCarryingOut = true
        defer { isCarryingOut = false }
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            switch action {
            case .send(let id, let message): connections[id]?.send(message)
            case .measureBacklog(let id):
                guard let backlog = connections[id]?.measureBacklog() else { continue }
                // Appended to the actions that are being executed.
                machine.handle(.backlog(id, backlog), at: now, into: &actions)
                takeRecords()
            case .pauseReading(let id): connections[id]?.pauseReading()
            case .resumeReading(let id): connections[id]?.resumeReading()
            case .discardBacklog(let id): connections[id]?.discardBacklog()
            case .close(let id):
                connections.removeValue(forKey: id)?.closeAfterWriting()
            case .closeAtOnce(let id):
                connections.removeValue(forKey: id)?.closeAfterWriting(waitsForEnd: false)
            case .raiseLineLimit(let id, let bytes):
                connections[id]?.maximumLine = bytes
                noteProof(of: id)
            case .letOthersGoFirst(let id): connections[id]?.isPreferred = false
            case .callModel(let id, let request, let purpose): call(id, request, purpose)
            case .cancelModel(let id): modelCalls[id]?.cancel()
            case .dropEndedKeys: encryptWithValidKeys()
            case .awaitJournal(let id): hold(id)
            case .loadRun(let wanted): load(wanted)
            case .readNode(let question): read(question)
            case .listRuns(let question): list(question)
            case .forgetRun(let run): forget(run)
            case .storePlans(let plans): store(plans)
            case .exportRun(let run, let earlier): export(run, earlier)
            case .report(let notice): report(notice)
            }
        }
        actions.removeAll(keepingCapacity: true)
    }

    /// Writes the remembered plans, at most once a second: the loop waits for the disk.
    private func store(_ plans: [RememberedPlan]) {
        guard options.memoryFile != nil else { return }
        unstoredPlans = plans
        if storingPause.map({ loop.nowNanoseconds >= $0 }) ?? true {
            storePlans()
        } else {
            storingTimer?.schedule(at: storingPause ?? 0)
        }
    }

    private func storePlans() {
        guard let plans = unstoredPlans, let file = options.memoryFile else { return }
        unstoredPlans = nil
        storingPause = loop.nowNanoseconds + 1_000_000_000
        guard let problem = file.store(plans) else { return }
        logger.warning("plans are not kept", metadata: ["error": "\(problem)"])
    }

    /// Tells the machine what waits for a peer; its actions follow in a later turn.
    private func report(_ backlog: Backlog, of id: ConnectionID) {
        handle(.backlog(id, backlog))
        guard !hasFurtherTurn else { return }
        hasFurtherTurn = true
        loop.nextTurn { [weak self] in self?.hasFurtherTurn = false }
    }

    private func report(_ notice: CoordinatorMachine.Notice) {
        onNotice?(notice)
        notice.log(to: logger)
    }
}

@available(*, unavailable)
extension CoordinatorService: Sendable {}
