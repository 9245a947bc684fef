// The shapes of plans that `weft bench` runs, as nodes of the wire's form.

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

    /// How many nodes unless the command says otherwise.
    var defaultNodes: Int {
        switch self {
        case .fanout: 100_000
        case .chain: 1_000
        case .layers: 10_000
        case .payload: 256
        case .spawn: 2_000
        case .single: 2_000
        }
    }

    /// Bytes of each output of the payload shape.
    static let payloadBytes = 256 << 10
    /// Nodes of a layer.
    static let layerWidth = 1_000

    /// The plan document; `single` is one node, run again and again.
    func plan(nodes: Int) -> [UInt8] {
        var writer = JSONWriter(reserving: nodes * 96 + 256)
        writer.beginObject()
        writer.key("tasks")
        writer.beginArray()
        switch self {
        case .fanout:
            for node in 0..<nodes { add(node, "noop", to: &writer) }
        case .chain:
            for node in 0..<nodes {
                add(node, "noop", after: node > 0 ? [node - 1] : [], to: &writer)
            }
        case .layers:
            for node in 0..<nodes { add(node, "noop", after: layered(node), to: &writer) }
        case .payload:
            addPayloads(nodes, to: &writer)
        case .spawn:
            for node in 0..<nodes { add(node, "true", to: &writer) }
        case .single:
            add(0, "noop", to: &writer)
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    private func layered(_ node: Int) -> [Int] {
        guard node >= Self.layerWidth else { return [] }
        let above = node - Self.layerWidth
        let row = above / Self.layerWidth * Self.layerWidth
        return [above, row + (above - row + 1) % Self.layerWidth]
    }

    private func addPayloads(_ nodes: Int, to writer: inout JSONWriter) {
        for node in 0..<nodes {
            begin(node, "payload", to: &writer)
            writer.key("args")
            writer.beginObject()
            writer.field("bytes", Self.payloadBytes)
            writer.endObject()
            writer.endObject()
        }
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

    private func add(
        _ node: Int,
        _ tool: String,
        after dependencies: [Int] = [],
        to writer: inout JSONWriter
    ) {
        begin(node, tool, to: &writer)
        writer.field("args", RawJSON.emptyObject)
        if !dependencies.isEmpty {
            writer.key("dependencies")
            writer.beginArray()
            for dependency in dependencies { writer.string("n\(dependency)") }
            writer.endArray()
        }
        writer.endObject()
    }
}
