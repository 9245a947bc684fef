// Approval by the program that runs plans.
import Foundation
import TestKit
import Testing
import Weftline

@Suite("Approval from Swift", .timeLimit(.minutes(Patience.factor)))
struct ApprovalTests {
    private let pay = FunctionTool(name: "pay", description: "Pays.", needsApproval: true) {
        arguments,
        _ in
        arguments["amount"] ?? nil
    }

    @Test("An event shows the arguments; approved nodes run, denied ones fail by name")
    func answers() async throws {
        try await LocalCluster.with(tools: [echo, pay]) { cluster in
            let run = try await cluster.start(
                plan(
                    ("price", "echo", ["value": 5]),
                    ("buy", "pay", ["amount": "${price}"]),
                    ("more", "pay", ["amount": 7])
                ),
                watching: .progress
            )
            let buy = try #require(NodeID("buy"))
            let more = try #require(NodeID("more"))
            for await event in run.events where event.kind == .approvalAsked {
                #expect(event.tool == "pay")
                if event.node == "buy" {
                    #expect(event.arguments == ["amount": 5])
                    try await run.approve(buy, reason: "as agreed")
                } else {
                    let waiting = try await cluster.approvals(of: run.id)
                    #expect(waiting.first { $0.node == more }?.arguments == ["amount": 7])
                    try await run.deny(more, reason: "too dear")
                }
            }
            let result = try await run.result
            #expect(try result.output(of: "buy") == 5)
            #expect(result["more"]?.failure?.code == .denied)
            await #expect(throws: ClientError.self) { try await run.approve(more) }
            #expect(try await cluster.approvals() == [])
        }
    }

    @Test("A run asks for tools of its own, and fails when no answer comes")
    func timeLimit() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let options = RunOptions(approve: ["*"], approvalTimeout: .milliseconds(100))
            let result = try await cluster.run(plan(("a", "echo", [:])), options: options)
            #expect(result["a"]?.failure?.code == .approvalTimeout)
        }
    }
}
