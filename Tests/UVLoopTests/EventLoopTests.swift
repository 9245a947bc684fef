// The loop itself: running, turns, stopping. Not here: closing (ClosingTests).
import Foundation
import TestKit
import Testing

@testable import UVLoop

@Suite("The event loop")
struct EventLoopTests {
    @Test("A loop without work returns at once")
    func nothingAlive() async throws {
        let isDone = try await onLoop { loop in
            loop.run()
            loop.run()
            return true
        }
        #expect(isDone)
    }

    @Test("A stop before running makes the next run return, and only that one")
    func stopBeforeRun() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            let timer = UVLoop.Timer(loop: loop) { log.append("fired") }
            timer.schedule(after: .milliseconds(1))
            loop.stop()
            loop.run()
            log.append("stopped")
            loop.run()
            return log
        }
        #expect(log == ["stopped", "fired"])
    }

    @Test("Hooks run once a turn, in the order of registration, after all input of the turn")
    func hookOrder() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            loop.onTurnEnd { log.append("first") }
            loop.onTurnEnd { log.append("second") }
            let first = UVLoop.Timer(loop: loop) { log.append("timer a") }
            let second = UVLoop.Timer(loop: loop) { log.append("timer b") }
            first.schedule(after: .zero)
            second.schedule(after: .zero)
            loop.run()
            return log
        }
        #expect(log.prefix(4) == ["timer a", "timer b", "first", "second"])
    }

    @Test("All posts of one wake-up are followed by one end of turn")
    func batching() async throws {
        let turns = try await onLoop { loop in
            var endedAfter: [Int] = []
            let count = Locked(0)
            loop.onTurnEnd { endedAfter.append(count.withLock { $0 }) }
            for _ in 0..<1000 { loop.mailbox.post { _ in count.withLock { $0 += 1 } } }
            let timer = UVLoop.Timer(loop: loop) {}
            timer.schedule(after: .milliseconds(20))
            loop.run()
            return endedAfter
        }
        #expect(Set(turns) == [0, 1000])
    }

    @Test("New work from a hook runs without waiting for other input")
    func hookMakesWork() async throws {
        let (log, elapsed) = try await onLoop { loop in
            let log = Locked<[String]>([])
            var hasRun = false
            loop.onTurnEnd {
                guard !hasRun else { return }
                hasRun = true
                loop.mailbox.post { _ in log.withLock { $0.append("post") } }
                loop.nextTurn { log.withLock { $0.append("next turn") } }
            }
            let far = UVLoop.Timer(loop: loop) {}
            far.schedule(after: .seconds(60))
            when(loop, { log.withLock { $0.count } == 2 }, then: loop.stop)
            let start = loop.nowNanoseconds
            loop.run()
            return (log.withLock { $0 }, seconds(loop.nowNanoseconds - start))
        }
        #expect(Set(log) == ["post", "next turn"])
        #expect(elapsed < 10)
    }

    @Test("A hook runs again in the turn that an earlier hook's work asked for")
    func laterHookNeedsEarlierOne() async throws {
        let flushed = try await onLoop { loop in
            var outbox: [Int] = []
            var flushed: [Int] = []
            loop.onTurnEnd {
                flushed += outbox
                outbox = []
                if flushed == [1] { loop.stop() }
            }
            var isPlaced = false
            loop.onTurnEnd {
                guard !isPlaced else { return }
                isPlaced = true
                outbox.append(1)
                loop.nextTurn {}
            }
            let far = UVLoop.Timer(loop: loop) {}
            far.schedule(after: .seconds(60))
            loop.run()
            return flushed
        }
        #expect(flushed == [1])
    }

    @Test("A cancelled hook runs no more, also when an earlier hook of the turn cancelled it")
    func cancelledHook() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            var second: TurnHook?
            loop.onTurnEnd {
                log.append("first")
                second?.cancel()
            }
            second = loop.onTurnEnd { log.append("second") }
            let timer = UVLoop.Timer(loop: loop) {}
            timer.schedule(after: .milliseconds(5))
            loop.run()
            return log
        }
        #expect(!log.isEmpty)
        #expect(Set(log) == ["first"])
    }

    @Test("Hooks run once more after a stop, so that the last turn's output is sent")
    func hooksAfterStop() async throws {
        let isFlushed = try await onLoop { loop in
            let hasOutput = Locked(false)
            var isFlushed = false
            loop.onTurnEnd { if hasOutput.withLock({ $0 }) { isFlushed = true } }
            let far = UVLoop.Timer(loop: loop) {}
            far.schedule(after: .seconds(60))
            // Posts come after the end of the turn, like all input.
            loop.mailbox.post { loop in
                hasOutput.withLock { $0 = true }
                loop.stop()
            }
            loop.run()
            return isFlushed
        }
        #expect(isFlushed)
    }

    @Test("Deferred closures run in order, one deferred by another comes after it")
    func nextTurnOrder() async throws {
        let log = try await onLoop { loop in
            var log: [Int] = []
            loop.nextTurn {
                log.append(1)
                loop.nextTurn { log.append(3) }
            }
            loop.nextTurn { log.append(2) }
            loop.run()
            return log
        }
        #expect(log == [1, 2, 3])
    }

    #if DEBUG
    @Test("A debug build stops when a loop is used on another thread")
    func wrongThread() async {
        await #expect(processExitsWith: .failure) {
            let gate = Locked<EventLoop?>(nil)
            Thread.detachNewThread { gate.withLock { $0 = try? EventLoop() } }
            while gate.withLock({ $0 == nil }) { await Task.yield() }
            gate.withLock { $0?.stop() }
        }
    }
    #endif
}
