// What goes into a session of the server and what comes out of it. Not here: the session itself
// (MCPSession).
package import Core
package import JSON
package import MCP
package import Wire

/// A call that a session has in flight.
package struct CallID: Sendable, Hashable {
    /// Its number, different for each call of the session.
    package let number: Int

    /// Makes the id of a call.
    package init(number: Int) { self.number = number }
}

/// What a session asks of the cluster; each is answered by one `finished`, unless it is cancelled.
package enum ClusterRequest: Sendable, Equatable {
    /// A call of a tool; `asTask` if only the task is wanted, not its end, and `canAsk` if the
    /// client can ask its user.
    case tool(ToolRequest, asTask: Bool, canAsk: Bool)
    /// A call that goes on after its client has asked its user; the answers are by question.
    case resume(RunID, answers: RawJSON)
    /// The tools of the cluster.
    case listTools
    /// The state of the run of a task.
    case getTask(RunID)
    /// The end of the run of a task.
    case cancelTask(RunID)
    /// Answers to what a task has asked, by the names of its questions.
    case updateTask(RunID, answers: RawJSON)
}

/// How a call ended.
package enum CallOutcome: Sendable, Equatable {
    /// The result of a tool.
    case tool(ToolResult)
    /// The run waits for approvals, about which the client is to ask its user.
    case waiting(RunID, [ApprovalDocument])
    /// The state of a task.
    case task(TaskState)
    /// What was asked for is done.
    case acknowledged
    /// The tools of the cluster.
    case tools([ToolDocument])
    /// The request cannot be answered.
    case refused(JSONRPCError)
}

/// How far a call is.
package struct CallProgress: Sendable, Equatable {
    /// Steps that are done.
    package var done: Int
    /// Steps in all, as far as they are known; they may become more.
    package var total: Int?
    /// What happens, in a sentence.
    package var message: String?

    /// Says how far a call is.
    package init(done: Int, total: Int? = nil, message: String? = nil) {
        self.done = done
        self.total = total
        self.message = message
    }

    /// How far a run is.
    package init(_ progress: RunProgress) {
        let counts = progress.counts
        done = counts.settled
        total = counts.total > 0 ? counts.total : nil
        var words = "\(done) of \(counts.total) nodes done"
        if counts.running > 0 { words += ", \(counts.running) running" }
        if counts.failed > 0 { words += ", \(counts.failed) failed" }
        message = words
    }
}

/// A task of the tasks extension: a run, by its id.
package struct TaskState: Sendable, Equatable {
    /// Where a task stands.
    package enum Status: String, Sendable {
        case working
        case inputRequired = "input_required"
        case completed
        case failed
        case cancelled
    }

    /// The run.
    package var run: RunID
    /// Where it stands.
    package var status: Status
    /// When the run was accepted, as RFC 3339 writes it.
    package var createdAt: String
    /// When this was so.
    package var updatedAt: String
    /// What happens, in a sentence.
    package var message: String?
    /// The result of the call, once completed.
    package var result: ToolResult?
    /// What the task needs to know, by name.
    package var inputRequests: RawJSON?

    /// How often a client should ask.
    package static let pollMilliseconds = 1_000

    /// Makes a state.
    package init(
        run: RunID,
        status: Status,
        createdAt: String,
        updatedAt: String,
        message: String? = nil,
        result: ToolResult? = nil,
        inputRequests: RawJSON? = nil
    ) {
        self.run = run
        self.status = status
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.message = message
        self.result = result
        self.inputRequests = inputRequests
    }

    /// Writes the fields of the task.
    func write(into writer: inout JSONWriter) {
        writer.field("taskId", run.text)
        writer.field("status", status.rawValue)
        writer.field("statusMessage", message)
        writer.field("createdAt", createdAt)
        writer.field("lastUpdatedAt", updatedAt)
        // How long runs are kept is the coordinator's choice.
        writer.field("ttlMs", RawJSON.null)
        writer.field("pollIntervalMs", Self.pollMilliseconds)
        writer.field("inputRequests", inputRequests)
        guard let result else { return }
        writer.key("result")
        writer.beginObject()
        result.write(into: &writer)
        writer.endObject()
    }
}

extension MCPSession {
    /// How a session is served.
    package struct Settings: Sendable {
        /// The version of the software.
        package var version: String
        /// Whether the cluster can plan goals, as far as this process knows.
        package var offersGoals = true
        /// Whether the cluster's tools are listed under their own names.
        package var exposesTools = false
        /// Whether messages can be sent that belong to no request.
        package var hasStream = true

        /// Makes settings.
        package init(version: String) { self.version = version }
    }

    /// What happens to a session.
    package enum Event: Sendable {
        /// A message arrived.
        case received(JSONRPCMessage)
        /// A message arrived that is not one.
        case unreadable(JSONRPCError)
        /// A call is further.
        case progressed(CallID, CallProgress)
        /// A call ended.
        case finished(CallID, CallOutcome)
        /// The tools of the cluster have changed.
        case toolsChanged
        /// The time of `nextDeadline` is reached.
        case deadlineReached
        /// The client is gone.
        case ended
    }

    /// What a session wants done.
    package enum Action: Sendable, Equatable {
        /// Send a message; it belongs to the request with the id, if there is one.
        case send(JSONRPCMessage, about: RawJSON?)
        /// Ask the cluster; `progressed` and one `finished` follow.
        case begin(CallID, ClusterRequest)
        /// The result of a call is not wanted any more, and nothing about it is to follow.
        case cancel(CallID)
        /// Tell when the tools of the cluster change, or no longer.
        case watchTools(Bool)
    }
}
