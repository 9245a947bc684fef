// Why the nodes of a run do not continue, as shown by `weft explain`: a line for each of a few
// nodes, a line for each reason of many. Pure.
internal import Console
internal import Core
internal import JSON
internal import OrderedCollections
internal import Wire

/// The coordinator's answer, put into groups.
struct Explanation {
    /// Nodes of one tool that wait for the same reasons.
    struct Group {
        var tool: String
        var status: NodeStatus
        var codes: [WaitingReason.Code]
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
    private let answer: ExplanationDocument

    /// Nodes that are listed one by one.
    private static let fewNodes = 20
    /// Groups that are listed.
    private static let groupsTold = 40
    private static let examples = 3

    /// An answer, and how many nodes of the run have not settled if that is known.
    init(_ answer: ExplanationDocument, unsettled: Int? = nil) {
        self.answer = answer
        total = max(answer.nodes.count, unsettled ?? 0)
        leftOut = total - answer.nodes.count
        var groups: OrderedDictionary<GroupKey, Group> = [:]
        for node in answer.nodes { Self.add(node, to: &groups) }
        self.groups = Array(groups.values)
    }

    /// What the nodes of a group have in common.
    private struct GroupKey: Hashable {
        var tool: String
        var status: NodeStatus
        var codes: [WaitingReason.Code]
    }

    private static func add(
        _ node: WaitingNode,
        to groups: inout OrderedDictionary<GroupKey, Group>
    ) {
        let codes = node.reasons.map(\.code)
        let messages = node.reasons.map(\.message)
        let key = GroupKey(tool: node.tool, status: node.status, codes: codes)
        var group =
            groups[key]
            ?? Group(
                tool: node.tool,
                status: node.status,
                codes: codes,
                messages: messages,
                count: 0,
                nodes: []
            )
        group.count += 1
        if group.nodes.count < examples { group.nodes.append(node.id.text) }
        for (place, code) in codes.enumerated() where group.messages[place] != messages[place] {
            group.messages[place] = general(code)
        }
        groups[key] = group
    }

    /// The general form of a reason that contains different nodes, workers or times for each node.
    private static func general(_ code: WaitingReason.Code) -> String {
        switch code {
        case .dependencies: "other nodes come first"
        case .backingOff: "tried and failed; the next attempt starts later"
        case .approval: "a person has to approve it (weft approvals lists what waits)"
        case .sent: "sent to a worker, which has not begun yet"
        case .running: "runs on a worker"
        case .cancelling: "being cancelled"
        case .slotsBusy: "all slots are busy"
        case .silent: "workers that have the tool are not heard from"
        case .draining: "workers that have the tool are draining"
        default: code.rawValue.replacing("_", with: " ")
        }
    }

    /// The lines for people.
    func lines(_ style: Style) -> [String] {
        guard total > Self.fewNodes else { return answer.nodes.flatMap { Self.lines($0, style) } }
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
            lines.append(
                "and \(Text.count(leftOut, "more node")), which one answer has no room for; "
                    + "weft show \(answer.run) --all lists every node"
            )
        }
        lines.append(
            style.paint("\(total) nodes do not go on; name one to see its own reasons.", .dim)
        )
        return lines
    }

    /// `296 × nap (ready): all slots are busy on w1; such as t5, t6, t7`.
    static func line(_ group: Group, _ style: Style) -> String {
        guard group.count > 1 else {
            let name = "\(group.nodes.first ?? "?") (\(group.tool), \(group.status.rawValue))"
            return Text.printable("\(name): \(group.messages.joined(separator: "; "))")
        }
        let state = style.paint(group.status.rawValue, Style.color(ofState: group.status.rawValue))
        let reason = group.messages.isEmpty ? "waits" : group.messages.joined(separator: "; ")
        return "\(group.count) × \(Text.printable(group.tool)) (\(state)): "
            + Text.printable("\(reason); such as \(group.nodes.joined(separator: ", "))")
    }

    /// `t3 (grep, ready): no connected worker has the tool grep`, a line for each reason.
    private static func lines(_ node: WaitingNode, _ style: Style) -> [String] {
        let state = node.status.rawValue
        let name =
            "\(node.id) (\(Text.printable(node.tool)), "
            + "\(style.paint(state, Style.color(ofState: state))))"
        guard !node.reasons.isEmpty else { return ["\(name): waits for nothing"] }
        return node.reasons.map { "\(name): \(Text.printable($0.message))" }
    }

    /// The answer of the coordinator with `total` and `groups`, each with its count.
    func document(_ answer: RawJSON) -> RawJSON {
        var fields = JSONValue(answer).objectValue ?? [:]
        fields["total"] = .integer(Int64(total))
        if leftOut > 0 { fields["left_out"] = .integer(Int64(leftOut)) }
        fields["groups"] = .array(
            groups.map { group in
                .object([
                    "tool": .string(group.tool),
                    "status": .string(group.status.rawValue),
                    "codes": .array(group.codes.map { .string($0.rawValue) }),
                    "messages": .array(group.messages.map { .string($0) }),
                    "count": .integer(Int64(group.count)),
                    "nodes": .array(group.nodes.map { .string($0) }),
                ])
            }
        )
        return RawJSON(.object(fields))
    }
}
