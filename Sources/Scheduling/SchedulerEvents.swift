// What goes into the scheduler and what comes out: events in the past tense, actions imperative.
// Each action that starts something names the events one of which answers it.

public import Core
public import Plans

extension Scheduler {
    /// Something that happened outside.
    ///
    /// Events about attempts that are no longer current are ignored.
    public enum Event: Sendable {
        /// A worker registered. Its number was not used before.
        case workerJoined(WorkerID, WorkerProfile)
        /// A worker offers other tools or slots than before.
        case workerChanged(WorkerID, WorkerProfile)
        /// A worker missed heartbeats: it keeps what it has and gets nothing new.
        case workerSuspected(WorkerID)
        /// A suspected worker was heard from again.
        case workerRecovered(WorkerID)
        /// A worker takes nothing new and finishes what it has.
        case workerDrained(WorkerID)
        /// A worker's lease ended or it left: all its attempts are fenced.
        case workerLost(WorkerID)
        /// A run was accepted; it has no nodes yet and may still grow. Workers hold at most
        /// `maxRunning` attempts of it at a time, if that is given, and of all runs of its owner no
        /// more than the owner may have.
        case runAdded(RunID, MissingToolPolicy, maxRunning: Int? = nil, owner: RunOwner? = nil)
        /// A run goes on that another scheduler had before.
        case runRestored(RestoredRun)
        /// Nodes were appended to a run. `held` lists nodes that wait for something that is not in
        /// the plan yet, once for each such thing; `edges` may also lead to older nodes.
        case nodesAdded(RunID, [NodeSpec], edges: [Plan.Edge], held: [Int])
        /// What a node was held for arrived (as an edge) or will never come; one entry a hold.
        case nodesReleased(RunID, [Int])
        /// The run's plan is complete.
        case runClosed(RunID)
        /// A worker began the attempt.
        case attemptStarted(AttemptID, WorkerID)
        /// A worker finished the attempt well, in this many microseconds if it said so.
        case attemptSucceeded(AttemptID, WorkerID, microseconds: Int?)
        /// The attempt failed; the failure says whether trying again may help.
        case attemptFailed(AttemptID, WorkerID, Failure)
        /// A worker did not start the attempt.
        case attemptRejected(AttemptID, WorkerID, Rejection)
        /// A worker lacked descriptors, processes or memory to start the attempt; its reason.
        case attemptLackedResources(AttemptID, WorkerID, reason: String)
        /// The attempt was not sent, and its node may not run before its arguments are made again,
        /// which the caller answers when it may.
        case attemptWithheld(AttemptID, WorkerID)
        /// A worker that should have the attempt does not know it.
        case attemptForgotten(AttemptID, WorkerID)
        /// The node's arguments were made, as `makeArguments` asked, and nothing else holds it: it is
        /// ready.
        case argumentsMade(NodeReference)
        /// The node's arguments cannot be made, or it must not run: it fails without an attempt.
        case argumentsFailed(NodeReference, Failure)
        /// A client asked to end the run.
        case cancelRequested(RunID)
        /// Nobody needs the run any more; all its nodes have settled.
        case runReleased(RunID)
        /// The coordinator is about to end: nothing is placed any more, and what workers have not
        /// begun is called back if that is safe.
        case placementEnded
        /// The deadline that `nextDeadline()` named has come.
        case deadlineReached
    }

    /// Something that the caller is to do.
    public enum Action: Sendable, Equatable {
        /// Send the attempt to the worker. Answered by `attemptStarted`, `attemptSucceeded`,
        /// `attemptFailed`, `attemptRejected`, `attemptWithheld`, `attemptForgotten` or `workerLost`.
        /// It may take as long as `timeout` there; nil means no limit. `isRepeatable` if its tool
        /// may run twice for the node.
        case dispatch(AttemptID, to: WorkerID, timeout: Duration?, isRepeatable: Bool)
        /// Ask the worker to end the attempt. Answered like `dispatch`.
        case cancel(AttemptID, on: WorkerID, CancelReason)
        /// The node's dependencies are done: make its arguments of their outputs. Answered by
        /// `argumentsMade` or `argumentsFailed`.
        case makeArguments(NodeReference)
        /// The node may be given to a worker.
        case publishReady(NodeReference)
        /// The attempt failed and another one follows after the delay.
        case publishRetry(AttemptID, Failure, after: Duration, RetryCause)
        /// The delay before the next attempt of the node is over.
        case publishPauseEnded(NodeReference)
        /// The attempt never ran, and its node is ready again.
        case publishReturned(AttemptID, ReturnReason)
        /// No connected worker can run the node; it waits.
        case publishUnplaceable(NodeReference)
        /// The node has reached its end.
        case settle(NodeReference, Settlement)
        /// Every node of the closed run has settled. Comes once a run, after its last `settle`.
        case finish(RunID)
    }

    /// How a node ended.
    public enum Settlement: Sendable, Equatable {
        /// The current attempt delivered.
        case succeeded
        /// No further attempt will be made.
        case failed(Failure)
        /// It never ran, because this node failed (or was cancelled).
        case skipped(because: Int)
        /// The run was cancelled.
        case cancelled
    }
}
