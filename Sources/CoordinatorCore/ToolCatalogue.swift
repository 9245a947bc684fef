// The tools that connected workers offer. The same name with the same schema on several workers is
// one tool; with another schema the later worker's tool is not offered.

internal import Core
internal import JSON
internal import OrderedCollections
internal import PlannerCore
internal import Scheduling
internal import Schemas
internal import Wire

struct ToolCatalogue: Sendable {
    struct Entry: Sendable {
        var description: ToolDescription
        var schema: Schema
        /// What is known of its outputs.
        var shape: OutputShape?
        /// The schema with sorted keys, to compare with.
        var canonical: JSONValue
        /// A digest of what a planner is shown, in hexadecimal.
        var digest: String
        /// The workers that offer it, in the order in which they came.
        var workers: Roster<WorkerID>

        func hasSchema(of tool: ToolDescription) -> Bool {
            description.parameters == tool.parameters
                || canonical == ToolCatalogue.canonical(JSONValue(tool.parameters))
        }
    }

    private(set) var entries: [String: Entry] = [:]
    /// Whether there may be a tool whose nodes a person has to approve.
    private(set) var hasToolsToApprove = false

    subscript(name: String) -> Entry? { entries[name] }

    /// Whether any tool has said something of its outputs.
    private(set) var describesOutputs = false

    /// How many tools there are.
    var count: Int { entries.count }

    /// The names in alphabetical order.
    var names: [String] { entries.keys.sorted() }

    /// Takes a worker's tool in, or says why not.
    mutating func offer(_ tool: ToolDescription, by worker: WorkerID) -> String? {
        if tool.outputSchema != nil { describesOutputs = true }
        if let isSame = entries[tool.name]?.hasSchema(of: tool) {
            guard isSame else {
                return "another worker offers \(tool.name) with a different parameter schema"
            }
            entries[tool.name]?.workers.add(worker)
            noteApproval(of: tool)
            return nil
        }
        let canonical = Self.canonical(JSONValue(tool.parameters))
        do {
            let schema = try Schema(compiling: tool.parameters)
            var workers = Roster<WorkerID>()
            workers.add(worker)
            entries[tool.name] = Entry(
                description: tool,
                schema: schema,
                shape: tool.outputSchema.map { OutputShape($0) },
                canonical: canonical,
                digest: Self.digest(of: tool, canonical),
                workers: workers
            )
            noteApproval(of: tool)
            return nil
        } catch {
            return "its parameter schema cannot be used: \(error)"
        }
    }

    /// Whether the tool would be taken in beside those of other workers that are there now.
    func agrees(with tool: ToolDescription) -> Bool {
        entries[tool.name]?.canonical == Self.canonical(JSONValue(tool.parameters))
    }

    /// A tool needs approval as soon as one of its workers says so, and as long as it is there.
    private mutating func noteApproval(of tool: ToolDescription) {
        guard tool.needsApproval, let entry = entries[tool.name] else { return }
        hasToolsToApprove = true
        entries[tool.name]?.description.needsApproval = true
        let times = [entry.description.approvalMilliseconds, tool.approvalMilliseconds]
        entries[tool.name]?.description.approvalMilliseconds = times.compactMap(\.self).min()
    }

    /// Takes over what the only worker that offers a tool says of it now; the schema is the same.
    mutating func restate(_ tool: ToolDescription) {
        noteApproval(of: tool)
        guard let entry = entries[tool.name], entry.workers.count == 1, entry.description != tool
        else { return }
        if tool.outputSchema != nil { describesOutputs = true }
        entries[tool.name]?.description = tool
        entries[tool.name]?.shape = tool.outputSchema.map { OutputShape($0) }
        entries[tool.name]?.digest = Self.digest(of: tool, entry.canonical)
    }

    /// Takes out tools that a worker offers no longer, which stays.
    mutating func withdraw(_ tools: [String], of worker: WorkerID) {
        for name in tools {
            entries[name]?.workers.drop { $0 == worker }
            entries[name]?.workers.removeOne { _ in true }
            if entries[name]?.workers.count == 0 { entries[name] = nil }
        }
    }

    /// Takes out a worker for which `isConnected` says no, and everything that only it offered.
    mutating func removeWorker(tools: [String], where isConnected: (WorkerID) -> Bool) {
        for name in tools {
            entries[name]?.workers.removeOne(where: isConnected)
            if entries[name]?.workers.count == 0 { entries[name] = nil }
        }
    }

    private static func digest(of tool: ToolDescription, _ parameters: JSONValue) -> String {
        var hash = SHA256()
        hash.update(Array(tool.description.utf8) + [0])
        hash.update(RawJSON(parameters).bytes)
        if let outputs = tool.outputSchema { hash.update([0] + outputs.bytes) }
        return Hex.encode(hash.digest().prefix(16))
    }

    fileprivate static func canonical(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let fields):
            var sorted = OrderedDictionary<String, JSONValue>()
            for key in fields.keys.sorted() { sorted[key] = fields[key].map(canonical) }
            return .object(sorted)
        case .array(let elements): return .array(elements.map(canonical))
        default: return value
        }
    }
}
