// Which groups could run the nodes that wait.
import LaunchCore
import Testing

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
}
