// The digest that tells whether two submissions are the same: every field counts, and none can look
// like another.

import CoordinatorCore
import Core
import JSON
import Plans
import TestKit
import Testing
import Wire

@testable import CoordinatorCore

@Suite("Digest of a submission")
struct ContentDigestTests {
    private static let plan = PlanText.plan([NodeText("a")])

    /// Submissions that all differ in their content.
    private static let different: [Submit] = {
        var all: [Submit] = [Submit(key: "k", plan: plan)]
        func add(_ change: (inout Submit) -> Void) {
            var submit = Submit(key: "k", plan: plan)
            change(&submit)
            all.append(submit)
        }
        add { $0.plan = PlanText.plan([NodeText("b")]) }
        add { $0.plan = nil }
        add { $0.goal = "" }
        add { $0.goal = "x" }
        add { $0.joinInstruction = "x" }
        add { $0.joinInstruction = "" }
        add { $0.label = "x" }
        add { $0.planner.format = .text }
        add { $0.planner.format = .json }
        add { $0.planner.repairs = 1 }
        add { $0.planner.rounds = 1 }
        add { $0.planner.onModelFailure = .cancel }
        add { $0.planner.strategy = .react }
        add { $0.planner.isPlanOnly = true }
        add { $0.isStreamed = true }
        add { $0.join = .json }
        add { $0.join = .tool("x") }
        add { $0.tools = [] }
        add { $0.tools = ["x", "y"] }
        add { $0.tools = ["x,y"] }
        add { $0.tools = ["x"] }
        add { $0.tools = ["*"] }
        add { $0.budget.nodes = 1 }
        add { $0.budget.wallMilliseconds = 1 }
        add { $0.budget.tokens = 1 }
        add { $0.budget.running = 1 }
        add { $0.onMissingTool = .fail }
        return all
    }()

    @Test("Every field counts")
    func everyFieldCounts() {
        let digests = Set(Self.different.map { ContentDigest(of: $0).bytes })
        #expect(digests.count == Self.different.count)
    }

    @Test("The order of tools and the level of watching do not count")
    func sameContent() {
        var one = Submit(key: "k", plan: Self.plan, tools: ["x", "y"], watch: .end)
        var other = Submit(key: "k", plan: Self.plan, tools: ["y", "x"])
        #expect(ContentDigest(of: one).bytes == ContentDigest(of: other).bytes)
        one.tools?.append("z")
        other.tools?.append("zz")
        #expect(ContentDigest(of: one).bytes != ContentDigest(of: other).bytes)
    }
}
