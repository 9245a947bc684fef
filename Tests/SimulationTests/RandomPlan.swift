// Random nodes and plans, together with the expected arguments: the model for checking dispatches.

import JSON
import Plans
import TestKit
import Wire

/// A reference in a node's arguments.
struct ModelReference {
    enum Style {
        /// The whole output.
        case whole
        /// A string deep in the output, which contains text like references.
        case path
        /// A number of the output.
        case number
        /// A number of the output within text.
        case text
        /// A string of the output within text.
        case spliced
        /// A part that is in no output.
        case missing
    }

    var key: String
    var dependency: String
    var style: Style

    private static let deep: [JSONPathStep] = [.key("l"), .index(1), .key("k")]

    /// Its value, as JSON, or nil if there is none.
    func value(in output: RawJSON) -> String? {
        switch style {
        case .whole: output.text
        case .path: output.value(at: Self.deep)?.text
        case .number: output.value(at: [.key("a")])?.text
        case .text: output.value(at: [.key("a")]).map { "\"try \($0.text)!\"" }
        case .spliced:
            output.value(at: Self.deep).map { "\"see \($0.text.dropFirst().dropLast()).\"" }
        case .missing: nil
        }
    }

    /// The reference as it is written.
    var written: String {
        switch style {
        case .whole: "$\(dependency)"
        case .path: "${\(dependency).l[1].k}"
        case .number: "${\(dependency).a}"
        case .text: "try ${\(dependency).a}!"
        case .spliced: "see ${\(dependency).l[1].k}."
        case .missing: "${\(dependency).gone.away}"
        }
    }

    /// Whether it is part of a longer text.
    var isWithinText: Bool {
        switch style {
        case .text, .spliced: true
        case .whole, .path, .number, .missing: false
        }
    }

    static func style(drawing draw: inout SeededDraw) -> Style {
        switch draw.int(0...99) {
        case 0...34: .whole
        case 35...54: .path
        case 55...69: .number
        case 70...84: .text
        case 85...96: .spliced
        default: .missing
        }
    }
}

/// One node as the simulation knows it.
struct ModelNode {
    var id: String
    var tool: String
    /// Everything that must succeed before.
    var dependencies: [String]
    /// The declared dependencies, which need not be referred to.
    var declared: [String]
    var references: [ModelReference]
    /// The number for a typed tool, unless it is a reference.
    var number: Int?
    /// Whether its id is among its arguments too, so that no two calls are equal: a planner merges
    /// equal calls.
    var isMarked = false

    /// Draws a node that depends on some of the others.
    init(
        id: String,
        after others: [String],
        tools: [String],
        mayDeclare: Bool = true,
        drawing draw: inout SeededDraw
    ) {
        self.id = id
        tool = draw.element(tools) ?? "quick"
        dependencies = []
        declared = []
        references = []
        for _ in 0..<(others.isEmpty ? 0 : draw.int(0...3)) {
            guard let other = draw.element(others) else { continue }
            let isReferred = draw.permille(600)
            guard isReferred || mayDeclare else { continue }
            if !dependencies.contains(other) { dependencies.append(other) }
            if isReferred {
                references.append(
                    ModelReference(
                        key: "k\(references.count)",
                        dependency: other,
                        style: ModelReference.style(drawing: &draw)
                    )
                )
            }
        }
        if tool == "typed" {
            if references.isEmpty || draw.permille(500) {
                number = draw.int(0...99)
            } else {
                references[0].key = "n"
                references[0].style = draw.permille(700) ? .number : .whole
            }
        }
        let referenced = Set(references.map(\.dependency))
        let isAllDeclared = mayDeclare && draw.permille(500)
        declared = dependencies.filter { isAllDeclared || !referenced.contains($0) }
    }

    /// The expected arguments of a dispatch, or nil if there must be none.
    func arguments(outputs: [String: RawJSON]) -> String? {
        var fields = number.map { ["\"n\":\($0)"] } ?? []
        if isMarked { fields.append("\"u\":\"u\(self.id)\"") }
        for reference in references {
            guard let output = outputs[reference.dependency],
                let value = reference.value(in: output)
            else { return nil }
            if tool == "typed", reference.key == "n", reference.style != .number { return nil }
            fields.append("\"\(reference.key)\":\(value)")
        }
        return "{\(fields.joined(separator: ","))}"
    }

    /// The node in a plan document.
    var text: NodeText { text(as: id) }

    /// The node in a plan document, under another id.
    func text(as id: String) -> NodeText {
        let fields =
            (number.map { ["\"n\":\($0)"] } ?? []) + (isMarked ? ["\"u\":\"u\(self.id)\""] : [])
            + references.map { "\"\($0.key)\":\"\($0.written)\"" }
        return NodeText(
            id,
            tool: tool,
            args: "{\(fields.joined(separator: ","))}",
            after: declared
        )
    }

    /// The node as a call on a line of its own.
    var line: String { line(as: id) }

    /// The node as a call on a line of its own, with another number.
    func line(as id: String) -> String {
        let arguments =
            (number.map { ["n=\($0)"] } ?? []) + (isMarked ? ["u=\"u\(self.id)\""] : [])
            + references.map { reference in
                let written = reference.written
                return "\(reference.key)=\(reference.isWithinText ? "\"\(written)\"" : written)"
            }
        return "\(id). \(tool)(\(arguments.joined(separator: ", ")))"
    }
}

/// A plan drawn at random.
struct ModelPlan {
    var nodes: [ModelNode] = []

    init(drawing draw: inout SeededDraw) {
        let count = draw.permille(100) ? draw.int(20...40) : draw.int(1...12)
        for index in 0..<count {
            nodes.append(
                ModelNode(
                    id: "n\(index)",
                    after: nodes.map(\.id),
                    tools: SimulatedTools.mix,
                    drawing: &draw
                )
            )
        }
    }
}
