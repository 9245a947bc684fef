// The tools that connected workers offer. The same name with the same schema on several workers is
// one tool; with another schema the later worker's tool is not offered.

internal import JSON
internal import OrderedCollections
internal import Scheduling
internal import Schemas
internal import Wire

struct ToolCatalogue: Sendable {
    struct Entry: Sendable {
        var description: ToolDescription
        var schema: Schema
        /// The schema with sorted keys, to compare with.
        var canonical: JSONValue
        /// The workers that offer it, in the order in which they came.
        var workers: [WorkerID]
    }

    private(set) var entries: [String: Entry] = [:]

    subscript(name: String) -> Entry? { entries[name] }

    /// The names in alphabetical order.
    var names: [String] { entries.keys.sorted() }

    /// Takes a worker's tool in, or says why not.
    mutating func offer(_ tool: ToolDescription, by worker: WorkerID) -> String? {
        let canonical = Self.canonical(JSONValue(tool.parameters))
        if let entry = entries[tool.name] {
            guard entry.canonical == canonical else {
                return "another worker offers \(tool.name) with a different parameter schema"
            }
            entries[tool.name]?.workers.append(worker)
            return nil
        }
        do {
            let schema = try Schema(compiling: tool.parameters)
            entries[tool.name] = Entry(
                description: tool,
                schema: schema,
                canonical: canonical,
                workers: [worker]
            )
            return nil
        } catch {
            return "its parameter schema cannot be used: \(error)"
        }
    }

    /// Takes out everything that only this worker offered.
    mutating func remove(_ worker: WorkerID, tools: [String]) {
        for name in tools {
            entries[name]?.workers.removeAll { $0 == worker }
            if entries[name]?.workers.isEmpty == true { entries[name] = nil }
        }
    }

    private static func canonical(_ value: JSONValue) -> JSONValue {
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
