// Plans drawn at random, together with what their arguments must become: the model that dispatches
// are compared with.

import JSON
import Plans
import TestKit
import Wire

/// The tools of every simulation.
enum SimulatedTools {
    static let descriptions: [ToolDescription] = [
        ToolDescription(name: "quick", description: "", isIdempotent: true, maxAttempts: 3),
        ToolDescription(
            name: "work",
            description: "",
            isIdempotent: true,
            timeoutMilliseconds: 800,
            maxAttempts: 2
        ),
        ToolDescription(name: "once", description: "", maxAttempts: 2),
        ToolDescription(
            name: "single",
            description: "",
            timeoutMilliseconds: 1_500,
            concurrency: 1
        ),
    ]

    static func isIdempotent(_ name: String) -> Bool {
        descriptions.contains { $0.name == name && $0.isIdempotent }
    }
}

/// A reference in a node's arguments.
struct ModelReference {
    enum Style {
        /// The whole output.
        case whole
        /// A string deep in the output.
        case path
        /// A number of the output within text.
        case text
        /// A part that no output has.
        case missing
    }

    var key: String
    var dependency: Int
    var style: Style
}

/// One node as the simulation knows it.
struct ModelNode {
    var id: String
    var tool: String
    /// Everything that has to succeed before.
    var dependencies: [Int]
    var references: [ModelReference]
    var text: NodeText

    /// The arguments that a dispatch must carry.
    func arguments(ids: [String], outputs: [Int: RawJSON]) -> String? {
        var fields: [String] = []
        for reference in references {
            guard let output = outputs[reference.dependency] else { return nil }
            let value: String?
            switch reference.style {
            case .whole: value = output.text
            case .path: value = output.value(at: [.key("l"), .index(1), .key("k")])?.text
            case .text: value = output.value(at: [.key("a")]).map { "\"try \($0.text)!\"" }
            case .missing: value = nil
            }
            guard let value else { return nil }
            fields.append("\"\(reference.key)\":\(value)")
        }
        return "{\(fields.joined(separator: ","))}"
    }
}

/// A plan drawn at random.
struct ModelPlan {
    var nodes: [ModelNode] = []

    var ids: [String] { nodes.map(\.id) }

    init(drawing draw: inout SeededDraw) {
        let count = draw.permille(150) ? draw.int(20...40) : draw.int(1...12)
        for index in 0..<count {
            var dependencies: Set<Int> = []
            var references: [ModelReference] = []
            for _ in 0..<(index == 0 ? 0 : draw.int(0...3)) {
                let dependency = draw.int(0...(index - 1))
                dependencies.insert(dependency)
                guard draw.permille(600) else { continue }
                let style: ModelReference.Style =
                    switch draw.int(0...99) {
                    case 0...39: .whole
                    case 40...69: .path
                    case 70...96: .text
                    default: .missing
                    }
                references.append(
                    ModelReference(
                        key: "k\(references.count)",
                        dependency: dependency,
                        style: style
                    )
                )
            }
            let tool =
                draw.element(["quick", "quick", "work", "work", "work", "once", "single"])
                ?? "quick"
            nodes.append(
                Self.node(
                    index,
                    tool,
                    dependencies.sorted(),
                    references,
                    declared: draw.permille(500)
                )
            )
        }
    }

    private static func node(
        _ index: Int,
        _ tool: String,
        _ dependencies: [Int],
        _ references: [ModelReference],
        declared: Bool
    ) -> ModelNode {
        let referenced = Set(references.map(\.dependency))
        let listed = dependencies.filter { declared || !referenced.contains($0) }
        let args = references.map { reference in
            let name = "n\(reference.dependency)"
            let written =
                switch reference.style {
                case .whole: "$\(name)"
                case .path: "${\(name).l[1].k}"
                case .text: "try ${\(name).a}!"
                case .missing: "${\(name).gone.away}"
                }
            return "\"\(reference.key)\":\"\(written)\""
        }
        return ModelNode(
            id: "n\(index)",
            tool: tool,
            dependencies: dependencies,
            references: references,
            text: NodeText(
                "n\(index)",
                tool: tool,
                args: "{\(args.joined(separator: ","))}",
                after: listed.map { "n\($0)" }
            )
        )
    }
}
