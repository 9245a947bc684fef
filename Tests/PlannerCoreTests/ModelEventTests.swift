// The value types that models and the planner share.

import Core
import PlannerCore
import Testing

@Suite("Model events")
struct ModelEventTests {
    @Test("Token counts of several calls add up and never trap")
    func usageAddsUp() {
        #expect(
            TokenUsage(input: 1, output: 2) + TokenUsage(input: 10, output: 20)
                == TokenUsage(input: 11, output: 22)
        )
        let huge = TokenUsage(input: .max, output: .min)
        #expect((huge + TokenUsage(input: 1, output: -1)) == huge)
        #expect(TokenUsage(input: .max, output: 1).total == .max)
    }

    @Test("A failure says its code and what happened")
    func failureDescribesItself() {
        let failure = ModelFailure(code: .timeout, message: "no reply within 60 s")
        #expect(failure.description == "timeout: no reply within 60 s")
        #expect(failure.code == "timeout")
    }
}
