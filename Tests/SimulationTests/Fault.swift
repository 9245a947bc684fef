// The faults of a simulation. Each class must happen in a campaign, or the campaign tests less than
// it seems to.

/// A class of faults and of events that only happen after faults.
enum Fault: String, CaseIterable, Sendable {
    /// A worker's process dies with everything that runs in it.
    case workerCrash
    /// It comes back under its name.
    case workerRestart
    /// A connection breaks and both sides notice soon.
    case cut
    /// A connection breaks and one side notices only by silence.
    case halfOpen
    /// Messages on their way are lost when a connection breaks.
    case messageLost
    /// A message takes long; those behind it wait.
    case delay
    /// Messages of the coordinator do not arrive for a while.
    case partitionToPeer
    /// Messages of a peer do not arrive for a while.
    case partitionToCoordinator
    /// The coordinator's process is stopped for a while; what is sent to it waits.
    case coordinatorPause
    /// It is stopped for longer than a lease and a resume window: peers gave it up meanwhile.
    case coordinatorLongPause
    /// A client closes the connection to a coordinator that does not answer, and connects again.
    case clientGaveUp
    /// The coordinator's process dies, and another one goes on from what was on disk.
    case coordinatorCrash
    /// It was told to end a while before: nothing is dispatched or accepted any more.
    case coordinatorDrain
    /// All that could be finished was, before it ended.
    case coordinatorDrained
    /// Records that were not on disk were lost with it.
    case recordsLost
    /// The leader is stopped for longer than its lease, and another one leads.
    case leaderStopped
    /// The leader's appends do not arrive for longer than its lease, and another one leads.
    case leaderCut
    /// An append of a former leader writes nothing.
    case staleAppend
    /// A former leader dispatches a tool that may run twice.
    case staleDispatch
    /// A coordinator that stands by refuses a peer.
    case standbyRefused
    /// The write under way when it died is on disk in part.
    case tornWrite
    /// A bit of that write is another one.
    case flippedBit
    /// A changed bit before it: the journal is refused, and given back as it was.
    case journalRefused
    /// A worker comes back to its session at another coordinator, with an attempt of the one before.
    case adoptedAfterRestart
    /// A run that ended is read from disk, because a client asks for it.
    case runLoaded
    /// The disk is full for a while.
    case diskFull
    /// So much waits for the disk that nothing is dispatched.
    case journalBehind
    /// The story or the log of a node is read from disk.
    case nodeRead
    /// A tool writes something while it runs.
    case toolWrote
    /// A run that ended is done again.
    case runRetried
    /// It takes outputs over.
    case outputsTakenOver
    /// A node waits for approval.
    case approvalAsked
    /// It was ready before its tool was known to need that.
    case approvalAskedLate
    /// It waits at the next start of the coordinator, too.
    case approvalAskedAgain
    /// A node was approved.
    case nodeApproved
    /// A node was denied.
    case nodeDenied
    /// No answer came in time.
    case approvalTimedOut
    /// A second worker takes the name of the first.
    case twin
    /// A second worker of a live name is refused.
    case twinRefused
    /// A worker cannot start a tool, for any node.
    case startRefused
    /// A worker is short of something for a moment and tries again.
    case shortage
    /// A worker's tool disappears, or is back.
    case toolGone
    /// A worker has other tools than before, in another order.
    case toolListChanged
    /// A node kills its worker each time.
    case killer
    /// Other nodes were on the worker that it killed.
    case killedWithOthers
    /// A worker gets a new key; its old one is accepted for a while, or not at all.
    case keyChanged
    /// A worker ends because its key is not accepted.
    case keyRefused
    /// A client asks to drain a worker.
    case drainOrdered
    /// A worker drains by itself.
    case drainRequested
    /// A worker ends an attempt without a cancel, because the deadline of its drain is over.
    case drainEndedAttempt
    /// A worker ends with running attempts, because the deadline of its drain is over.
    case drainForced
    /// A peer reads slowly for a while, or nothing.
    case slowReader
    /// It read nothing of its backlog, for too long, or ended its connection before it did.
    case slowReaderDismissed
    /// A question waits until there is room for its answer.
    case questionWaits
    /// A tool does not end when it is cancelled.
    case stubbornTool
    /// A client cancels its run.
    case cancelRun
    /// A client's connection breaks.
    case clientCut
    /// A streamed plan breaks off, and its client says so.
    case planBreaksOff
    /// A result of an attempt that is not current any more arrives.
    case lateResult
    /// It comes from the worker that holds the node's current attempt.
    case lateResultOfHolder
    /// A worker comes back to its session with attempts.
    case resumed
    /// A session ended with attempts in it.
    case attemptsLost
    /// A tool fails, finally or temporarily.
    case toolFailure
    /// A tool takes longer than it may.
    case timeout
    /// A value is sent in chunks.
    case chunks
    /// A worker's result has an output that is not JSON.
    case unreadableOutput
    /// A chunk of an output has text that is not a JSON string.
    case unreadableChunk
    /// A session ended because nothing was heard for the length of a lease.
    case leaseExpired
    /// The coordinator has as many unfinished runs as it allows.
    case busy
    /// A submission alone has more bytes than a run may hold.
    case submissionTooLarge
    /// A run grows beyond the bytes that it may hold.
    case runTooLarge
    /// All runs together hold more than they may, and the largest ends.
    case allTooLarge
    /// A run took longer than its budget of time.
    case outOfTime

    /// A model writes a plan with an invalid part.
    case malformedPlan
    /// A model decides nothing, or writes on after its decision.
    case malformedDecision
    /// A call of a model fails before its first word.
    case modelFailedEarly
    /// It fails in the middle of the reply.
    case modelFailedMidStream
    /// It fails after the complete reply.
    case modelFailedLate
    /// Its reply is cut at the limit of tokens.
    case modelCutShort
    /// It is silent for long, and is given up.
    case modelHung
    /// The model refuses.
    case modelRefused
    /// The coordinator cancels a call.
    case modelCallCancelled
    /// A model is asked to repair its reply.
    case repair
    /// A model that is asked before every call is asked again.
    case furtherStep
    /// A tool joins the outcomes of a run.
    case joinedByTool
    /// A joiner asks for another plan.
    case replan
    /// A goal fails because it has used all nodes or tokens.
    case outOfBudget
}

extension Fault {
    /// Faults that only happen in larger campaigns.
    static let rare: Set<Fault> = [.drainForced, .lateResultOfHolder, .questionWaits]
}

/// How often each fault happened.
struct FaultCounts: Sendable {
    private(set) var counts: [Fault: Int] = [:]

    mutating func note(_ fault: Fault) { counts[fault, default: 0] += 1 }

    mutating func add(_ other: FaultCounts) {
        for fault in Fault.allCases { counts[fault, default: 0] += other[fault] }
    }

    subscript(fault: Fault) -> Int { counts[fault, default: 0] }

    func missing(rareToo: Bool) -> [Fault] {
        Fault.allCases.filter { self[$0] == 0 && (rareToo || !Fault.rare.contains($0)) }
    }

    var words: String {
        Fault.allCases.map { "\($0.rawValue) \(self[$0])" }.joined(separator: ", ")
    }
}
