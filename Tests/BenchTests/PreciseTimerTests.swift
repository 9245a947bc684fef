// Timers that are late by microseconds: never early, fire once, and not after they were closed.
import TestKit
import Testing
import UVLoop

@testable import Bench

@Suite("Precise timers")
struct PreciseTimerTests {
    @Test(
        "They fire once, never early, with and without a descriptor",
        arguments: [true, false]
    )
    func neverEarly(hasDescriptor: Bool) async throws {
        let lateness = try await onLoop { loop in
            var lateness: [Int64] = []
            for microseconds: Int64 in [2_300, 400, 1_700, 401, 0, -5] {
                let due = loop.nowNanoseconds + microseconds * 1_000
                var made: PreciseTimer?
                let fired = {
                    lateness.append(loop.nowNanoseconds - due)
                    made?.close()
                }
                made =
                    PreciseTimer(loop: loop, usesDescriptor: hasDescriptor, onFire: fired)
                made?.schedule(at: due)
            }
            loop.run()
            return lateness
        }
        #expect(lateness.count == 6)
        #expect(lateness.allSatisfy { $0 >= 0 })
        #expect(lateness.min() ?? .max < 500_000_000)
    }

    @Test("The best of many is late by less than a millisecond, the unit of Timer")
    func precise() async throws {
        let best = try await onLoop { loop in
            var best = Int64.max
            for _ in 0..<50 {
                // In the middle of a millisecond, where the other timer is half a millisecond late.
                let due = (loop.nowNanoseconds / 1_000_000 + 2) * 1_000_000 + 500_000
                var made: PreciseTimer?
                made = PreciseTimer(loop: loop) {
                    best = min(best, loop.nowNanoseconds - due)
                    made?.close()
                }
                made?.schedule(at: due)
                loop.run()
            }
            return best
        }
        #expect(best < 400_000)
    }

    @Test("A later scheduling replaces the earlier one, also inside the callback")
    func replaced() async throws {
        let count = try await onLoop { loop in
            var count = 0
            var made: PreciseTimer?
            made = PreciseTimer(loop: loop) {
                count += 1
                if count == 2 { made?.close() }
                made?.schedule(after: .seconds(3_600))
                made?.schedule(at: -5)
            }
            made?.schedule(after: .seconds(3_600))
            made?.schedule(after: .zero)
            loop.run()
            return count
        }
        #expect(count == 2)
    }

    @Test("A closed timer does not fire, and the loop can close with an open one")
    func closed() async throws {
        let count = try await onLoop { loop in
            var count = 0
            let never = PreciseTimer(loop: loop) { count += 1 }
            never.schedule(at: 0)
            never.close()
            never.close()
            loop.run()
            let open = PreciseTimer(loop: loop) { count += 1 }
            open.schedule(after: .seconds(3_600))
            return count
        }
        #expect(count == 0)
    }
}
