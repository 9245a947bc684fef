// A language model as the coordinator sees it: replies in pieces, with pauses, and one end that may
// be a failure, late, or only after a cancel.

import Plans
import Wire

@testable import CoordinatorCore
@testable import PlannerCore

/// A goal as its client asks for it.
struct ModelGoal {
    var format: PlanFormat
    var strategy: PlanningStrategy
    var isPlanOnly: Bool
    var rounds: Int
    var repairs: Int
    var maxNodes: Int
    var tokens: Int?
    /// Of all calls, in the currency of their prices.
    var cost: Double?
    var finishesOnFailure: Bool

    init(drawing draw: inout SeededDraw) {
        format = draw.permille(500) ? .json : .text
        let strategies = PlanningStrategy.allCases
        strategy = draw.permille(400) ? .streamed : draw.element(strategies) ?? .streamed
        isPlanOnly = draw.permille(50)
        rounds = draw.int(1...3)
        repairs = draw.int(0...2)
        maxNodes = draw.permille(200) ? draw.int(1...5) : draw.int(10...30)
        tokens = draw.permille(150) ? draw.int(50...600) : nil
        cost = draw.permille(150) ? Double(draw.int(1...200)) / 100_000 : nil
        finishesOnFailure = draw.permille(500)
    }

    /// The models of a run with a given plan: they only join.
    init() {
        format = .json
        strategy = .streamed
        isPlanOnly = false
        rounds = 1
        repairs = 2
        maxNodes = .max
        finishesOnFailure = true
    }

    /// Whether the model is asked before every call.
    var isReacting: Bool { strategy == .react && !isPlanOnly }

    /// Whether the planner is asked again while nodes run.
    var isGrowing: Bool { strategy == .growing && !isPlanOnly }

    /// Whether nodes wait for the end of the reply in which they are written.
    var waitsForPlan: Bool { strategy == .planned || strategy == .sequential }
}

/// The texts of one run's models so far.
final class SimulatedAuthor {
    let goal: ModelGoal
    let isPlanner: Bool
    let allowed: [String]?
    /// The number for the next node's id.
    var nextNumber = 1
    /// Everything that was written without a fault.
    var written: [ModelNode] = []
    /// The call in which each node was written.
    var sources: [String: SimulatedCall] = [:]
    /// The purpose of the latest call.
    var latest: PlannerMachine.Purpose?

    init(goal: ModelGoal, isPlanner: Bool, allowed: [String]?) {
        self.goal = goal
        self.isPlanner = isPlanner
        self.allowed = allowed
    }

    /// What is known when another coordinator goes on: the calls under way are lost.
    func copy() -> SimulatedAuthor {
        let copy = SimulatedAuthor(goal: goal, isPlanner: isPlanner, allowed: allowed)
        copy.nextNumber = nextNumber
        copy.written = written
        copy.latest = latest
        return copy
    }

    /// An unused id in the form of the plan.
    func nextID() -> String {
        defer { nextNumber += 1 }
        return goal.format == .text ? "\(nextNumber)" : "t\(nextNumber)"
    }
}

/// The text of a model in one call, and the end of the call.
final class SimulatedCall {
    struct Piece {
        var event: ModelEvent
        /// The nodes whose last character is in it.
        var nodes: [ModelNode] = []
        /// What has happened with it.
        var fault: Fault?
        var pause: Duration
    }

    let id: ModelCallID
    /// The coordinator's process that made it.
    var seat = 1
    let purpose: PlannerMachine.Purpose
    /// The latest piece first.
    var pieces: [Piece]
    /// Nodes that must be in the run's plan when the reply has ended, unless the run has.
    let promised: [String]
    var isOver = false
    var isCancelled = false
    /// Counts the courses of the call; a cancel starts another one.
    var turn = 0

    init(
        id: ModelCallID,
        purpose: PlannerMachine.Purpose,
        pieces: [Piece],
        promised: [String]
    ) {
        self.id = id
        self.purpose = purpose
        self.pieces = pieces.reversed()
        self.promised = promised
    }
}

/// A reply before it is cut into pieces.
struct SimulatedReply {
    private(set) var text = ""
    /// Nodes by the number of characters after which each is complete.
    private(set) var marks: [(end: Int, node: ModelNode)] = []
    private(set) var count = 0

    mutating func add(_ part: String, completing node: ModelNode? = nil) {
        text += part
        count += part.count
        if let node { marks.append((count, node)) }
    }

    /// The reply up to that many characters.
    func cut(to length: Int) -> SimulatedReply {
        var cut = self
        cut.text = String(text.prefix(length))
        cut.count = min(length, count)
        cut.marks.removeAll { $0.end > length }
        return cut
    }

    /// The reply in pieces of random length.
    func pieces(drawing draw: inout SeededDraw) -> [SimulatedCall.Piece] {
        var pieces: [SimulatedCall.Piece] = []
        var rest = text[...]
        var done = 0
        let longest = draw.permille(200) ? max(count, 1) : draw.int(1...80) + count / 50
        while !rest.isEmpty {
            let part = rest.prefix(draw.int(1...longest))
            rest = rest.dropFirst(part.count)
            let range = (done + 1)...(done + part.count)
            done += part.count
            pieces.append(
                SimulatedCall.Piece(
                    event: .delta(String(part)),
                    nodes: marks.filter { range.contains($0.end) }.map(\.node),
                    pause: draw.duration(.zero ... .milliseconds(8))
                )
            )
        }
        return pieces
    }
}
