// What the shell tells the machine. All of it has happened already: events are in the past tense.
public import Core
public import JSON
public import Wire

extension WorkerMachine {
    /// Why a tool could not be started.
    public struct StartProblem: Sendable {
        /// What its node fails with if no worker can start it.
        public var failure: Failure
        /// Whether the system lacked something that comes back: descriptors, processes, memory.
        public var isShortage: Bool
        /// The arguments, as `startAttempt` gave them: they may be needed again.
        public var arguments: RawJSON

        /// Describes a start that failed.
        public init(failure: Failure, isShortage: Bool, arguments: RawJSON) {
            self.failure = failure
            self.isShortage = isShortage
            self.arguments = arguments
        }
    }

    /// Something that happened outside the machine.
    public enum Event: Sendable {
        /// The worker is to begin; once, before anything else.
        case startRequested
        /// Answers `connect`: the connection stands. The nonce is 32 fresh random bytes.
        case connected(nonce: [UInt8])
        /// Answers `connect`: there is no connection.
        case connectFailed(reason: String)
        /// The coordinator sent a message.
        case received(Message)
        /// The coordinator sent a line that is no message; the connection is still open.
        case violated(WireError)
        /// The connection ended without `disconnect`; the reason is nil for an orderly end.
        case disconnected(reason: String?)
        /// Answers `awaitWritten`: everything sent so far has been handed to the network.
        case written
        /// A running attempt wrote to its standard output or standard error.
        case attemptOutput(AttemptID, ChunkStream, [UInt8])
        /// A running attempt said how far it is.
        case attemptProgressed(AttemptID, fraction: Double?, note: String?)
        /// Answers `startAttempt`: the attempt ended after so many microseconds.
        case attemptFinished(
            AttemptID,
            Result<RawJSON, Failure>,
            isTruncated: Bool,
            microseconds: Int
        )
        /// Answers `startAttempt` as `attemptFinished` does: the tool could not be started, and
        /// surely has not run.
        case attemptNotStarted(AttemptID, StartProblem)
        /// Answers `checkTools`: the tools that cannot run for now, each with the reason.
        case toolsChecked([WithheldTool])
        /// The worker has other tools than before, or other descriptions of them; those that are not
        /// in the list have gone. Attempts of theirs go on.
        case toolsChanged([ToolDescription])
        /// The worker is to end when what runs has ended; with a deadline, by force after it.
        case drainRequested(deadline: Duration?)
        /// What started the worker has gone: it drains, and ends soon whatever still runs.
        case starterGone
        /// The worker is to end now.
        case stopRequested
        /// `nextDeadline()` may have been reached; does no harm if it has not.
        case deadlineReached
    }
}
