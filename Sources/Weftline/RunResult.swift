// The result of a run: its answer, its nodes, its times. Not here: reading them from messages.
public import Core
public import JSON

/// How a run ended.
public struct RunResult: Sendable {
    /// How a run can end.
    public enum Status: String, Sendable, Hashable {
        /// Every node has its output.
        case succeeded
        /// A node failed, or the run as a whole.
        case failed
        /// It was cancelled before every node was done.
        case cancelled
    }

    /// The times of a run.
    public struct Timing: Sendable, Hashable {
        /// From the run's acceptance to its end.
        public var wall: Duration
        /// The longest chain of dependent nodes.
        public var criticalPath: Duration
        /// The times of all nodes, added.
        public var work: Duration
    }

    /// What language models did for a run.
    public struct Planning: Sendable, Hashable {
        /// Calls of models.
        public var calls: Int
        /// Those of them that asked a model to repair its reply.
        public var repairs: Int
        /// Plans after the first one.
        public var replans: Int
        /// How long all calls took together; nodes may have run meanwhile.
        public var modelTime: Duration
        /// From the run's acceptance to the moment when its first node left for a worker; nil if
        /// none did.
        public var firstNode: Duration?
    }

    /// The run.
    public var run: RunID
    /// How it ended.
    public var status: Status
    /// The joined outcomes: a text, or with `.json` an object of outputs by node, with the failure
    /// of each node without an output; for a goal the model's answer.
    ///
    /// Only if the run succeeded, this is the answer to the goal.
    public var answer: JSONValue
    /// The nodes in the order of the plan; empty if the options exclude them.
    public var nodes: [NodeReport]
    /// The times.
    public var timing: Timing
    /// Why the run as a whole failed; nil if only nodes failed.
    public var failure: Failure?
    /// Why it was cancelled, if a reason was given.
    public var cancelReason: String?
    /// The tokens that language models used, estimated where they do not count; nil without them.
    public var usage: TokenUsage?
    /// The calls of language models; nil without any.
    public var planning: Planning?

    /// Whether every node has its output.
    public var isSuccess: Bool { status == .succeeded }

    /// The answer as text: a string unchanged, anything else as JSON.
    public var text: String { answer.stringValue ?? answer.description }

    /// The result, if the run succeeded.
    ///
    /// - Throws: The failure of the run as a whole, or else of its first node that has one; with
    ///   code `cancelled` if it was cancelled.
    public func answered() throws(Failure) -> RunResult {
        switch status {
        case .succeeded:
            return self
        case .cancelled:
            throw Failure(code: .cancelled, message: cancelReason ?? "The run was cancelled.")
        case .failed:
            throw failure ?? nodes.lazy.compactMap(\.failure).first
                ?? Failure(code: .internal, message: "The run failed and does not say why.")
        }
    }

    /// The result of a node; nil if the plan has none of that id.
    public subscript(id: String) -> NodeReport? { nodes.first { $0.id == id } }

    /// The output of a node.
    ///
    /// - Throws: The failure of the node if it has no output; one with code `reference_not_found`
    ///   if there is no such node.
    public func output(of id: String) throws(Failure) -> JSONValue {
        guard let node = self[id] else {
            throw Failure(code: .referenceNotFound, message: "The run has no node \(id).")
        }
        if let output = node.output { return output }
        throw node.failure ?? Failure(code: .internal, message: "Node \(id) has no output.")
    }
}

/// The result of a node.
public struct NodeReport: Sendable {
    /// How a node can end.
    public enum Status: String, Sendable, Hashable {
        /// It has its output.
        case succeeded
        /// Its last attempt failed, or it could not run at all.
        case failed
        /// A node it depends on did not succeed.
        case skipped
        /// The run was cancelled before it was done.
        case cancelled
    }

    /// Its name in the plan.
    public var id: String
    /// The tool it called.
    public var tool: String
    /// How it ended.
    public var status: Status
    /// Its output as JSON text; nil if it has none.
    public var rawOutput: RawJSON?
    /// Why it has no output.
    public var failure: Failure?
    /// The node that failed, if this one was skipped because of it.
    public var skippedBecause: String?
    /// How many attempts it took.
    public var attempts: Int
    /// The worker of the last attempt.
    public var worker: String?
    /// How long the tool ran in the last attempt.
    public var runTime: Duration?

    /// Its output; nil if it has none.
    public var output: JSONValue? { rawOutput.map { JSONValue($0) } }
}
