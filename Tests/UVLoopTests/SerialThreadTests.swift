// A thread for blocking calls: their order, their answers on the loop, and the end of both.
import Foundation
import TestKit
import Testing
import UVLoop

@Suite("Serial threads", .timeLimit(.minutes(Patience.factor)))
struct SerialThreadTests {
    @Test("Calls run in order on one thread, and are answered on the loop")
    func order() async throws {
        let numbers = try await onLoop { loop in
            let thread = try SerialThread(name: "serial")
            let threads = Locked<Set<UInt>>([])
            var numbers: [Int] = []
            for number in 0..<100 {
                loop.run(on: thread) {
                    threads.withLock { _ = $0.insert(UInt(pthread_self())) }
                    return number
                } then: { answer in
                    #expect(loop.isOnLoop)
                    numbers.append(answer)
                }
            }
            loop.run()
            #expect(threads.withLock { $0.count } == 1)
            return numbers
        }
        #expect(numbers == Array(0..<100))
    }

    @Test("A thread that is released ends after the calls that wait")
    func release() async throws {
        let ran = try await onLoop { loop in
            let ran = Locked(0)
            var thread: SerialThread? = try SerialThread(name: "serial")
            for _ in 0..<10 { thread?.run { ran.withLock { $0 += 1 } } }
            thread = nil
            when(loop, { ran.withLock { $0 } == 10 }, then: { loop.stop() })
            loop.run()
            return ran.withLock { $0 }
        }
        #expect(ran == 10)
    }

    @Test("A loop that closes does not wait for a call that blocks")
    func closing() async throws {
        let gate = Locked(false)
        try await onLoop { loop in
            let thread = try SerialThread(name: "serial")
            loop.run(on: thread) {
                while !gate.withLock({ $0 }) { poll(nil, 0, 1) }
            } then: {
                Issue.record("a closed loop was answered")
            }
        }
        gate.withLock { $0 = true }
    }
}
