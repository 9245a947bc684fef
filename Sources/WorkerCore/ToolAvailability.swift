// Which tools the worker offers. Tools come and go: an executable may be installed or removed while
// the worker runs.
internal import Core
internal import Wire

/// The tools of the configuration, those of them that cannot run for now, and when to look again.
struct ToolAvailability: Sendable {
    /// How often tools are checked while all can run, and while some cannot.
    private static let checkPause: Duration = .seconds(30)
    private static let missingCheckPause: Duration = .seconds(3)
    /// The least pause between two looks.
    private static let leastCheckPause: Duration = .milliseconds(500)

    /// The tools that there are; fewer than the indexes if some have gone.
    private var tools: [ToolDescription]
    private let slots: Int
    private let isChanging: Bool
    /// The positions of all tools that there ever were.
    private var indexes: [String: Int]
    /// Tools that are not offered because they cannot run for now.
    private(set) var withheld: [WithheldTool] = []
    /// What the coordinator was told about that.
    private var announced: [WithheldTool] = []
    /// The tools that there were and are no longer.
    private var gone: Set<String> = []
    /// Whether the coordinator does not know the tools that there are now.
    private var hasChanged = false
    private var lastCheck: Instant?
    /// When the tools are checked next.
    private(set) var deadline: Instant?

    init(_ configuration: WorkerConfiguration) {
        tools = configuration.tools
        slots = configuration.slots
        isChanging = configuration.hasChangingTools
        var indexes: [String: Int] = [:]
        for (index, tool) in configuration.tools.enumerated() {
            let earlier = indexes.updateValue(index, forKey: tool.name)
            precondition(earlier == nil, "the tool \(tool.name) is there once")
        }
        self.indexes = indexes
    }

    /// The position of a tool that there is.
    func index(of name: String) -> Int? { gone.contains(name) ? nil : indexes[name] }

    /// The tools that can run now.
    var offered: [ToolDescription] {
        guard !withheld.isEmpty else { return tools }
        let missing = Set(withheld.map(\.name))
        return tools.filter { !missing.contains($0.name) }
    }

    mutating func check(in turn: inout WorkerTurn) {
        guard isChanging else { return }
        lastCheck = turn.now
        deadline = nil
        turn.append(.checkTools)
    }

    mutating func handleDeadline(in turn: inout WorkerTurn) {
        if let deadline, turn.now >= deadline { check(in: &turn) }
    }

    /// A tool could not be started: it may be gone.
    mutating func checkSoon(at now: Instant) {
        guard isChanging else { return }
        let due = max(now, (lastCheck ?? .zero) + Self.leastCheckPause)
        deadline = min(deadline ?? due, due)
    }

    mutating func handleChecked(
        _ found: [WithheldTool],
        over channel: Channel,
        in turn: inout WorkerTurn
    ) {
        let due = turn.now + (found.isEmpty ? Self.checkPause : Self.missingCheckPause)
        deadline = min(deadline ?? due, due)
        guard found != withheld else { return }
        let before = Set(withheld.map(\.name))
        let after = Set(found.map(\.name))
        for tool in found where !before.contains(tool.name) { turn.report(.withheld(tool)) }
        for tool in withheld where !after.contains(tool.name) {
            turn.report(.offeredAgain(tool: tool.name))
        }
        withheld = found
        announceChanges(over: channel, in: &turn)
    }

    /// There are other tools than before; returns each with its position, and the positions of
    /// those that have gone.
    mutating func handleChanged(
        _ changed: [ToolDescription]
    ) -> (tools: [(index: Int, tool: ToolDescription)], gone: [Int]) {
        tools = changed
        hasChanged = true
        let present = Set(changed.map(\.name))
        gone = Set(indexes.keys).subtracting(present)
        let entries = changed.map { tool in
            let index = indexes[tool.name] ?? indexes.count
            indexes[tool.name] = index
            return (index, tool)
        }
        return (entries, gone.compactMap { indexes[$0] }.sorted())
    }

    /// Tells the coordinator what has changed since it was told last.
    mutating func announceChanges(over channel: Channel, in turn: inout WorkerTurn) {
        guard channel.isOpen, withheld != announced || hasChanged else { return }
        announced = withheld
        hasChanged = false
        turn.send(.offer(Offer(slots: slots, tools: offered, withheld: withheld)))
    }

    /// The coordinator learns of the tools in another way than by `offer`.
    mutating func noteAnnounced() {
        announced = withheld
        hasChanged = false
    }
}
