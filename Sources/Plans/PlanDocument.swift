// A whole plan as written, with all its problems found at once.

public import JSON

/// A plan as written: nodes in order and what to do with their outputs.
public struct PlanDocument: Sendable, Hashable {
    /// The nodes, in the order written.
    public var nodes: [NodeDefinition]
    /// What to do with the outputs, in words.
    public var joinInstruction: String?

    /// A document with these parts; nothing is checked.
    public init(nodes: [NodeDefinition] = [], joinInstruction: String? = nil) {
        self.nodes = nodes
        self.joinInstruction = joinInstruction
    }

    /// Reads a whole document and finds all its problems, in decoding and in structure.
    ///
    /// The document contains the nodes that could be decoded; it can run if there are no problems.
    /// Warnings are not included, see ``Plan/warnings()``. If the text is not JSON, the nodes
    /// before the fault are decoded and the structure is not checked.
    public static func read(
        _ bytes: [UInt8]
    ) -> (document: PlanDocument, problems: [PlanProblem]) {
        let whole = WholePlan(reading: bytes[...])
        return (whole.document, whole.problems)
    }

    /// Writes the document in its JSON form.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("tasks")
        writer.beginArray()
        for node in nodes { node.encode(into: &writer) }
        writer.endArray()
        writer.field("join_instruction", joinInstruction)
        writer.endObject()
    }
}

/// The nodes of a document and the problems of decoding them.
struct DecodedPlan {
    /// The nodes in order; a node that could not be decoded but has an id is replaced by an empty
    /// one, so that others may depend on it.
    private(set) var nodes: [NodeDefinition] = []
    private(set) var joinInstruction: String?
    private(set) var problems = ProblemList()
    /// Positions in `nodes` that contain a replacement.
    private(set) var standIns: [Int] = []
    /// Whether the text was JSON up to its end.
    private(set) var isComplete = false

    init(_ bytes: ArraySlice<UInt8>) {
        var reader = PlanReader()
        var position = 0
        do {
            try reader.feed(bytes) { raw in
                add(NodeReading(raw, at: position))
                position += 1
            }
        } catch {
            problems.add(contentsOf: error.problems)
            return
        }
        do {
            joinInstruction = try reader.finish()
            isComplete = true
        } catch {
            problems.add(contentsOf: error.problems)
            isComplete = error.problems.allSatisfy { $0.code != .badJSON }
        }
    }

    private mutating func add(_ reading: NodeReading) {
        if let node = reading.definition {
            nodes.append(node)
            return
        }
        problems.add(contentsOf: reading.problems)
        guard let id = reading.id else { return }
        standIns.append(nodes.count)
        nodes.append(
            NodeDefinition(
                id: id,
                tool: "?",
                arguments: reading.arguments,
                dependencies: reading.dependencies
            )
        )
    }

    var soundNodes: [NodeDefinition] {
        var sound: [NodeDefinition] = []
        var next = 0
        for (place, node) in nodes.enumerated() {
            if next < standIns.count, standIns[next] == place {
                next += 1
            } else {
                sound.append(node)
            }
        }
        return sound
    }
}
