// When a failed request is sent again.
import Testing

@testable import LanguageModels

@Suite("Retries")
struct RetryPolicyTests {
    private func decide(
        _ headers: [String: String] = [:],
        isRetryable: Bool = true,
        made: Int = 0,
        now: Int = 1_000_000
    ) -> RetryPolicy.Decision {
        var generator = SeededGenerator(state: 1)
        return RetryPolicy().decide(
            isRetryable: isRetryable,
            made: made,
            header: { headers[$0] },
            now: now,
            using: &generator
        )
    }

    @Test("Retries only some statuses")
    func statuses() {
        let retried = (100...599).filter(RetryPolicy.isRetryable)
        #expect(retried == [408, 409, 429] + Array(500...599))
    }

    @Test("The provider's header about retries comes before the status")
    func shouldRetry() {
        #expect(decide(["x-should-retry": "false"]) == .giveUp)
        #expect(decide(isRetryable: false) == .giveUp)
        let asked = decide(["x-should-retry": "true", "retry-after": "1"], isRetryable: false)
        #expect(asked == .retry(after: .seconds(1)))
    }

    @Test("There are at most two retries")
    func count() {
        #expect(decide(["x-should-retry": "true"], made: 2) == .giveUp)
        #expect(decide(["retry-after": "1"], made: 1) == .retry(after: .seconds(1)))
    }

    @Test("Uses the requested wait, first the one in milliseconds")
    func asked() {
        #expect(decide(["retry-after": "3"]) == .retry(after: .seconds(3)))
        #expect(decide(["retry-after": "0.5"]) == .retry(after: .milliseconds(500)))
        #expect(decide(["retry-after": "0"]) == .retry(after: .zero))
        let both = ["retry-after-ms": "20", "retry-after": "3"]
        #expect(decide(both) == .retry(after: .milliseconds(20)))
        #expect(decide(["retry-after": "120"]) == .retry(after: .seconds(120)))
        #expect(decide(["retry-after": "121"]) == .waitTooLong(.seconds(121)))
    }

    @Test("A date is a wait by the provider's own clock, or by ours")
    func dates() {
        let later = "Sun, 06 Nov 1994 08:49:37 GMT"
        let earlier = "Sun, 06 Nov 1994 08:49:30 GMT"
        #expect(
            decide(["retry-after": later, "date": earlier]) == .retry(after: .seconds(7))
        )
        #expect(decide(["retry-after": later], now: 784_111_700) == .retry(after: .seconds(77)))
        #expect(decide(["retry-after": later], now: 784_000_000) == .waitTooLong(.seconds(111_777)))
    }

    @Test("Without a usable header the wait doubles from half a second to eight, less some jitter")
    func backoff() {
        var policy = RetryPolicy()
        policy.retries = 10
        var generator = SeededGenerator(state: 7)
        for headers in [
            [:], ["retry-after": "soon"], ["retry-after": "-1"], ["retry-after": "nan"],
        ] {
            for (made, seconds) in [0.5, 1, 2, 4, 8, 8, 8].enumerated() {
                let decision = policy.decide(
                    isRetryable: true,
                    made: made,
                    header: { (headers as [String: String])[$0] },
                    now: 0,
                    using: &generator
                )
                guard case .retry(let wait) = decision else {
                    Issue.record("no retry after \(made)")
                    continue
                }
                #expect(wait <= .seconds(seconds) && wait >= .seconds(seconds * 0.75))
            }
        }
    }
}
