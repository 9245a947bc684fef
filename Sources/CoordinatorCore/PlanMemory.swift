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
    ///
    /// Their goals are searched for each new goal, so they are not very many.
    static let most = 300
    /// Bytes that all may have.
    static let mostBytes = 1 << 20

    private(set) var plans: [RememberedPlan]
    /// Whether they differ from those that were stored.
    private var isChanged = false
    private var nextNumber: Int

    init(_ plans: [RememberedPlan]) {
        self.plans = plans
        nextNumber = 1 + (plans.compactMap { Int($0.name.dropFirst()) }.max() ?? 0)
        makeRoom()
    }

    /// Keeps a plan, in place of an earlier one with the same goal; the oldest ones make room.
    ///
    /// An equal one stays as it is.
    mutating func remember(
        _ example: PlanExample,
        tools: [String: String],
        _ describe: (String) -> RememberedPlan
    ) {
        let earlier = plans.firstIndex { $0.example.goal == example.goal }
        if let earlier {
            if plans[earlier].example == example, plans[earlier].tools == tools { return }
            plans.remove(at: earlier)
        }
        plans.append(describe("p\(nextNumber)"))
        nextNumber += 1
        isChanged = true
        makeRoom()
    }

    /// False if there is no plan of that name.
    mutating func forget(_ name: String) -> Bool {
        guard let position = plans.firstIndex(where: { $0.name == name }) else { return false }
        plans.remove(at: position)
        isChanged = true
        return true
    }

    mutating func forgetAll() {
        isChanged = isChanged || !plans.isEmpty
        plans = []
    }

    /// The plans, if they differ from those that were stored.
    mutating func takeChanged() -> [RememberedPlan]? {
        guard isChanged else { return nil }
        isChanged = false
        return plans
    }

    private mutating func makeRoom() {
        var bytes = plans.reduce(0) { $0 + $1.bytes }
        while plans.count > Self.most || bytes > Self.mostBytes {
            bytes -= plans.removeFirst().bytes
        }
    }
}
