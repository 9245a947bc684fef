// The nodes of a run that wait for a person's approval: few, so that they are kept apart from what
// every node has. Who is asked, and what an answer does, is in CoordinatorCore.

public import Core
internal import JSON
internal import Plans
package import Wire

/// The nodes that wait for approval, by position in the plan.
public struct OpenApprovals: Sendable, Hashable {
    /// One that waits.
    public struct Question: Sendable, Hashable {
        /// When it was asked, in microseconds since the run was accepted.
        public let askedAt: Int
        /// How long the answer may take, in milliseconds.
        public let milliseconds: Int
    }

    private var questions: [Int: Question] = [:]

    /// How many nodes wait.
    public var count: Int { questions.count }

    /// The nodes that wait, in the order of the plan.
    public var nodes: [Int] { questions.keys.sorted() }

    /// What was asked about a node; nil if it does not wait.
    public subscript(node: Int) -> Question? { questions[node] }

    mutating func add(_ node: Int, at time: Int, milliseconds: Int) {
        questions[node] = Question(askedAt: time, milliseconds: milliseconds)
    }

    mutating func remove(_ node: Int) {
        if !questions.isEmpty { questions[node] = nil }
    }

    /// What they take in memory, about.
    var bytes: Int { 64 * questions.count }
}

extension Run {
    /// When a node that waits for approval fails, unless it gets an answer before; nil if it does
    /// not wait.
    public func approvalDeadline(of node: Int) -> Instant? {
        guard let question = approvals[node] else { return nil }
        return acceptedAt + .microseconds(question.askedAt) + .milliseconds(question.milliseconds)
    }

    /// What people are asked about a node that waits for approval, without arguments that have more
    /// than `most` bytes.
    package func question(of node: Int, milliseconds: Int, within most: Int) -> ApprovalQuestion {
        var work = 0
        let arguments: RawJSON?
        do throws(Failure) {
            arguments = try plan.resolveArguments(
                of: node,
                within: ResolutionBounds(totalBytes: most, workBytes: 64 * most),
                work: &work,
                outputs: { results.outputs[$0] }
            ).joined
        } catch {
            arguments = nil
        }
        return ApprovalQuestion(
            tool: plan[node].tool,
            arguments: arguments.flatMap { $0.count <= most ? $0 : nil },
            timeoutMilliseconds: milliseconds
        )
    }
}
