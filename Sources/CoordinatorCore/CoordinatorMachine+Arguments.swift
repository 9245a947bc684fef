// Arguments: made and checked when the dependencies of a node are done, so that no dispatch can
// fail. They are kept within a budget until they are sent; beyond it a node stays a template, and
// its arguments are made a second time when they leave. Only if no worker had the tool by then are
// they checked when they leave.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Scheduling
internal import Schemas
internal import Wire

extension CoordinatorMachine {
    /// Arguments beyond this are checked against the schema by their worker alone: decoded they
    /// take many times their length.
    private static let checkedBytes = 1 << 20

    /// Makes the arguments of a node whose dependencies are done, now or in a further turn.
    mutating func makeArguments(of node: NodeReference, in turn: inout CoordinatorTurn) {
        guard argumentBudget.hasTime, !argumentBudget.hasPostponed else {
            return argumentBudget.postpone(node)
        }
        makeAndCheckArguments(of: node, in: &turn)
    }

    /// Makes the arguments for which an earlier turn had no time.
    mutating func makePostponedArguments(in turn: inout CoordinatorTurn) {
        while let node = argumentBudget.nextPostponed() {
            makeAndCheckArguments(of: node, in: &turn)
        }
    }

    private mutating func makeAndCheckArguments(
        of node: NodeReference,
        in turn: inout CoordinatorTurn
    ) {
        guard scheduler.awaitsArguments(node), let run = runs.slot(of: node.run) else { return }
        do throws(Failure) {
            let made = try resolveArguments(of: node.node, run)
            let arguments = try checked(made, of: node.node, run)
            // A person may take long: the arguments are made again when they leave.
            guard !awaitsApproval(node, run, in: &turn) else { return }
            keep(arguments, of: node.node, run)
            schedule(.argumentsMade(node), in: &turn)
        } catch {
            schedule(.argumentsFailed(node, error), in: &turn)
        }
    }

    /// The arguments of a ready node, which is about to be sent.
    mutating func takeArguments(of node: Int, _ run: Int) -> ResolvedArguments {
        if let kept = dropArguments(of: node, run) { return kept }
        do throws(Failure) {
            let made = try resolveArguments(of: node, run)
            // Another worker's schema may have come since; the worker checks, too.
            return (try? checked(made, of: node, run)) ?? made
        } catch {
            preconditionFailure("arguments that were made before cannot be made again: \(error)")
        }
    }

    /// Whether the arguments of a ready node can be had in this turn.
    func hasTimeForArguments(of node: Int, _ run: Int) -> Bool {
        argumentBudget.hasTime || runs[run].arguments[node] != nil
            || !runs[run].state.plan[node].template.hasReferences
    }

    /// Whether arguments have to be made: those without references are sent as they are written.
    func needsArguments(_ node: PlanNode) -> Bool {
        node.template.hasReferences || node.template.source.count > mostArgumentBytes
    }

    private var mostArgumentBytes: Int {
        min(limits.maxValue, PlanLimits.resolvedArgumentBytes)
    }

    private mutating func resolveArguments(
        of node: Int,
        _ run: Int
    ) throws(Failure) -> ResolvedArguments {
        let bounds = ResolutionBounds(
            wholeBytes: limits.announced.largestInline,
            totalBytes: mostArgumentBytes
        )
        return try runs[run].state.plan.resolveArguments(
            of: node,
            within: bounds,
            work: &argumentBudget.work
        ) { [outputs = runs[run].state.results.outputs] in outputs[$0] }
    }

    /// The arguments in the kinds that the tool's schema asks for: an output that is a number
    /// becomes text where only text is allowed, and the reverse.
    private mutating func checked(
        _ arguments: ResolvedArguments,
        of node: Int,
        _ run: Int
    ) throws(Failure) -> ResolvedArguments {
        let name = runs[run].state.plan[node].tool
        guard let tool = fleet.catalogue[name] else {
            runs[run].arguments.noteUnchecked(name)
            runs.markUnbooked(run)
            return arguments
        }
        guard arguments.count <= Self.checkedBytes, !tool.schema.acceptsEverything else {
            return arguments
        }
        // Decoding and checking take several times as long as copying.
        argumentBudget.work += 8 * arguments.count
        let value = JSONValue(arguments.joined)
        let problems = tool.schema.problems(of: value)
        if problems.isEmpty { return arguments }
        let coerced = value.coerced(to: JSONValue(tool.description.parameters)) { _ in false }
        guard coerced != value, tool.schema.problems(of: coerced).isEmpty else {
            throw Failure.badArguments(problems)
        }
        let made = RawJSON(coerced)
        return made.count > limits.announced.largestInline
            ? .pieces(JSONPieces(made, isShared: false)) : .whole(made)
    }

    /// Arguments that are about to be sent, checked now if they were made before any worker had
    /// their tool.
    mutating func checkedLate(
        _ arguments: ResolvedArguments,
        of node: Int,
        _ run: Int
    ) throws(Failure) -> ResolvedArguments {
        guard !runs[run].arguments.uncheckedTools.isEmpty,
            runs[run].arguments.uncheckedTools.contains(runs[run].state.plan[node].tool)
        else { return arguments }
        return try checked(arguments, of: node, run)
    }

    // MARK: - Kept arguments

    private mutating func keep(_ arguments: ResolvedArguments, of node: Int, _ run: Int) {
        let bytes = arguments.keptBytes
        guard argumentBudget.keptBytes + bytes <= limits.argumentBytes else { return }
        runs[run].arguments.keep(arguments, of: node)
        argumentBudget.noteKept(bytes)
        runs.markUnbooked(run)
    }

    /// Gives back the room of a node's arguments.
    @discardableResult
    mutating func dropArguments(of node: Int, _ run: Int) -> ResolvedArguments? {
        guard !runs[run].arguments.isEmpty, let kept = runs[run].arguments.remove(node) else {
            return nil
        }
        argumentBudget.noteRemoved(kept.keptBytes)
        runs.markUnbooked(run)
        return kept
    }

    // MARK: - Checks

    /// The budget counts what the runs keep, and no node waits for its arguments in vain.
    func validateArguments() throws(InvariantViolation) {
        var kept = 0
        for id in runs.active {
            guard let slot = runs.slot(of: id) else { continue }
            kept += runs[slot].arguments.countedBytes
            for node in 0..<runs[slot].state.plan.count
            where scheduler.awaitsArguments(NodeReference(run: id, node: node))
                && runs[slot].state.nodes[node].status != .awaitingApproval
            {
                guard argumentBudget.hasPostponed else {
                    throw InvariantViolation("\(id)/\(node) waits for its arguments for ever")
                }
            }
        }
        guard argumentBudget.keptBytes == kept else {
            throw InvariantViolation(
                "runs keep arguments of \(kept) bytes, counted are \(argumentBudget.keptBytes)"
            )
        }
        try validateApprovals()
    }

    // MARK: - For people

    /// The arguments as the worker gets them, if they can be made; those that repeat large outputs
    /// are not made again for a look at them, but omitted.
    func shownArguments(of node: Int, _ run: Int) -> (value: RawJSON?, isOmitted: Bool) {
        let most = limits.announced.largestInline
        var work = 0
        do throws(Failure) {
            let arguments = try runs[run].state.plan.resolveArguments(
                of: node,
                within: ResolutionBounds(totalBytes: most, workBytes: 8 << 20),
                work: &work,
                outputs: { runs[run].state.results.outputs[$0] }
            )
            return (arguments.joined, false)
        } catch {
            return (nil, error.code == .limit)
        }
    }
}

extension Failure {
    /// Arguments that break the tool's schema, with every problem in one sentence.
    static func badArguments(_ problems: [SchemaProblem]) -> Failure {
        Failure(code: .badArguments, message: problems.sentence)
    }
}

extension [SchemaProblem] {
    var sentence: String {
        map { $0.pointer.isEmpty ? $0.message : "\($0.pointer): \($0.message)" }
            .joined(separator: "; ")
    }
}
