// How many connections an address may open without proving itself.
import Core
import Testing

@testable import Coordinator

@Suite("Handshake rate")
struct HandshakeRateTests {
    private func isWelcome(_ rate: inout HandshakeRate, _ host: String, at seconds: Int) -> Bool {
        switch rate.countConnection(of: host, at: .zero + .seconds(seconds)) {
        case .welcome: true
        case .refused: false
        }
    }

    @Test("So many at once, then so many a second; a proof gives one back")
    func bucket() {
        var rate = HandshakeRate(perSecond: 2, atOnce: 3)
        for _ in 0..<3 { #expect(isWelcome(&rate, "a", at: 0)) }
        #expect(!isWelcome(&rate, "a", at: 0))
        #expect(isWelcome(&rate, "b", at: 0), "another address has its own")
        rate.giveBack("a")
        #expect(isWelcome(&rate, "a", at: 0))
        #expect(!isWelcome(&rate, "a", at: 0))
        for _ in 0..<2 { #expect(isWelcome(&rate, "a", at: 1)) }
        #expect(!isWelcome(&rate, "a", at: 1))
    }

    @Test("The first refusal is reported, and the next one only after all attempts are left again")
    func told() {
        var rate = HandshakeRate(perSecond: 1, atOnce: 1)
        var told: [Bool] = []
        for second in [0, 0, 0, 5, 5] {
            let time = Instant.zero + .seconds(second)
            if case .refused(let isFirst) = rate.countConnection(of: "a", at: time) {
                told.append(isFirst)
            }
        }
        #expect(told == [true, false, true])
    }

    @Test("Any number of addresses takes bounded memory")
    func manyAddresses() {
        var rate = HandshakeRate(perSecond: 1, atOnce: 10)
        for number in 0..<20_000 { #expect(isWelcome(&rate, "h\(number)", at: 0)) }
        #expect(rate.addresses <= 4_097)
    }
}
