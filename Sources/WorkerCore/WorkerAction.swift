// What the machine wants done. All of it is in the imperative; each case says which event answers
// it, if any does.
public import Core
public import JSON
public import Wire

extension WorkerMachine {
    /// Something the shell is to do, in the order given.
    public enum Action: Sendable, Equatable {
        /// Connect to the coordinator; answered by `connected` or `connectFailed`.
        case connect
        /// Close the connection after what was sent has been written; no `disconnected` follows.
        case disconnect
        /// Send a message over the connection.
        case send(Message)
        /// Tell when everything sent so far has been handed to the network; answered by `written`,
        /// unless the connection ends before.
        case awaitWritten
        /// Look which tools can run now; answered by `toolsChecked`, possibly at once.
        case checkTools
        /// Start a tool; answered by one `attemptFinished` or `attemptNotStarted`, possibly at once.
        case startAttempt(AttemptStart)
        /// Ask a running attempt to end, and end it by force after the grace; its
        /// `attemptFinished` still comes, once. May come again; the shorter grace counts.
        case cancelAttempt(AttemptID, grace: Duration)
        /// Tell people.
        case report(Notice)
        /// End the process: the last action there is.
        case exit(ExitReason)
    }

    /// What starting an attempt takes.
    public struct AttemptStart: Sendable, Equatable {
        /// Which attempt.
        public var attempt: AttemptID
        /// Its node.
        public var node: NodeID
        /// The tool; one of the configuration's.
        public var tool: String
        /// The arguments, not checked against the tool's schema yet.
        public var arguments: RawJSON
        /// The number of the attempt, from 1.
        public var number: Int
        /// How long it may take, for the tool to know; the machine keeps the time.
        public var timeout: Duration?
        /// Most bytes of output the coordinator takes.
        public var maxOutput: Int
        /// Its span, if the coordinator named it.
        public var traceParent: TraceParent?

        /// Its run.
        public var run: RunID { attempt.run }
    }

    /// Why a worker ends.
    public enum ExitReason: Sendable, Equatable {
        /// The coordinator did not accept the worker, or the worker the coordinator; trying again
        /// will not help.
        case refused(WireError)
        /// A newer worker of the same name has taken over.
        case replaced(String)
        /// A worker of the same name is connected.
        case nameTaken(String)
        /// The tools do not fit into the line that announces them.
        case unannounceable(bytes: Int, limit: Int)
        /// There was no coordinator for as long as the configuration allows.
        case noCoordinator
        /// All that ran has ended and its results are taken over.
        case drained
        /// It was stopped, or the deadline of a drain passed.
        case stopped
    }

    /// Something people may want to know; decides nothing.
    public enum Notice: Sendable, Equatable {
        /// The coordinator took the worker on.
        case registered(session: String, epoch: Int, software: String, isResumed: Bool)
        /// The coordinator does not take a tool in.
        case toolRefused(WithheldTool)
        /// No connection could be made; the next try is after the pause.
        case connectFailed(reason: String, retryIn: Duration)
        /// The connection is gone; the next try is after the pause.
        case connectionLost(reason: String, retryIn: Duration)
        /// The coordinator complained.
        case complained(ErrorMessage)
        /// The coordinator broke the protocol.
        case violated(WireError)
        /// The attempt was not begun.
        case rejected(NamedAttempt, RejectCode)
        /// Nobody waits for the attempt any more; it is cancelled and its outcome dropped.
        case abandoned(NamedAttempt)
        /// The attempt took longer than it may.
        case timedOut(NamedAttempt)
        /// The tool is not offered any more, because it cannot run for now.
        case withheld(WithheldTool)
        /// The tool is offered again.
        case offeredAgain(tool: String)
        /// The tool cannot be started for want of something; its attempts wait.
        case stalled(tool: String, reason: String)
        /// So many bytes the attempt wrote were not passed on, for want of room on the way.
        case outputDropped(NamedAttempt, bytes: Int)
        /// The worker ended before the coordinator had the outcome of the attempt.
        case lost(NamedAttempt)
        /// No new attempts are taken on.
        case draining(reason: String)
    }
}

/// An attempt as a person sees it.
public struct NamedAttempt: Sendable, Equatable {
    /// The attempt.
    public let id: AttemptID
    /// The name of its node.
    public let node: NodeID

    /// Makes it of its fields.
    public init(_ id: AttemptID, _ node: NodeID) {
        self.id = id
        self.node = node
    }
}

extension WorkerMachine.ExitReason {
    /// The exit status of a process that ends for this reason.
    public var exitStatus: Int32 {
        switch self {
        case .drained: 0
        case .replaced, .unannounceable: 1
        case .noCoordinator: 3
        case .refused, .nameTaken: 4
        case .stopped: 130
        }
    }
}

extension WorkerMachine.ExitReason: CustomStringConvertible {
    /// A sentence for a person.
    public var description: String {
        switch self {
        case .refused(let error):
            "Refused: \(error.message)"
        case .replaced(let message):
            "A newer worker of the same name has taken over: \(message)"
        case .nameTaken(let message):
            "\(message) Give this one another name, or let it replace that one (--replace)."
        case .unannounceable(let bytes, let limit):
            "The descriptions of the tools take \(bytes) bytes; the coordinator takes \(limit)."
        case .noCoordinator:
            "There was no coordinator for too long."
        case .drained:
            "Drained."
        case .stopped:
            "Stopped."
        }
    }
}
