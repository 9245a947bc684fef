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
    /// Numbers that the goal contains, as written.
    private let goalNumbers: Set<String>
    private let longestCount: Int
    /// Calls that were planned already, one after the other, up to the latest call.
    private var repeated = 0
    private var mostRepeated = RepeatedCalls.usualCount
    private var pattern = ""
    private var counted = 0

    /// Repeated calls one after the other, after which the plan ends, if each takes no effect.
    private static let mostRepeated = 3
    /// Calls that count up one after the other, after which the plan ends; more if the goal names a
    /// larger number.
    private static let usualCount = 16
    private static let largestCount = 1000

    /// Knows the nodes that the plan has so far.
    init(goal: String, nodes: [NodeDefinition]) {
        let numbers = RepeatedCalls.numbers(in: goal)
        goalNumbers = Set(numbers)
        let counts = numbers.compactMap { Int($0) }.filter { $0 <= RepeatedCalls.largestCount }
        longestCount = max(RepeatedCalls.usualCount, (counts.max() ?? 0) + 1)
        for node in nodes { calls[Call(node)] = node.id }
    }

    /// Whether the plan only repeats itself or counts up, so that what follows is of no use.
    var isEndless: Bool { repeated >= mostRepeated || counted > longestCount }

    /// The node that makes the same call already; without one, the call is noted.
    ///
    /// `isHarmless` tells that equal calls become one.
    mutating func note(_ node: NodeDefinition, isHarmless: Bool) -> NodeID? {
        noteCount(node)
        mostRepeated = isHarmless ? RepeatedCalls.mostRepeated : RepeatedCalls.usualCount
        let call = Call(node)
        if let earlier = calls[call] {
            repeated += 1
            return earlier
        }
        repeated = 0
        calls[call] = node.id
        return nil
    }

    /// Counts calls that differ in numbers only, if these are not of the goal.
    private mutating func noteCount(_ node: NodeDefinition) {
        // What uses outputs does not go on for ever: its ids count up by themselves.
        guard !ArgumentTemplate(compiling: node.arguments).hasReferences else {
            counted = 0
            return
        }
        let text = node.arguments.text
        let numbers = RepeatedCalls.numbers(in: text)
        let shape = node.tool + " " + text.filter { !$0.isNumber }
        let isInvented = numbers.contains { !goalNumbers.contains($0) }
        counted = shape == pattern && isInvented ? counted + 1 : 0
        pattern = shape
    }

    private static func numbers(in text: String) -> [String] {
        text.split { !$0.isASCII || !$0.isNumber }.map(String.init)
    }
}
