// Why the nodes of a run do not continue, as shown by `weft explain`: a line for each of a few
// nodes, a line for each reason of many. Pure.
internal import Console
internal import JSON
internal import OrderedCollections

/// The coordinator's answer, put into groups.
struct Explanation {
    /// Nodes of one tool that wait for the same reasons.
    struct Group {
        var tool: String
        var status: String
        var codes: [String]
        /// The reasons in words; those that differ from node to node in a general form.
        var messages: [String]
        var count: Int
        /// The first few.
        var nodes: [String]
    }

    /// All nodes that do not continue, as far as known.
    let total: Int
    /// Nodes that the coordinator's answer left out.
    private let leftOut: Int
    private(set) var groups: [Group] = []
    private let answer: JSONValue

    /// Nodes that are listed one by one.
    private static let fewNodes = 20
    /// Groups that are listed.
    private static let groupsTold = 40
    private static let examples = 3

    /// An answer, and how many nodes of the run have not settled if that is known.
    init(_ answer: JSONValue, unsettled: Int? = nil) {
        self.answer = answer
        let nodes = answer["nodes"]?.arrayValue ?? []
        total = max(nodes.count, unsettled ?? 0)
        leftOut = total - nodes.count
        var groups: OrderedDictionary<[String], Group> = [:]
        for node in nodes { Self.add(node, to: &groups) }
        self.groups = Array(groups.values)
    }

    private static func add(
        _ node: JSONValue,
        to groups: inout OrderedDictionary<[String], Group>
    ) {
        let reasons = node["reasons"]?.arrayValue ?? []
        let codes = reasons.map { $0.text("code") }
        let messages = reasons.map { $0.text("message") }
        let (tool, status) = (node.text("tool"), node.text("status"))
        let key = [tool, status] + codes
        if groups[key] == nil {
            groups[key] = Group(
                tool: tool,
                status: status,
                codes: codes,
                messages: messages,
                count: 0,
                nodes: []
            )
        }
        groups[key]?.count += 1
        if let group = groups[key] {
            if group.nodes.count < examples { groups[key]?.nodes.append(node.text("id")) }
            for (place, code) in codes.enumerated() where group.messages[place] != messages[place] {
                groups[key]?.messages[place] = general(code)
            }
        }
    }

    /// The general form of a reason that contains different nodes, workers or times for each node.
    private static func general(_ code: String) -> String {
        switch code {
        case "dependencies": "other nodes come first"
        case "backing_off": "tried and failed; the next attempt starts later"
        case "sent": "sent to a worker, which has not begun yet"
        case "running": "runs on a worker"
        case "cancelling": "being cancelled"
        case "slots_busy": "all slots are busy"
        case "workers_silent": "workers that have the tool are not heard from"
        case "workers_draining": "workers that have the tool are draining"
        default: code.replacing("_", with: " ")
        }
    }

    /// The lines for people.
    func lines(_ style: Style) -> [String] {
        let nodes = answer["nodes"]?.arrayValue ?? []
        guard total > Self.fewNodes else { return nodes.flatMap { Self.lines($0, style) } }
        let shown = groups.prefix(Self.groupsTold)
        var lines = shown.map { Self.line($0, style) }
        let rest = groups.dropFirst(Self.groupsTold)
        if !rest.isEmpty {
            let count = rest.reduce(0) { $0 + $1.count }
            lines.append(
                "and \(Text.count(count, "more node")) in \(Text.count(rest.count, "more group")); "
                    + "--json has them"
            )
        }
        if leftOut > 0 {
            let run = Text.printable(answer.text("run"))
            lines.append(
                "and \(Text.count(leftOut, "more node")), which one answer has no room for; "
                    + "weft show \(run) --all lists every node"
            )
        }
        lines.append(
            style.paint("\(total) nodes do not go on; name one to see its own reasons.", .dim)
        )
        return lines
    }

    /// `296 × nap (ready): all slots are busy on w1; such as t5, t6, t7`.
    private static func line(_ group: Group, _ style: Style) -> String {
        guard group.count > 1 else {
            let name = "\(group.nodes.first ?? "?") (\(group.tool), \(group.status))"
            return Text.printable("\(name): \(group.messages.joined(separator: "; "))")
        }
        let state = style.paint(group.status, Style.color(ofState: group.status))
        let reason = group.messages.isEmpty ? "waits" : group.messages.joined(separator: "; ")
        return "\(group.count) × \(Text.printable(group.tool)) (\(state)): "
            + Text.printable("\(reason); such as \(group.nodes.joined(separator: ", "))")
    }

    /// `t3 (grep, ready): no connected worker has the tool grep`, a line for each reason.
    private static func lines(_ node: JSONValue, _ style: Style) -> [String] {
        let state = node.text("status")
        let name =
            "\(Text.printable(node.text("id"))) (\(Text.printable(node.text("tool"))), "
            + "\(style.paint(state, Style.color(ofState: state))))"
        let reasons = node["reasons"]?.arrayValue ?? []
        guard !reasons.isEmpty else { return ["\(name): waits for nothing"] }
        return reasons.map { "\(name): \(Text.printable($0.text("message")))" }
    }

    /// The answer with `total` and `groups`, each with its count.
    var document: JSONValue {
        var fields = answer.objectValue ?? [:]
        fields["total"] = .integer(Int64(total))
        if leftOut > 0 { fields["left_out"] = .integer(Int64(leftOut)) }
        fields["groups"] = .array(
            groups.map { group in
                .object([
                    "tool": .string(group.tool),
                    "status": .string(group.status),
                    "codes": .array(group.codes.map { .string($0) }),
                    "messages": .array(group.messages.map { .string($0) }),
                    "count": .integer(Int64(group.count)),
                    "nodes": .array(group.nodes.map { .string($0) }),
                ])
            }
        )
        return .object(fields)
    }
}
