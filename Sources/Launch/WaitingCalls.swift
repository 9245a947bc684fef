// Which groups could run the nodes that wait. Pure: a worker of a group must have the tool of a node
// and carry the labels that it requires.
internal import LaunchCore
internal import Tools

/// A ready node that waits for a worker.
public struct WaitingCall: Sendable, Equatable {
    /// The tool that it calls.
    public var tool: String
    /// The labels that its worker must carry.
    public var requires: [String: String]
    /// How long it has been ready.
    public var wait: Duration

    /// Describes a node that waits.
    public init(tool: String, requires: [String: String], wait: Duration) {
        self.tool = tool
        self.requires = requires
        self.wait = wait
    }
}

extension [WaitingCall] {
    private struct Kind: Hashable {
        var tool: String
        var requires: [String: String]
    }

    /// The nodes as the machine of a launch counts them; without those that no group could run.
    func waiting(for groups: [GroupEntry]) -> [WaitingNodes] {
        let offers = groups.map { (tools: $0.toolNames, labels: Dictionary($0.labels)) }
        func fits(_ call: WaitingCall, _ place: Int) -> Bool {
            call.requires.allSatisfy { offers[place].labels[$0.key] == $0.value }
        }
        var found: [Kind: [Int]] = [:]
        return compactMap { call in
            let kind = Kind(tool: call.tool, requires: call.requires)
            var able =
                found[kind]
                ?? groups.indices.filter { offers[$0].tools.contains(call.tool) && fits(call, $0) }
            // Which tools an MCP server has is known when it runs.
            if able.isEmpty, found[kind] == nil {
                able = groups.indices.filter {
                    groups[$0].manifest?.mayHave(call.tool) ?? false && fits(call, $0)
                }
            }
            found[kind] = able
            return able.isEmpty ? nil : WaitingNodes(groups: able, wait: call.wait, count: 1)
        }
    }
}

extension [String: String] {
    /// Labels by their names; of two with one name the last one counts, as for a worker.
    fileprivate init(_ labels: [(key: String, value: String)]) {
        self.init(labels.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }
}
