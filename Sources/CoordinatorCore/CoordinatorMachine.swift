// The coordinator's core: sessions, runs, the catalogue of tools and the scheduler, as one pure
// value. Events in, actions out, `now` a parameter; no clock, socket, log or randomness inside.
// Its parts are Peers, Fleet, Launches, RunTable, Audience, PlanMemory, Presence, ArgumentBudget and the
// Scheduler; what happens is in the extensions, topic by topic.

public import Core
internal import PlannerCore
public import Plans
internal import Runs
public import Scheduling
public import Wire

/// Everything that a coordinator decides.
///
/// The shell calls `handle` for each event, `endTurn` once a loop turn after all input, and arms
/// one timer for `nextDeadline()`. It carries out the actions in order.
public struct CoordinatorMachine: Sendable {
    let configuration: Configuration
    var limits: Limits { configuration.limits }
    var scheduler: Scheduler
    var generator: SplitMix64
    let startedAt: Instant
    var isShuttingDown = false
    /// Whether it is about to end: no further run is accepted, and nothing is dispatched.
    var isDraining = false

    /// Where the coordinator is that leads, while this one stands by.
    var leader: String?
    /// Where its page for browsers is; nil if it has none.
    var page: String?

    /// The clock by which others are judged.
    var presence = Presence()
    var peers = Peers()
    var fleet = Fleet()
    var runs = RunTable()
    var audience = Audience()
    var launches = Launches()
    /// What waits until records are on disk.
    var journal = JournalOrder()
    /// The runs that are on disk only.
    var history = RunHistory()
    var memory: PlanMemory
    /// The keys that are accepted, and when the next of them ends.
    var keyring: Keyring
    var keyringEnd: Instant?
    /// Milliseconds of Unix time at the zero of the monotonic clock, for the ends of keys.
    var calendar: Int
    /// Room and time for the arguments of ready nodes.
    var argumentBudget = ArgumentBudget()
    /// Whether another turn must follow at once, because this one had no time for all the work.
    var furtherTurn: Instant?
    /// What happened since the start, for metrics.
    var counters = Counters()
    /// What the scheduler asked for; reused, so that events allocate nothing.
    var schedulerActions: [Scheduler.Action] = []
    var isCarryingOut = false

    /// What a coordinator is told at its start.
    public struct Configuration: Sendable {
        /// The protocol's limits.
        public var limits: Limits
        /// The scheduler's numbers.
        public var schedulerLimits: SchedulerLimits
        /// The keys that are accepted at the start.
        public var keyring: Keyring
        /// What takes the place of a key that there is not, so that strangers do not learn which
        /// there are: a random key that no peer has.
        public var decoy: HandshakeKey?
        /// Counts the starts of this coordinator; a session of another epoch is not resumed.
        public var epoch: Int
        /// Name and version, told to peers.
        public var software: String
        /// Whether another coordinator leads: then peers are refused once they have proved
        /// themselves.
        public var standsBy = false
        /// Whether there are language models to plan and join with.
        public var hasModels = false
        /// The highest prices of the models; nil if none has prices.
        public var highestPrices: TokenPrices?
        /// Whether records are returned by `takeRecords`, and `journalWritten` follows when they are
        /// on disk.
        public var keepsRecords = false
        /// Whether `exportRun` follows with the attempts of each run that ends; then every tool gets
        /// the span of its attempt.
        public var tracesRuns = false
        /// The number of the first event of runs that are restored: beyond all of earlier epochs.
        var firstSequence: Int { epoch << 32 }
        /// Milliseconds of Unix time at the zero of the monotonic clock.
        public var unixMillisecondsAtZero = 0
        /// The form of plans that models are asked for, unless a submission says otherwise.
        public var planFormat = PlanFormat.text
        /// Goals with plans that reach them, which planners are shown.
        public var planExamples: [PlanExample] = []
        /// Plans that were remembered before, of which planners are shown the nearest.
        public var rememberedPlans: [RememberedPlan] = []
        /// Whether the plans of goals that were reached are remembered without being asked.
        public var remembersPlans = false

        /// Describes a coordinator.
        public init(
            limits: Limits = Limits(),
            schedulerLimits: SchedulerLimits = SchedulerLimits(),
            keyring: Keyring,
            epoch: Int = 1,
            software: String = "weft"
        ) {
            self.limits = limits
            self.schedulerLimits = schedulerLimits
            self.keyring = keyring
            self.epoch = epoch
            self.software = software
        }
    }

    /// Makes a coordinator without peers or runs.
    ///
    /// The seed decides run and session names and the jitter of retries; none of these is a secret.
    public init(configuration: Configuration, seed: UInt64, at now: Instant) {
        self.configuration = configuration
        generator = SplitMix64(seed: seed)
        var schedulerLimits = configuration.schedulerLimits
        schedulerLimits.cancelGrace = configuration.limits.cancelGrace
        scheduler = Scheduler(limits: schedulerLimits, seed: generator.next())
        startedAt = now
        memory = PlanMemory(configuration.rememberedPlans)
        keyring = configuration.keyring
        calendar = configuration.unixMillisecondsAtZero
        keyringEnd = keyringEnd(after: now)
    }

    /// Takes in one event and appends what follows from it.
    public mutating func handle(_ event: Event, at now: Instant, into actions: inout [Action]) {
        var turn = CoordinatorTurn(at: now, after: exchange(&actions, with: []))
        defer { actions = turn.actions }
        if isShuttingDown {
            // Shutting down: refuse new connections.
            if case .connected(let connection, let nonce) = event {
                connect(connection, nonce, in: &turn)
            }
            return
        }
        presence.note(now, pause: limits.heartbeat)
        switch event {
        case .received(let connection, let message):
            receive(message, from: connection, in: &turn)
        case .heard(let connection):
            noteArrival(from: connection, in: &turn)
        case .connected(let connection, let nonce):
            connect(connection, nonce, in: &turn)
        case .violated(let connection, let error):
            violate(connection, error, in: &turn)
        case .disconnected(let connection):
            disconnect(connection, in: &turn)
        case .backlog(let connection, let backlog):
            noteBacklog(backlog, of: connection, in: &turn)
        case .encrypted(let connection, let key):
            noteEncryption(of: connection, withKey: key)
        case .calendarRead(let calendar):
            changeCalendar(calendar, in: &turn)
        case .keyringChanged(let keyring):
            changeKeyring(keyring, in: &turn)
        case .modelReported(let call, let event):
            handleReport(call, event, in: &turn)
        case .journalWritten(let position):
            passWritten(position, in: &turn)
        case .runsListed(let question, let runs):
            passListed(question, runs, in: &turn)
        case .nodeRead(let question, let records, let next):
            passNode(question, records, next: next, in: &turn)
        case .runLoaded(let wanted, let records):
            passLoaded(wanted, records, in: &turn)
        case .deadlineReached:
            passDeadlines(in: &turn)
        case .journalStalled(let isStalled):
            journal.isStalled = isStalled
        case .drainRequested:
            drain(in: &turn)
        case .leaderNamed(let address):
            leader = address
        case .pageServed(let address):
            page = address
        case .shutdownRequested:
            shutDown(in: &turn)
        }
        keepWithinBounds(in: &turn)
        journal.endEvent()
    }

    /// Ends a loop turn: places nodes that became ready and acknowledges results that arrived.
    public mutating func endTurn(at now: Instant, into actions: inout [Action]) {
        guard !isShuttingDown else { return }
        var turn = CoordinatorTurn(at: now, after: exchange(&actions, with: []))
        defer { actions = turn.actions }
        presence.note(now, pause: limits.heartbeat)
        if !fleet.twins.isEmpty { admitTwins(in: &turn) }
        scheduler.continueSweeps(into: &schedulerActions)
        carryOut(in: &turn)
        makePostponedArguments(in: &turn)
        let isBehind = isJournalBehind
        if !isBehind {
            scheduler.place(at: presence.judgingTime(at: now), into: &schedulerActions)
        }
        carryOut(in: &turn)
        sendUnsent(in: &turn)
        argumentBudget.beginTurn()
        makeAnswers(in: &turn)
        restateMore(in: &turn)
        keepWithinBounds(in: &turn)
        // A run that ends because it holds too much may free slots after the placement.
        let isUnfinished =
            hasUnfinishedWork || scheduler.hasSweeps || scheduler.hasOpenings && !isBehind
        furtherTurn = isUnfinished ? now : nil
        sendDueAcknowledgements(in: &turn)
        journal.endEvent()
        storePlans(in: &turn)
        peers.forgetTold()
        fleet.endTurn()
    }

    /// The earliest instant at which `deadlineReached` is due, or nil.
    ///
    /// The shell arms one timer.
    public func nextDeadline() -> Instant? {
        guard !isShuttingDown else { return nil }
        var next: Instant?
        func consider(_ candidate: Instant?) {
            guard let candidate else { return }
            next = next.map { min($0, candidate) } ?? candidate
        }
        func consider(judging candidate: Instant?) {
            consider(candidate.map(presence.realTime(of:)))
        }
        consider(judging: scheduler.nextDeadline())
        consider(judging: peers.nextHandshakeDeadline)
        consider(judging: fleet.nextLoss)
        consider(judging: launches.nextEnd)
        consider(judging: runs.deadlines.ofClosingCalls.next)
        consider(presence.nextHeartbeat)
        consider(audience.progress.due)
        consider(fleet.acknowledgementTimes.due)
        consider(runs.deadlines.ofRuns.next)
        consider(runs.deadlines.ofApprovals.next)
        consider(keyringEnd)
        consider(judging: fleet.twins.next)
        consider(furtherTurn)
        return next
    }

    /// Walks every cross-reference; tests, simulation and debug builds call it.
    public func validate() throws(InvariantViolation) {
        try scheduler.validate()
        try validateRuns()
        try peers.validate()
        try fleet.validate()
        try launches.validate()
        try validateArguments()
    }

    // MARK: - Scheduler

    /// Hands an event to the scheduler and carries out what follows.
    mutating func schedule(_ event: Scheduler.Event, in turn: inout CoordinatorTurn) {
        let time = presence.judgingTime(at: turn.now)
        scheduler.handle(event, at: time, into: &schedulerActions)
        carryOut(in: &turn)
    }

    /// A name of ten letters and digits that nobody uses yet; not a secret.
    mutating func makeName() -> String {
        let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
        var name = ""
        for _ in 0..<10 {
            name.append(alphabet[Int.random(in: 0..<alphabet.count, using: &generator)])
        }
        return name
    }
}
