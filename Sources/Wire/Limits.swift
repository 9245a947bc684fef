// Every limit of the protocol and of the processes that speak it, with its default.
// What a peer must know of them is announced in `welcome`.

import Core

/// The limits of a coordinator or worker.
public struct Limits: Sendable, Equatable {
    /// Longest line, in bytes without its line end, after the handshake.
    ///
    /// Never below twice `chunkBytes` plus 1 KiB: a chunk may double when it is escaped.
    public var maxLine = 1 << 20
    /// Longest line, in bytes, before the peer has proved itself.
    public var maxLineBeforeAuthentication = 64 << 10
    /// Largest value (arguments or output) that travels in chunks, in bytes of its JSON text.
    public var maxValue = 256 << 20
    /// Bytes of chunks an attempt may have under way before a `window` grants more.
    public var window = 8 << 20
    /// Bytes of data in one chunk.
    public var chunkBytes = 256 << 10
    /// Pause between two pings.
    public var heartbeat: Duration = .seconds(2)
    /// Heartbeats without a message after which a session is suspect.
    public var missedHeartbeats = 3
    /// How long an attempt may run on without a report before it is fenced, and how long a
    /// peer may take none of the bytes that wait for it.
    public var lease: Duration = .seconds(10)
    /// How long a worker whose connection closed may come back to its session.
    public var resumeWindow: Duration = .seconds(2)
    /// Time for the whole handshake.
    public var handshake: Duration = .seconds(5)
    /// How long an acknowledgement may wait for a dispatch to go along with.
    public var ackDelay: Duration = .milliseconds(20)
    /// Acknowledgements for one worker that do not wait any longer.
    public var ackBatch = 64
    /// Time a cancelled attempt has before it is killed.
    public var cancelGrace: Duration = .seconds(5)
    /// Connections that have not proved themselves yet.
    public var unauthenticatedConnections = 1024
    /// Connections that an address may open in a second without proving itself; twenty times as many
    /// at once.
    public var handshakeRate = 100
    /// Connections in all.
    public var connections = 10_000
    /// Messages of unknown type on one connection before it is closed.
    public var unknownTypes = 100
    /// Unsent bytes of one connection beyond which a worker gets nothing new.
    public var outboxHighWater = 64 << 20
    /// Unsent bytes of all connections beyond which answers wait, and peers that read nothing are
    /// dismissed, whom most is owed first.
    public var allUnsentBytes = 256 << 20
    /// Bytes of arguments that are kept for nodes that wait for a worker; the arguments of others
    /// are made a second time when they are sent.
    public var argumentBytes = 64 << 20
    /// How long a person may take to approve a node, unless tool or run say otherwise.
    public var approvalTimeout: Duration = .seconds(3600)
    /// Bytes of output a tool may produce, unless it is configured otherwise.
    public var maxOutput = 16 << 20
    /// Events kept for late watchers, for each run.
    public var eventLogEntries = 16_384
    /// Bytes kept of what the tool of one attempt writes: half of them from its beginning, half from
    /// its end.
    public var attemptTextBytes = 64 << 10
    /// Bytes kept of what all tools of one run write.
    public var runTextBytes = 16 << 20
    /// Tools one worker may offer.
    public var toolsPerWorker = 1000
    /// Slots one worker may offer; at most `largestSlots`.
    public var slotsPerWorker = Limits.largestSlots
    /// Runs that may be unfinished at the same time.
    public var unfinishedRuns = 10_000
    /// Bytes of records that wait for the disk, beyond which no further run is accepted.
    public var unwrittenBytes = 64 << 20
    /// Finished runs kept for questions about them.
    public var finishedRuns = 1000
    /// Nodes of finished runs kept in all; the latest run is kept however large it is.
    public var finishedNodes = 2_000_000
    /// Bytes that one run may hold: plan, outputs, failures, kept events, answer.
    public var runBytes = 512 << 20
    /// Bytes that all runs may hold together, finished ones included.
    public var heldBytes = 768 << 20
    /// Bytes of events kept for late watchers, for each run.
    public var eventBytes = 8 << 20
    /// Bytes of finished runs kept in all; the latest run is kept however large it is, as long as
    /// live ones do not need the room.
    public var finishedBytes = 256 << 20
    /// Events of a finished run kept for those who still want to watch it.
    public var finishedEvents = 256

    /// The defaults.
    public init() {}

    /// What `welcome` tells the peer.
    public var announced: AnnouncedLimits {
        AnnouncedLimits(maxLine: maxLine, maxValue: maxValue, window: window)
    }
    /// The pause between two pings in whole milliseconds, for `welcome`.
    public var heartbeatMilliseconds: Int { heartbeat.millisecondsRoundedUp }
    /// The lease in whole milliseconds, for `welcome` and `dispatch`.
    public var leaseMilliseconds: Int { lease.millisecondsRoundedUp }
    /// The grace of a cancelled attempt in whole milliseconds, for `cancel`.
    public var cancelGraceMilliseconds: Int { cancelGrace.millisecondsRoundedUp }
}

extension Limits {
    /// How many bytes an event tells of planned nodes, or of arguments that a person is asked about;
    /// of names and problems it tells four times as many.
    ///
    /// What is longer is left out, so that an event always fits into a line.
    public var detailBytes: Int { min(16 << 10, maxLine / 8) }
    /// The largest integer on the wire: every JSON implementation holds it exactly.
    public static let largestInteger = 1 << 53
    /// Slots a worker can offer at all.
    public static let largestSlots = 4096
    /// Labels a worker can carry.
    public static let largestLabels = 64
    /// Bytes of the name of a worker, client or viewer.
    public static let nameLength = 64
    /// Bytes of the name of a tool.
    public static let toolNameLength = 128
    /// Bytes of a goal.
    public static let goalLength = 64 << 10
    /// Bytes of the idempotency key of a submission, and of its label.
    public static let keyLength = 256
    /// Bytes of the reason of an approval or a denial.
    public static let reasonLength = 4 << 10
    /// Bytes of a nonce, a key and a message authentication code.
    public static let nonceBytes = 32
}
