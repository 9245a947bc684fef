// What is counted for each tool. Names come from peers, so there is a bound on how many have numbers
// of their own: the rest is counted under `other`.

/// How the nodes of a tool ended, and how long it took.
public struct ToolNumbers: Sendable, Equatable {
    /// Nodes that succeeded.
    public var succeeded = 0
    /// Nodes that failed.
    public var failed = 0
    /// Nodes that never ran, because another one failed.
    public var skipped = 0
    /// Nodes that were cancelled.
    public var cancelled = 0
    /// Attempts that ended with a failure, also those that another one followed.
    public var failedAttempts = 0
    /// How long attempts ran, as far as they ended with a result.
    public var duration = Histogram()
    /// How long the nodes of these attempts waited for a worker.
    public var queue = Histogram()

    /// Nothing counted.
    public init() {}

    /// Adds what was counted of another tool.
    mutating func add(_ other: ToolNumbers) {
        succeeded += other.succeeded
        failed += other.failed
        skipped += other.skipped
        cancelled += other.cancelled
        failedAttempts += other.failedAttempts
        duration.add(other.duration)
        queue.add(other.queue)
    }
}

/// The numbers of tools by name, of at most so many.
public struct ToolTable: Sendable {
    /// The name under which the rest is counted.
    public static let rest = "other"

    private let bound: Int
    private var names: [String] = [rest]
    private var rows: [ToolNumbers] = [ToolNumbers()]
    private var places: [String: Int] = [rest: 0]
    /// The row that was counted in last: nodes of one tool often follow each other.
    private var latest = 0
    /// How often there was no room for a tool.
    private var crowded = 0

    /// A table with rows for so many tools beside the rest.
    public init(bound: Int = 200) { self.bound = bound }

    /// The row of a tool; nil if it has none of its own.
    public mutating func row(of tool: String) -> Int? {
        if names[latest] != tool {
            guard let place = places[tool] else { return nil }
            latest = place
        }
        return latest
    }

    /// The row of a tool that has none: a new one if it is known and there is room, else that of the
    /// rest.
    ///
    /// - Parameters:
    ///   - tool: Its name.
    ///   - isKnown: Whether there is such a tool; asked of others, too, when room is needed.
    /// - Returns: The row.
    public mutating func addRow(of tool: String, isKnown: (String) -> Bool) -> Int {
        guard isKnown(tool) else { return 0 }
        if names.count > bound {
            // With more tools than rows this would find nothing, node by node.
            if crowded.isMultiple(of: 1_024) { dropUnknown(isKnown) }
            crowded += 1
        }
        guard names.count <= bound else { return 0 }
        places[tool] = names.count
        names.append(tool)
        rows.append(ToolNumbers())
        return names.count - 1
    }

    /// Changes the numbers of a row.
    public mutating func change(_ row: Int, _ body: (inout ToolNumbers) -> Void) {
        body(&rows[row])
    }

    /// Moves the numbers of tools that are gone to the rest.
    private mutating func dropUnknown(_ isKnown: (String) -> Bool) {
        var kept = ToolTable(bound: bound)
        kept.rows[0] = rows[0]
        kept.crowded = crowded
        for (name, row) in zip(names, rows).dropFirst() {
            if isKnown(name) {
                kept.places[name] = kept.names.count
                kept.names.append(name)
                kept.rows.append(row)
            } else {
                kept.rows[0].add(row)
            }
        }
        self = kept
    }

    /// The numbers of a tool; nil if it has none of its own.
    public subscript(tool: String) -> ToolNumbers? { places[tool].map { rows[$0] } }

    /// All rows by name, those of tools in alphabetical order and the rest last.
    public var sorted: [(name: String, numbers: ToolNumbers)] {
        let tools = places.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        return tools.map { ($0.key, rows[$0.value]) } + [(Self.rest, rows[0])]
    }
}
