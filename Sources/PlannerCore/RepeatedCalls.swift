// Calls that a plan makes more than once, and plans that never end: the same calls again and again,
// or calls that count up.

import Core
import JSON
import Plans

/// Finds calls that were planned already, and plans that only go on.
struct RepeatedCalls: Sendable {
    private struct Call: Hashable {
        var tool: String
        var arguments: JSONValue
        var dependencies: Set<NodeID>

        init(_ node: NodeDefinition) {
            tool = node.tool
            arguments = JSONValue(node.arguments)
            dependencies = Set(node.dependencies)
        }
    }

    private var calls: [Call: NodeID] = [:]
    /// How often each call is in this reply.
    private var counts: [Call: Int] = [:]
    /// Numbers that the goal contains, as written.
    private let goalNumbers: Set<String>
    private let longestCount: Int
    /// Calls that this reply has already, one after the other, up to the latest call.
    private var repeated = 0
    private var latestCount = 0
    private var mostRepeated = RepeatedCalls.usualCount
    private var pattern = ""
    private var counted = 0
    /// How many calls that count up may follow each other.
    private var countBound = RepeatedCalls.usualCount
    private var refusals: Set<String> = []
    /// Refused calls one after the other, and those in the reply that were refused before.
    private var refused = 0
    private var refusedAgain = 0

    /// Repeated calls one after the other, after which the plan ends, if each takes no effect.
    static let mostRepeated = 3
    /// Calls that count up one after the other, after which the plan ends; more if the goal names a
    /// larger number.
    private static let usualCount = 16
    /// Refused calls one after the other, after which the plan ends: it must be repaired anyway.
    private static let mostRefused = 8
    private static let largestCount = 1000

    /// Knows the nodes that the plan has so far.
    init(goal: String, nodes: [NodeDefinition]) {
        let numbers = RepeatedCalls.numbers(in: goal)
        goalNumbers = Set(numbers)
        let values = numbers.compactMap { Int($0) }
        // "The first 50 pages", or "the orders 1001 to 1040".
        let count = values.filter { $0 <= RepeatedCalls.largestCount }.max() ?? 0
        let range = (values.max() ?? 0) - (values.min() ?? 0)
        let bound = range <= RepeatedCalls.largestCount ? max(count, range) : count
        longestCount = max(RepeatedCalls.usualCount, bound + 1)
        for node in nodes { calls[Call(node)] = node.id }
    }

    /// Whether the plan only repeats itself or counts up, so that what follows is of no use.
    ///
    /// Calls of an earlier reply may be written once more, and a plan may need a call several times.
    var isEndless: Bool {
        repeated >= mostRepeated && latestCount >= RepeatedCalls.mostRepeated
            || counted > countBound || hasOnlyRefusals
    }

    /// Whether what is written cannot be used, call after call.
    var hasOnlyRefusals: Bool {
        refused >= RepeatedCalls.mostRefused || refusedAgain >= RepeatedCalls.mostRepeated
    }

    /// Notes a call that cannot be used, as it is written.
    mutating func noteRefusal(of call: String) {
        refused += 1
        if !refusals.insert(call).inserted { refusedAgain += 1 }
    }

    /// The node that makes the same call already; without one, the call is noted.
    ///
    /// `isHarmless` tells that equal calls become one.
    mutating func note(_ node: NodeDefinition, isHarmless: Bool) -> NodeID? {
        noteCount(node)
        refused = 0
        mostRepeated = isHarmless ? RepeatedCalls.mostRepeated : RepeatedCalls.usualCount
        let call = Call(node)
        latestCount = counts[call, default: 0] + 1
        counts[call] = latestCount
        repeated = latestCount > 1 ? repeated + 1 : 0
        if let earlier = calls[call] { return earlier }
        calls[call] = node.id
        return nil
    }

    /// Counts calls that differ in numbers only, if these are not of the goal.
    private mutating func noteCount(_ node: NodeDefinition) {
        let text = node.arguments.text
        let numbers = RepeatedCalls.numbers(in: text)
        let shape = node.tool + " " + text.filter { !$0.isNumber }
        let isInvented = numbers.contains { !goalNumbers.contains($0) }
        guard shape == pattern else {
            counted = 0
            countBound = longestCount
            // One call for each node that was there is no endless plan.
            if ArgumentTemplate(compiling: node.arguments).hasReferences {
                countBound = max(longestCount, calls.count)
            }
            pattern = shape
            return
        }
        // One that the goal names is no invention, and begins nothing new.
        if isInvented { counted += 1 }
    }

    private static func numbers(in text: String) -> [String] {
        text.split { !$0.isASCII || !$0.isNumber }.map(String.init)
    }
}
