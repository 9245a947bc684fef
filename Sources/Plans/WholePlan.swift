// A whole plan as it was read: the document, its problems, and the plan that it makes, so that its
// templates are compiled once.

/// A plan that was read from its beginning to its end.
public struct WholePlan: Sendable {
    /// The nodes that could be decoded, and what to do with their outputs.
    public let document: PlanDocument
    /// Everything that is wrong with it, in decoding and in structure; warnings are not included.
    public let problems: [PlanProblem]
    /// The closed plan and its growth; nil if there are problems or more nodes come.
    let made: (plan: Plan, growth: Plan.Growth)?

    /// Reads a document and finds all its problems.
    ///
    /// If the text is not JSON, the nodes before the fault are decoded and the structure is not
    /// checked. What only a complete plan can lack is not checked in one that `isBeginning`, whose
    /// other nodes come later.
    public init(reading bytes: ArraySlice<UInt8>, isBeginning: Bool = false) {
        let reading = DecodedPlan(bytes)
        var plan = Plan()
        var (growth, problems) = plan.add(reading, isBeginning: isBeginning)
        if problems.isEmpty, !isBeginning { growth.released += plan.endGrowth() }
        made = problems.isEmpty && !isBeginning ? (plan, growth) : nil
        self.problems = problems.finished()
        document = PlanDocument(
            nodes: reading.standIns.isEmpty ? reading.nodes : reading.soundNodes,
            joinInstruction: reading.joinInstruction
        )
    }
}

extension Plan {
    /// Fills an empty plan with a whole one, as `append` and `close` would.
    ///
    /// - Precondition: The plan is empty, and the whole one has no problems.
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
    fileprivate mutating func add(
        _ reading: DecodedPlan,
        isBeginning: Bool
    ) -> (Growth, ProblemList) {
        var problems = reading.problems
        guard reading.isComplete else { return (Growth(added: 0..<0), problems) }
        let draft = draft(of: reading.nodes)
        problems.add(contentsOf: draft.problems)
        if draft.isTooLarge { return (Growth(added: 0..<0), problems) }
        let growth = commit(draft)
        if !isBeginning, problems.isEmpty || !reading.nodes.isEmpty {
            problems.add(contentsOf: closingProblems())
        }
        return (growth, problems)
    }
}
