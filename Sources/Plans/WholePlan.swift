// A whole plan as it was read: the document, its problems, and the plan that it makes, so that its
// templates are compiled once.

/// A plan that was read from its beginning to its end.
public struct WholePlan: Sendable {
    /// The nodes that could be decoded, and what to do with their outputs.
    public let document: PlanDocument
    /// Everything that is wrong with it, in decoding and in structure; warnings are not included.
    public let problems: [PlanProblem]
    /// The closed plan and how it came about; nil if there are problems.
    let made: (plan: Plan, growth: Plan.Growth)?

    /// Reads a document and finds all its problems.
    ///
    /// If the text is not JSON, the nodes before the fault are decoded and the structure is not
    /// checked.
    public init(reading bytes: ArraySlice<UInt8>) {
        let reading = DecodedPlan(bytes)
        var plan = Plan()
        var (growth, problems) = plan.add(reading)
        if problems.isEmpty {
            do throws(PlanProblems) {
                growth.released += try plan.close()
            } catch {
                problems.add(contentsOf: error.problems)
            }
        }
        made = problems.isEmpty ? (plan, growth) : nil
        self.problems = problems.finished()
        document = PlanDocument(
            nodes: reading.standIns.isEmpty ? reading.nodes : reading.soundNodes,
            joinInstruction: reading.joinInstruction
        )
    }
}

extension Plan {
    /// Fills an empty plan with a whole one that has no problems, as `append` and `close` would.
    public mutating func fill(with whole: WholePlan) -> Growth {
        guard count == 0, let (plan, growth) = whole.made else {
            preconditionFailure("only an empty plan can be filled, and only with a valid one")
        }
        let instruction = joinInstruction
        self = plan
        joinInstruction = instruction
        return growth
    }

    /// Reads a whole document into a closed plan, or throws all its problems.
    public init(reading bytes: ArraySlice<UInt8>) throws(PlanProblems) {
        let whole = WholePlan(reading: bytes)
        guard let made = whole.made else { throw PlanProblems(whole.problems) }
        self = made.plan
        joinInstruction = whole.document.joinInstruction
    }

    /// Adds the nodes of a document even if there are problems, in order to find all of them.
    fileprivate mutating func add(_ reading: DecodedPlan) -> (Growth, ProblemList) {
        var problems = reading.problems
        guard reading.isComplete else { return (Growth(added: 0..<0), problems) }
        let draft = draft(of: reading.nodes)
        problems.add(contentsOf: draft.problems)
        if draft.isTooLarge { return (Growth(added: 0..<0), problems) }
        let growth = commit(draft)
        // What the plan lacks as a whole is found when it is closed, if nothing else is wrong.
        if !problems.isEmpty, !reading.nodes.isEmpty {
            problems.add(contentsOf: closingProblems())
        }
        return (growth, problems)
    }
}
