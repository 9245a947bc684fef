// What goes into the coordinator's core and what comes out. The shell turns bytes and timers into
// events and carries out actions in order; it decides nothing.

public import Core
public import PlannerCore
public import Runs
public import Telemetry
public import Wire

/// One call of a language model for a run.
public struct ModelCallID: Sendable, Hashable, CustomStringConvertible {
    /// The run that is planned or joined.
    public let run: RunID
    /// Counted from 1 within the run.
    public let number: Int

    /// Names a call.
    public init(run: RunID, number: Int) {
        self.run = run
        self.number = number
    }

    /// For logs, as in `r1 call 2`.
    public var description: String { "\(run) call \(number)" }
}

extension CoordinatorMachine {
    /// Something that happened outside.
    public enum Event: Sendable {
        /// A peer connected. The nonce is 32 fresh random bytes for its handshake.
        case connected(ConnectionID, nonce: [UInt8])
        /// The connection is encrypted with the key of that name, which both sides have proved.
        case encrypted(ConnectionID, key: String)
        /// Unix time at the zero of the monotonic clock is this now; it differs from before when
        /// a clock was set. By it keys end.
        case calendarRead(unixMillisecondsAtZero: Int)
        /// These keys, and no others, are accepted from now on.
        case keyringChanged(Keyring)
        /// A message arrived.
        case received(ConnectionID, Message)
        /// Lines of the peer have arrived and will follow in a later turn: it is not silent.
        case heard(ConnectionID)
        /// What arrived was no message of the protocol.
        case violated(ConnectionID, WireError)
        /// The connection is gone, for whatever reason but our own `close`.
        case disconnected(ConnectionID)
        /// What waits for the peer, when a turn ends with more than its socket took, whenever the
        /// peer has taken some of it, once when nothing waits any more, and after
        /// `measureBacklog` at once and when the turn ends.
        case backlog(ConnectionID, Backlog)
        /// The open call of a model reported. Reports of calls that are not open change nothing.
        case modelReported(ModelCallID, ModelEvent)
        /// All records up to this position (`recordPosition`) are on disk.
        case journalWritten(upTo: Int)
        /// What `listRuns` asked for, the newest first.
        case runsListed(RunsQuestion, [EndedRun])
        /// What `readNode` asked for, and the position of the next page; no records if the disk does
        /// not have the run.
        case nodeRead(NodeQuestion, [RunRecord]?, next: Int?)
        /// What `loadRun` asked for: all records of the run, in order; nil if there is none.
        case runLoaded(WantedRun, [RunRecord]?)
        /// The deadline that `nextDeadline()` named has come.
        case deadlineReached
        /// Nothing more can be written, because the disk is full, or it can again.
        case journalStalled(Bool)
        /// The page for browsers is served at this address.
        case pageServed(String)
        /// Another coordinator leads, at this address if it is known.
        case leaderNamed(String?)
        /// The process is to end soon: no further run is accepted, nothing is dispatched, and
        /// `isDrained` tells when nothing is left that could still be finished.
        case drainRequested
        /// The process is to end: peers are told.
        case shutdownRequested
    }

    /// Something that the shell is to do.
    public enum Action: Sendable {
        /// Take no further message of the peer, not even one that has arrived, until
        /// `resumeReading`.
        case pauseReading(ConnectionID)
        /// Take the peer's messages again.
        case resumeReading(ConnectionID)
        /// Append the message to the connection's outbox, which leaves from the end of the loop
        /// turn on, as fast as the peer takes it.
        ///
        /// A value in it may be of any size: it is shared, and cut into chunks as it leaves.
        case send(ConnectionID, Message)
        /// Let what is sent to the connection from here on leave only when all records up to the
        /// present position are on disk.
        case awaitJournal(ConnectionID)
        /// Remove a run that has ended from disk.
        case forgetRun(RunID)
        /// List runs that have ended from disk, the newest first; answered by one `runsListed`.
        case listRuns(RunsQuestion)
        /// Read records of a node from disk, after all that is about to be written; answered by one
        /// `nodeRead`.
        case readNode(NodeQuestion)
        /// Read a run that has ended from disk; answered by one `runLoaded`.
        case loadRun(WantedRun)
        /// Answer with a `backlog` event, and with another when the turn has ended.
        case measureBacklog(ConnectionID)
        /// Forget what waits in the outbox of a connection that is about to be closed.
        case discardBacklog(ConnectionID)
        /// Send what is in the outbox, then close. No `disconnected` follows.
        case close(ConnectionID)
        /// The same, without waiting until the peer ends its side, too.
        case closeAtOnce(ConnectionID)
        /// The peer has proved itself: lines up to the announced limit are accepted from now on.
        case raiseLineLimit(ConnectionID, bytes: Int)
        /// Take the peer's lines after those of workers and of peers that prove themselves.
        case letOthersGoFirst(ConnectionID)
        /// Call a model; answered by `modelReported`, exactly one of which ends the call.
        case callModel(ModelCallID, ModelRequest, PlannerMachine.Purpose)
        /// Keep these remembered plans, and no others, for the next start.
        case storePlans([RememberedPlan])
        /// Cancel a call, which still ends with a report.
        case cancelModel(ModelCallID)
        /// Keys of the keyring have ended: use those that have not, to encrypt.
        case dropEndedKeys
        /// Send the trace of a run that has ended, of which these attempts were followed by another.
        indirect case exportRun(Run, [EarlierAttempt])
        /// Tell the people who read the log.
        case report(Notice)
    }

    /// Something worth a line in the log.
    public enum Notice: Sendable, Equatable {
        /// A worker registered with so many slots and tools.
        case workerJoined(name: String, slots: Int, tools: Int, isResumed: Bool)
        /// A worker's session ended.
        case workerLeft(name: String, reason: String, attempts: Int)
        /// A tool of a worker is not offered, and why.
        case toolRefused(name: String, worker: String, reason: String)
        /// A worker offers other tools than before; these it has and cannot run for now.
        case offerChanged(worker: String, tools: Int, withheld: [WithheldTool])
        /// A peer failed the handshake, broke the protocol or was too slow.
        case peerDismissed(ConnectionID, WireError)
        /// An identity submitted a run.
        case runAccepted(RunID, by: String?, nodes: Int)
        /// A node waits for a person's approval to call a tool.
        case approvalAsked(RunID, NodeID, tool: String)
        /// An identity approved or denied a node.
        case approvalAnswered(RunID, NodeID, isApproved: Bool, by: String?)
        /// An identity asked to end a run.
        case cancelAsked(RunID, by: String?)
        /// A run ended.
        case runEnded(RunID, status: String, milliseconds: Int, PlanningCourse)
    }
}
