// Which groups could run the nodes that wait.
import LaunchCore
import Testing
import Tools

@testable import Launch

@Suite("Waiting calls")
struct WaitingCallsTests {
    private func group(_ labels: [(key: String, value: String)]) -> GroupEntry {
        var group = GroupEntry(name: "a", place: .local, count: 1)
        group.hasDiagnostics = true
        group.labels = labels
        return group
    }

    private func call(_ tool: String, _ requires: [String: String] = [:]) -> WaitingCall {
        WaitingCall(tool: tool, requires: requires, wait: .seconds(1))
    }

    @Test("A group could run a node if it has the tool and carries the labels")
    func fits() {
        let groups = [group([]), group([("zone", "a"), ("gpu", "no"), ("gpu", "yes")])]
        let calls = [
            call("sleep"), call("sleep", ["gpu": "yes"]), call("sleep", ["gpu": "no"]),
            call("sleep", ["zone": "a", "disk": "big"]), call("other"),
        ]
        #expect(
            calls.waiting(for: groups) == [
                WaitingNodes(groups: [0, 1], wait: .seconds(1), count: 1),
                WaitingNodes(groups: [1], wait: .seconds(1), count: 1),
            ]
        )
    }

    @Test("A group with an MCP server may have tools that no manifest names")
    func servers() throws {
        func group(_ fields: String) throws -> GroupEntry {
            var group = GroupEntry(name: "a", place: .local, count: 1)
            let yaml = "mcpServers: {kit: {command: kit\(fields)}}"
            group.manifest = try Manifest.parse(yaml: yaml, path: "/x/tools.yaml")
            return group
        }
        let groups = [
            self.group([]), try group(""), try group(", prefix: k_"), try group(", allow: [add]"),
        ]
        func able(_ tool: String) -> [Int]? {
            [call(tool)].waiting(for: groups).first?.groups
        }
        #expect(able("sleep") == [0])
        #expect(able("add") == [1, 3])
        #expect(able("k_add") == [1, 2])
        #expect(able("kit_add") == [1, 3])
    }
}
