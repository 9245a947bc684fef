// What the shell tells the machine, in the past tense, and what the machine wants done, in the
// imperative.
internal import Core

extension LaunchMachine {
    /// Something that happened outside the machine.
    public enum Event: Sendable, Equatable {
        /// The launch is to begin; once, before anything else.
        case startRequested
        /// Answers `prepare`: workers can start there.
        case sitePrepared(Int)
        /// What is done at a site before workers can start there, for people.
        case siteAdvanced(Int, String)
        /// Answers `prepare`, or comes later when a prepared site is lost; trying again does not
        /// help if the failure is final.
        case siteFailed(Int, reason: String, isFinal: Bool)
        /// Answers `release`.
        case siteReleased(Int)
        /// A worker that was started waits until it may run, for this reason.
        case memberPending(MemberID, reason: String)
        /// A worker that was started offers its tools to a coordinator, on so many slots if it told.
        case memberReady(MemberID, slots: Int? = nil)
        /// A worker that was ready has lost its coordinator.
        case memberUnconnected(MemberID, reason: String)
        /// Answers `start`: the worker has ended, or could not start.
        case memberEnded(MemberID, MemberEnd)
        /// A group is to have that many workers, or as many as its `min` and `max` allow.
        case scaleRequested(group: Int, count: Int)
        /// All ready nodes that wait for a worker which some group could start.
        case demandSeen([WaitingNodes])
        /// Everything is to end: gently, or at once.
        case downRequested(isUrgent: Bool)
        /// `nextDeadline()` may have been reached; does no harm if it has not.
        case deadlineReached
    }

    /// Something the shell is to do, in the order given.
    public enum Action: Sendable, Equatable {
        /// Make a site ready for workers; answered by `sitePrepared` or `siteFailed`.
        case prepare(Int)
        /// Remove what `prepare` left at a site; answered by `siteReleased`.
        case release(Int)
        /// Start a worker at a site; answered by `memberEnded` when it has ended. `isAgain` tells
        /// that the same worker was ready before, so that a coordinator may still have its name.
        case start(MemberID, site: Int, isAgain: Bool)
        /// Let a worker finish what it runs, and end.
        case drain(MemberID)
        /// Let a worker end now.
        case stop(MemberID)
        /// End a worker by all means.
        case kill(MemberID)
        /// Tell people.
        case report(Notice)
        /// End the launch: the last action there is.
        case finish(Outcome)
    }

    /// How a launch ended.
    public enum Outcome: Sendable, Equatable {
        /// It was asked to end, and all workers drained.
        case down
        /// It was asked to end, and some workers were stopped.
        case stopped
        /// All workers have left by themselves.
        case deserted
        /// No worker could be started.
        case failed
    }

    /// Something people may want to know; decides nothing.
    public enum Notice: Sendable, Equatable {
        /// A site failed; the next try is after the pause, nil for never.
        case siteFailed(Int, reason: String, retryIn: Duration?)
        /// A worker ended without being asked to; the next try is after the pause, nil for never.
        case memberFailed(MemberID, reason: String, retryIn: Duration?)
        /// A worker ended by itself, as it should.
        case memberLeft(MemberID)
        /// A worker that should drain took too long and is stopped.
        case drainTooLong(MemberID)
        /// A group has another size from now on.
        case scaled(group: Int, count: Int, isByDemand: Bool)
    }
}

/// How a worker's process ended.
public struct MemberEnd: Sendable, Equatable {
    /// Its exit status; a signal or a process that did not start counts as 1.
    public var status: Int
    /// Why, in a line for people.
    public var reason: String
    /// Whether a signal made it drain that did not come from here, as when its host shuts down.
    public var wasSignalled: Bool

    /// Makes an end.
    public init(status: Int, reason: String, wasSignalled: Bool = false) {
        self.status = status
        self.reason = reason
        self.wasSignalled = wasSignalled
    }

    /// Whether the worker drained.
    var isOrderly: Bool { status == 0 }

    /// Whether another try would end in the same way: the command line or the manifest is wrong.
    var isFinal: Bool { status == 2 }
}
