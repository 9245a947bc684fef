// The groups of workers with the same tools, and the sets of labels that nodes require. Who is in
// them is decided in Scheduler+Pools and Scheduler+Classes.

internal import Core

/// Groups by slot, found by their tools.
struct WorkerGroups: Sendable {
    private var groups = Table<WorkerGroup>()
    private var indexes: [[String: ToolOffer]: Int] = [:]
    private var byTool: [String: Roster<Ticket>] = [:]

    subscript(group: Int) -> WorkerGroup {
        _read { yield groups[group] }
        _modify { yield &groups[group] }
    }

    var slots: [Int] { groups.slots }
    /// How many tools are kept; for checks that what is gone is forgotten.
    var keptTools: Int { byTool.count }

    /// The group of workers with exactly these tools.
    func index(of tools: [String: ToolOffer]) -> Int? { indexes[tools] }

    func isOffered(_ tool: String) -> Bool { (byTool[tool]?.count ?? 0) > 0 }

    /// The groups whose workers have a tool.
    func offering(_ tool: String) -> [Int] {
        (byTool[tool]?.members ?? []).filter { groups.has($0) }.map(\.index)
    }

    mutating func insert(_ tools: [String: ToolOffer]) -> Int {
        let group = groups.insert(WorkerGroup(tools: tools))
        indexes[tools] = group
        for tool in tools.keys {
            byTool[tool, default: Roster()].add(groups.ticket(of: group))
        }
        return group
    }

    mutating func remove(_ group: Int) {
        let tools = groups[group].tools
        indexes[tools] = nil
        groups.remove(group, leaving: WorkerGroup(tools: [:]))
        for tool in tools.keys {
            byTool[tool]?.removeOne { groups.has($0) }
            if byTool[tool]?.count == 0 { byTool[tool] = nil }
        }
    }
}

/// Sets of required labels; the first one is empty, and stays.
///
/// Others are found by their first label when a worker joins.
struct Demands: Sendable {
    private var demands = Table<Demand>()
    private var indexes: [[String: String]: Int] = [:]
    private var byLabel: [Label: [Int]] = [:]

    init() {
        indexes[[:]] = demands.insert(Demand(labels: [:]))
    }

    subscript(demand: Int) -> Demand { demands[demand] }

    var slots: [Int] { demands.slots }
    /// Whether each is found by its labels; for checks.
    var isIndexed: Bool { indexes.count == demands.count }

    /// The demand for these labels; made when it is not there.
    mutating func demand(for labels: [String: String]) -> Int {
        if let known = indexes[labels] { return known }
        let demand = demands.insert(Demand(labels: labels))
        indexes[labels] = demand
        if let label = demands[demand].firstLabel { byLabel[label, default: []].append(demand) }
        return demand
    }

    /// One class more has the demand.
    mutating func countClass(of demand: Int) { demands[demand].classCount += 1 }

    /// One class less has the demand, which is forgotten with the last one.
    mutating func uncountClass(of demand: Int) {
        demands[demand].classCount -= 1
        guard demand != 0, demands[demand].classCount == 0 else { return }
        indexes[demands[demand].labels] = nil
        if let label = demands[demand].firstLabel {
            byLabel[label]?.removeAll { $0 == demand }
            if byLabel[label]?.isEmpty == true { byLabel[label] = nil }
        }
        demands.remove(demand, leaving: Demand(labels: [:]))
    }

    /// The demands that a worker meets, the empty one first.
    func met(by profile: WorkerProfile) -> [Int] {
        guard !byLabel.isEmpty else { return [0] }
        var met = [0]
        for (key, value) in profile.labels.sorted(by: { $0.key < $1.key }) {
            for demand in byLabel[Label(key, value)] ?? [] where demands[demand].isMet(by: profile)
            {
                met.append(demand)
            }
        }
        return met
    }
}
