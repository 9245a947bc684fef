// A planner's machine under test: every action must be expected, in order, with none left at the
// end.

import Core
import JSON
import PlannerCore
import Plans
import Testing

/// Drives a machine and keeps its actions until a test reads them.
struct MachineHarness {
    private(set) var machine: PlannerMachine
    private(set) var actions: [PlannerMachine.Action] = []
    /// The calls that were made, with their purposes.
    private(set) var calls: [(request: ModelRequest, purpose: PlannerMachine.Purpose)] = []
    private var openCalls = 0
    private var endings = 0
    private(set) var added: [NodeDefinition] = []

    init(format: PlanFormat, _ change: (inout PlannerSettings) -> Void = { _ in }) {
        var settings = PlannerSettings(tools: tools, format: format)
        change(&settings)
        machine = PlannerMachine(goal: "compare A and B", settings: settings)
    }

    mutating func handle(_ event: PlannerMachine.Event) {
        var new: [PlannerMachine.Action] = []
        machine.handle(event, into: &new)
        if case .modelReported(let report) = event {
            switch report {
            case .ended, .failed: openCalls = max(0, openCalls - 1)
            case .charged, .delta, .usage, .formatLowered: break
            }
        }
        for action in new {
            switch action {
            case .callModel(let request, let purpose):
                #expect(openCalls == 0, "there is one call at a time")
                openCalls += 1
                calls.append((request, purpose))
            case .addNodes(let nodes):
                added += nodes
                #expect(Set(added.map(\.id)).count == added.count, "no node is added twice")
            case .answer, .fail:
                endings += 1
                #expect(endings == 1, "a run ends once")
                #expect(machine.hasEnded)
            case .cancelModel, .closePlan, .noteProblems, .replanned, .answerDelta, .callTool:
                break
            }
        }
        actions += new
    }

    /// The open call is lost with the process that made it.
    mutating func loseCall() {
        openCalls = 0
        handle(.callLost)
    }

    mutating func report(_ report: ModelEvent) { handle(.modelReported(report)) }

    /// Starts the run and removes the first call.
    mutating func start() {
        handle(.started)
        expectCall(.planner)
    }

    /// Lets the model write a whole reply.
    mutating func reply(_ text: String, stop: ModelStop = .end) {
        report(.delta(text))
        report(.ended(stop))
    }

    /// Reports that every node has succeeded with its own id as its output.
    mutating func settle() {
        handle(
            .roundSettled(
                added.map { node in
                    JoinPart(
                        id: node.id,
                        tool: node.tool,
                        outcome: .succeeded(RawJSON("output of \(node.id)"))
                    )
                }
            )
        )
    }

    func node(_ id: String, _ tool: String, _ arguments: String) -> NodeDefinition {
        do {
            return try definition(id, tool, arguments)
        } catch {
            Issue.record(error)
            return NodeDefinition(id: added[0].id, tool: tool)
        }
    }

    // MARK: - Taking actions

    @discardableResult
    mutating func take(at location: SourceLocation = #_sourceLocation) -> PlannerMachine.Action? {
        guard !actions.isEmpty else {
            Issue.record("an action is missing", sourceLocation: location)
            return nil
        }
        return actions.removeFirst()
    }

    mutating func expect(
        _ action: PlannerMachine.Action,
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(take(at: location) == action, sourceLocation: location)
    }

    mutating func expectAdded(_ ids: String..., at location: SourceLocation = #_sourceLocation) {
        guard case .addNodes(let nodes)? = take(at: location) else {
            Issue.record("no nodes were added", sourceLocation: location)
            return
        }
        #expect(nodes.map(\.id.text) == ids, sourceLocation: location)
    }

    mutating func expectProblems(_ codes: String..., at location: SourceLocation = #_sourceLocation)
    {
        guard case .noteProblems(let problems)? = take(at: location) else {
            Issue.record("no problems were noted", sourceLocation: location)
            return
        }
        #expect(problems.map(\.code.rawValue) == codes, sourceLocation: location)
    }

    @discardableResult
    mutating func expectCall(
        _ purpose: PlannerMachine.Purpose,
        at location: SourceLocation = #_sourceLocation
    ) -> ModelRequest? {
        guard case .callModel(let request, purpose)? = take(at: location) else {
            Issue.record("no call of the \(purpose)", sourceLocation: location)
            return nil
        }
        return request
    }

    mutating func expectFailure(_ code: String, at location: SourceLocation = #_sourceLocation) {
        guard case .fail(let failure)? = take(at: location) else {
            Issue.record("the run has not failed", sourceLocation: location)
            return
        }
        #expect(failure.code.rawValue == code, sourceLocation: location)
        expectNothingElse(at: location)
    }

    func expectNothingElse(at location: SourceLocation = #_sourceLocation) {
        #expect(actions == [], sourceLocation: location)
    }
}

// MARK: - What models say

/// A failure that a model does not retry within its call.
let down = ModelFailure(code: .unreachable, message: "no connection", isRetryable: true)

let finish = #"{"thought":"t","action":"finish","reason":null,"answer":"A is higher"}"#
let replan = #"{"thought":"t","action":"replan","reason":"B is missing","answer":null}"#

func task(_ id: String, _ query: String) -> String {
    #"{"id":"\#(id)","tool_name":"search","args":{"query":"\#(query)"}}"#
}

func plan(_ tasks: String...) -> String {
    #"{"tasks":[\#(tasks.joined(separator: ","))],"join_instruction":"compare"}"#
}
