// The plans that reached their goals and are shown to planners. Not here: which plans are worth it
// and how clients ask for it (CoordinatorMachine+Memory.swift), the file (the shell).

public import Core
internal import JSON
public import Plans
internal import Wire

/// A goal with the calls that reached it, and the tools as they were then.
public struct RememberedPlan: Sendable, Hashable {
    /// Its name: `p1`, `p2` and so on.
    public var name: String
    /// The goal and its calls.
    public var example: PlanExample
    /// A digest of each tool that it calls: with another one it is not shown.
    public var tools: [String: String]
    /// The run that it comes from; nil if a client gave it.
    public var run: RunID?
    /// When it was remembered, in milliseconds of Unix time.
    public var unixMilliseconds: Int

    /// A plan with these fields.
    public init(
        name: String,
        example: PlanExample,
        tools: [String: String],
        run: RunID? = nil,
        unixMilliseconds: Int = 0
    ) {
        self.name = name
        self.example = example
        self.tools = tools
        self.run = run
        self.unixMilliseconds = unixMilliseconds
    }

    /// Bytes of its texts.
    var bytes: Int {
        example.goal.utf8.count + example.calls.reduce(0) { $0 + $1.utf8.count + 16 }
            + tools.reduce(0) { $0 + $1.key.utf8.count + 64 } + 128
    }
}

/// The remembered plans, the oldest first, one for each goal.
struct PlanMemory: Sendable {
    /// How many there may be; beyond it the oldest is forgotten.
    static let most = 1_000
    /// Bytes that all may have.
    static let mostBytes = 4 << 20

    private(set) var plans: [RememberedPlan]
    private var nextNumber: Int

    init(_ plans: [RememberedPlan]) {
        self.plans = plans
        nextNumber = 1 + (plans.compactMap { Int($0.name.dropFirst()) }.max() ?? 0)
    }

    /// Keeps a plan, in place of an earlier one with the same goal; the oldest ones make room.
    mutating func remember(_ example: PlanExample, _ describe: (String) -> RememberedPlan) {
        plans.removeAll { $0.example.goal == example.goal }
        plans.append(describe("p\(nextNumber)"))
        nextNumber += 1
        var bytes = plans.reduce(0) { $0 + $1.bytes }
        while plans.count > Self.most || bytes > Self.mostBytes {
            bytes -= plans.removeFirst().bytes
        }
    }

    /// False if there is no plan of that name.
    mutating func forget(_ name: String) -> Bool {
        let count = plans.count
        plans.removeAll { $0.name == name }
        return plans.count < count
    }

    mutating func forgetAll() { plans = [] }
}
