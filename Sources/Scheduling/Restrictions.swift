// Where a node may not run for now, and why. Few nodes are restricted, and only while some worker is
// sick; they wait in queues of their own beside the placement classes. What leads to restrictions
// and ends them is in Scheduler+Trouble, their placement in Scheduler+Careful.

internal import Core
internal import DequeModule

/// The workers that a node keeps away from.
struct Restrictions: Sendable, Hashable {
    /// Workers that could not start it, in the order in which they refused it.
    var refused: [WorkerID] = []
    /// Workers on which an attempt failed retryably; the next one goes elsewhere if it can.
    var avoided: [WorkerID] = []
    /// Which suspects of a lost worker it belongs to; 0 for none.
    ///
    /// A worker holds suspects of one group at a time.
    var suspects = 0

    var isEmpty: Bool { refused.isEmpty && avoided.isEmpty && suspects == 0 }

    /// Whether there are workers that it keeps away from altogether.
    var excludesAny: Bool { !refused.isEmpty || !avoided.isEmpty }

    func excludes(_ worker: WorkerID) -> Bool {
        refused.contains(worker) || avoided.contains(worker)
    }
}

/// What has happened to a node that has restrictions.
struct Trouble: Sendable {
    var restrictions = Restrictions()
    /// Why the latest worker could not start it.
    var refusal: Failure?
    /// The names of the workers that could not start it; they may have left since.
    var refusers: [String] = []
    /// Whether watchers were told that nobody can run it.
    var isAnnounced = false

    /// What the node fails with when nobody is left who might start it.
    func failure(of tool: String) -> Failure {
        var failure =
            refusal ?? Failure(code: .spawnFailed, message: "\(tool) could not be started")
        let shown = refusers.prefix(5).joined(separator: ", ")
        let more = refusers.count > 5 ? " and \(refusers.count - 5) more" : ""
        let whom = refusers.count == 1 ? "worker" : "workers"
        failure.message +=
            " (\(whom) \(shown)\(more) could not start it, and no other worker can run it)"
        return failure
    }
}

/// A tool that a worker could not start and therefore gets less of.
struct Cooling: Sendable {
    /// Refused attempts in a row, counted once for each time that the tool was tried again.
    var refusals = 0
    /// Whether the pause goes on.
    ///
    /// After it one attempt at a time goes there until one begins.
    var isActive = false
    /// When the pause ends.
    var until = Instant.zero
    /// What the worker said last.
    var reason = ""
    /// Whether the worker lacked something that comes back, and the tool is not broken there.
    var isShortage = false
    /// Whether the tool pauses even though no other worker can run it.
    var isAlone = false
}

/// A tool that a worker gets none or less of, for people.
public struct CoolingTool: Sendable, Equatable {
    /// The tool.
    public let tool: String
    /// How often in a row it could not be started.
    public let refusals: Int
    /// How long it still gets none; zero when the next attempt is a trial.
    public let pause: Duration
    /// Why it could not be started, in the worker's words.
    public let reason: String
}

/// The end of a pause.
struct CoolingEnd: Sendable {
    var at: Instant
    var worker: WorkerID
    var tool: String
}

/// Suspects of a lost worker that a worker holds.
struct HostedSuspects: Sendable {
    var group: Int
    var count: Int
}

/// Ready nodes of one placement class with the same restrictions.
struct CarefulQueue: Sendable {
    let placement: Int
    let restrictions: Restrictions
    var nodes: Deque<Entry> = []

    /// A node, and which run is meant if its slot has another owner by now.
    struct Entry: Sendable {
        var node: NodeSlot
        var generation: UInt32
    }
}
