// The shapes of `weft bench`, and their plans as nodes in the wire's form.

internal import ArgumentParser
internal import JSON

enum BenchShape: String, CaseIterable, ExpressibleByArgument {
    /// Independent no-op nodes: throughput.
    case fanout
    /// Each node depends on the one before: the latency of a hop.
    case chain
    /// Layers of nodes, each depending on two of the layer before: throughput with dependencies.
    case layers
    /// Large outputs into one node: bytes through the coordinator.
    case payload
    /// Processes that do nothing: the cost of starting tools.
    case spawn
    /// Runs of one node, one after the other: latency from submit to answer.
    case single
    /// Tools that wait: how well slots are kept busy.
    case sleep
    /// Runs of one node of many clients at once: throughput of runs, and whether clients are
    /// treated equally.
    case clients
    /// A million no-op nodes: memory.
    case million
    /// A large plan file through `weft run`: the time until its first node has run.
    case planfile
    /// Workers that wait: their cost for the coordinator.
    case idle

    /// The default number of nodes; for clients the number of runs, for idle the number of workers.
    var defaultNodes: Int {
        switch self {
        case .fanout: 100_000
        case .chain: 1_000
        case .layers: 10_000
        case .payload: 256
        case .spawn: 2_000
        case .single: 2_000
        case .sleep: 10_000
        case .clients: 20_000
        case .million, .planfile: 1_000_000
        case .idle: 1_000
        }
    }

    /// The default slots of each worker.
    var defaultSlots: Int { self == .sleep ? 64 : 4 }

    /// The things that `nodes` counts.
    var unit: String {
        switch self {
        case .single, .clients: "runs"
        case .idle: "idle workers"
        default: "nodes"
        }
    }

    /// Bytes of each output of the payload shape.
    static let payloadBytes = 256 << 10
    /// Nodes of a layer.
    static let layerWidth = 1_000
    /// Milliseconds that each tool of the sleep shape waits.
    static let sleepMilliseconds = 20
    /// Clients that submit at once.
    static let clientCount = 64
    /// Bytes of each node in a plan file.
    static let fileNodeBytes = 150

    /// The plan document; for shapes with many runs that of one run.
    func plan(nodes: Int) -> [UInt8] {
        var writer = JSONWriter(reserving: nodes * 96 + 256)
        writer.beginObject()
        writer.key("tasks")
        writer.beginArray()
        for node in 0..<nodes {
            begin(node, tool, to: &writer)
            writer.key("args")
            addArguments(to: &writer)
            add(dependencies(of: node), to: &writer)
            writer.endObject()
        }
        if self == .payload { addCollector(of: nodes, to: &writer) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// One node of a plan file, as long as all others.
    func fileNode(_ node: Int) -> [UInt8] {
        var writer = JSONWriter(reserving: Self.fileNodeBytes + 16)
        begin(node, tool, to: &writer)
        add(layered(node), to: &writer)
        writer.key("args")
        writer.beginObject()
        let rest = Self.fileNodeBytes - writer.bytes.count - #""text":""}},"#.utf8.count
        writer.field("text", String(repeating: "x", count: max(rest, 0)))
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private var tool: String {
        switch self {
        case .payload: "payload"
        case .spawn: "true"
        case .sleep: "sleep"
        default: "noop"
        }
    }

    private func addArguments(to writer: inout JSONWriter) {
        writer.beginObject()
        switch self {
        case .payload: writer.field("bytes", Self.payloadBytes)
        case .sleep: writer.field("ms", Self.sleepMilliseconds)
        default: break
        }
        writer.endObject()
    }

    private func dependencies(of node: Int) -> [Int] {
        switch self {
        case .chain: node > 0 ? [node - 1] : []
        case .layers: layered(node)
        default: []
        }
    }

    private func layered(_ node: Int) -> [Int] {
        guard node >= Self.layerWidth else { return [] }
        let above = node - Self.layerWidth
        let row = above / Self.layerWidth * Self.layerWidth
        return [above, row + (above - row + 1) % Self.layerWidth]
    }

    /// The node that gets all outputs.
    private func addCollector(of nodes: Int, to writer: inout JSONWriter) {
        begin(nodes, "noop", to: &writer)
        writer.key("args")
        writer.beginObject()
        writer.key("parts")
        writer.beginArray()
        for node in 0..<nodes { writer.string("$n\(node)") }
        writer.endArray()
        writer.endObject()
        writer.endObject()
    }

    private func begin(_ node: Int, _ tool: String, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("id", "n\(node)")
        writer.field("tool_name", tool)
    }

    private func add(_ dependencies: [Int], to writer: inout JSONWriter) {
        guard !dependencies.isEmpty else { return }
        writer.key("dependencies")
        writer.beginArray()
        for dependency in dependencies { writer.string("n\(dependency)") }
        writer.endArray()
    }
}
