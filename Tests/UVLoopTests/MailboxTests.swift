// Ways into the loop from other threads: posts, performed and offloaded work.
import Foundation
import TestKit
import Testing

@testable import UVLoop

@Suite("The mailbox")
struct MailboxTests {
    @Test("Posts of many threads all arrive, each thread's in order")
    func manyThreads() async throws {
        let (threads, each) = (8, 5_000)
        let received = try await onLoop { loop in
            let received = Locked([[Int]](repeating: [], count: threads))
            let mailbox = loop.mailbox
            for thread in 0..<threads {
                Thread.detachNewThread {
                    for number in 0..<each {
                        mailbox.post { _ in received.withLock { $0[thread].append(number) } }
                    }
                }
            }
            when(
                loop,
                { received.withLock { $0.allSatisfy { $0.count == each } } },
                then: loop.stop
            )
            loop.run()
            return received.withLock { $0 }
        }
        #expect(received.allSatisfy { $0 == Array(0..<each) })
    }

    @Test("A post after closing returns false and is dropped")
    func postAfterClose() async throws {
        let ran = Locked(false)
        let mailbox = try await onLoop { $0.mailbox }
        #expect(!mailbox.post { _ in ran.withLock { $0 = true } })
        #expect(!ran.withLock { $0 })
    }

    @Test("Posts while the loop closes: accepted ones ran, the others were refused")
    func postsWhileClosing() async throws {
        for _ in 0..<20 {
            let (accepted, ran) = (Locked(0), Locked(0))
            let running = Locked(4)
            _ = try await onLoop { loop in
                let mailbox = loop.mailbox
                for _ in 0..<4 {
                    Thread.detachNewThread {
                        while mailbox.post({ _ in ran.withLock { $0 += 1 } }) {
                            accepted.withLock { $0 += 1 }
                        }
                        running.withLock { $0 -= 1 }
                    }
                }
                when(loop, { ran.withLock { $0 } > 100 }, then: loop.stop)
                loop.run()
            }
            while running.withLock({ $0 }) > 0 { await Task.yield() }
            #expect(accepted.withLock { $0 } == ran.withLock { $0 })
        }
    }

    @Test("Runs earlier posts although nothing else keeps the loop alive")
    func postsAlone() async throws {
        let count = Locked(0)
        try await onLoop { loop in
            loop.mailbox.post { loop in
                count.withLock { $0 += 1 }
                loop.mailbox.post { _ in count.withLock { $0 += 1 } }
            }
            loop.run()
        }
        #expect(count.withLock { $0 } == 2)
    }
}

@Suite("Work off the loop")
struct WorkTests {
    @Test("Answers performed work once each, and keeps the loop alive until then")
    func perform() async throws {
        let sums = try await onLoop { loop in
            var sums: [Int: Int] = [:]
            for number in 0..<200 {
                loop.perform {
                    await Task.yield()
                    return number
                } then: { value in
                    sums[value, default: 0] += 1
                }
            }
            loop.run()
            return sums
        }
        #expect(sums.count == 200)
        #expect(sums.values.allSatisfy { $0 == 1 })
    }

    @Test("Answers cancelled work with the value that it returns")
    func cancelPerformed() async throws {
        let answers = try await onLoop { loop in
            var answers: [String] = []
            let work = loop.perform {
                (try? await Task.sleep(for: .seconds(60))) == nil ? "cancelled" : "slept"
            } then: {
                answers.append($0)
            }
            work.cancel()
            work.cancel()
            loop.run()
            return answers
        }
        #expect(answers == ["cancelled"])
    }

    @Test("Cancels performed work when the loop closes, and drops its answer")
    func closeCancelsPerformed() async throws {
        let isCancelled = Locked(false)
        let answers = try await onLoop { _ in
            let inner = try EventLoop()
            var answers = 0
            inner.perform {
                try? await Task.sleep(for: .seconds(60))
                isCancelled.withLock { $0 = Task.isCancelled }
            } then: {
                answers += 1
            }
            inner.close()
            inner.perform {
            } then: {
                answers += 1
            }
            return answers
        }
        while !isCancelled.withLock({ $0 }) { await Task.yield() }
        #expect(answers == 0)
    }

    @Test("Runs offloaded work on another thread and answers it once each on the loop")
    func offload() async throws {
        let (answers, onLoopThread) = try await onLoop { loop in
            var answers: [Int] = []
            var onLoopThread = true
            for number in 0..<100 {
                loop.offload {
                    number
                } then: { value in
                    answers.append(value)
                    if !loop.isOnLoop { onLoopThread = false }
                }
            }
            loop.run()
            return (answers, onLoopThread)
        }
        #expect(answers.sorted() == Array(0..<100))
        #expect(onLoopThread)
    }

    @Test("Closing waits for offloaded work and answers it")
    func closeWaitsForOffloaded() async throws {
        let answers = try await onLoop { _ in
            let inner = try EventLoop()
            var answers: [Int] = []
            for number in 0..<20 {
                inner.offload {
                    number
                } then: {
                    answers.append($0)
                }
            }
            inner.close()
            return answers
        }
        #expect(answers.sorted() == Array(0..<20))
    }
}
