// The goals of `weft bench compile`: the calls of their plans, and the times of tools and models.
// Pure.

internal import ArgumentParser

enum CompileShape: String, CaseIterable, ExpressibleByArgument {
    /// Four searches, a sum of each two, a sum of both.
    case parallelqa
    /// Two branches of different pace: waves would wait for the slower one.
    case stagger
    /// Eight searches.
    case fan8
    /// Eight searches with the times of the LLMCompiler paper for movie recommendations.
    case movie

    /// One call of a tool.
    struct Call: Equatable {
        /// How long the tool takes.
        var milliseconds: Double
        /// Positions of the calls it depends on, all before it.
        var after: [Int] = []
    }

    private static let search = 200.0
    private static let math = 100.0
    private static let slow = 600.0

    /// The calls in the order in which the planner writes them.
    var calls: [Call] {
        switch self {
        case .parallelqa:
            (0..<4).map { _ in Call(milliseconds: Self.search) } + [
                Call(milliseconds: Self.math, after: [0, 1]),
                Call(milliseconds: Self.math, after: [2, 3]),
                Call(milliseconds: Self.math, after: [4, 5]),
            ]
        case .stagger:
            [
                Call(milliseconds: Self.slow),
                Call(milliseconds: Self.search),
                Call(milliseconds: Self.slow, after: [1]),
                Call(milliseconds: Self.search, after: [0]),
                Call(milliseconds: Self.math, after: [2, 3]),
            ]
        case .fan8:
            (0..<8).map { _ in Call(milliseconds: Self.search) }
        case .movie:
            // The slowest and the mean are from the paper, 1.13 s and 0.61 s; the others are
            // assumed.
            [380, 440, 490, 1130, 530, 580, 640, 690].map { Call(milliseconds: $0) }
        }
    }

    /// How long the planner takes from the call to its last piece of text; nil: by the length of
    /// the text.
    var planMilliseconds: Double? { self == .movie ? 1880 : nil }

    /// How long the joiner's model takes.
    var joinMilliseconds: Double { self == .movie ? 1620 : 145 }

    /// How long a model takes for each step when it is asked before every call; nil: as for a plan
    /// of that one call.
    ///
    /// For movies it is the rest of the paper's 20.47 s without the tools and the answer.
    var stepMilliseconds: Double? {
        guard self == .movie else { return nil }
        return (20_470 - calls.reduce(0) { $0 + $1.milliseconds } - joinMilliseconds)
            / Double(calls.count)
    }
}
