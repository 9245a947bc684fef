// Small builders shared by the tests of plans.

import Core
import JSON
import Plans

/// A seeded generator, so that a failing case can be repeated.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

struct BadFixture: Error {
    var text: String
}

func id(_ text: String) throws -> NodeID {
    guard let id = NodeID(text) else { throw BadFixture(text: text) }
    return id
}

func node(
    _ name: String,
    after dependencies: [String] = [],
    args: String = "{}",
    tool: String = "noop"
) throws -> NodeDefinition {
    NodeDefinition(
        id: try id(name),
        tool: tool,
        arguments: try RawJSON(validating: args),
        dependencies: try dependencies.map { try id($0) }
    )
}

/// The problems that the body throws; none if it does not throw.
func problems(of body: () throws -> Void) rethrows -> [PlanProblem] {
    do {
        try body()
        return []
    } catch let error as PlanProblems {
        return error.problems
    }
}

/// The codes of problems with the nodes they concern, `code node`.
func outline(_ problems: [PlanProblem]) -> [String] {
    problems.map { "\($0.code)" + ($0.node.map { " \($0)" } ?? "") }
}
