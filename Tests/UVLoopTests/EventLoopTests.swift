// The loop itself: running, turns, stopping, closing.
import Foundation
import Testing

@testable import UVLoop

@Suite("The event loop")
struct EventLoopTests {
    @Test("A loop with nothing alive returns at once")
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

    @Test("What a hook sets going runs without waiting for other input")
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

    @Test("Hooks run once more after a stop, so that the last turn's output goes out")
    func hooksAfterStop() async throws {
        let isFlushed = try await onLoop { loop in
            let hasOutput = Locked(false)
            var isFlushed = false
            loop.onTurnEnd { if hasOutput.withLock({ $0 }) { isFlushed = true } }
            let far = UVLoop.Timer(loop: loop) {}
            far.schedule(after: .seconds(60))
            // Posts come after the end of the turn, as all input does.
            loop.mailbox.post { loop in
                hasOutput.withLock { $0 = true }
                loop.stop()
            }
            loop.run()
            return isFlushed
        }
        #expect(isFlushed)
    }

    @Test("Deferred closures run in order, and one deferred by another comes after it")
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

    @Test("Closing with live handles of every kind makes no callback and frees everything")
    func closeWithLiveHandles() async throws {
        let (log, pid) = try await onLoop { loop in
            var log: [String] = []
            let inner = try EventLoop()
            let timer = UVLoop.Timer(loop: inner) { log.append("timer") }
            timer.schedule(after: .seconds(50))
            _ = try SignalSource(loop: inner, signal: SIGUSR1) { log.append("signal") }
            var accepted: [TCPConnection] = []
            let listener = try TCPListener.listen(
                loop: inner,
                host: "127.0.0.1",
                port: 0,
                onConnection: { connection in
                    accepted.append(connection)
                    connection.start(onBytes: { _ in }, onEnd: { _ in log.append("server end") })
                },
                onError: { _ in log.append("listener") }
            )
            var client: TCPConnection?
            TCPConnection.connect(
                loop: inner,
                host: "127.0.0.1",
                port: listener.localAddress.port,
                timeout: .seconds(5)
            ) { result in
                client = try? result.get()
                client?.start(onBytes: { _ in }, onEnd: { _ in log.append("client end") })
                // Far more than the system takes, so that a write is under way at the close.
                var bytes = [UInt8](repeating: 7, count: 50_000_000)
                accepted.first?.pauseReading()
                client?.write(&bytes)
            }
            let child = try ChildProcess.spawn(
                loop: inner,
                options: .init(arguments: ["/bin/sh", "-c", "sleep 100; true"]),
                onOutput: { _, _ in },
                onExit: { _ in log.append("exit") }
            )
            inner.onTurnEnd {}
            when(inner, { client != nil && !accepted.isEmpty }, then: inner.stop)
            inner.run()
            TCPConnection.connect(
                loop: inner,
                host: "localhost",
                port: 9,
                timeout: .seconds(5)
            ) { _ in log.append("connect") }
            inner.nextTurn { log.append("next turn") }
            inner.close()
            inner.close()
            timer.schedule(after: .zero)
            timer.close()
            client?.close()
            listener.close()
            child.signalGroup(SIGKILL)
            return (log, child.pid)
        }
        #expect(log == [])
        #expect(await isGoneSoon(pid))
    }

    @Test("Closed loops leave no descriptor open")
    func noDescriptorsLeft() async {
        await #expect(processExitsWith: .success) {
            // What the first loop of a process opens for all of them stays.
            try await onLoop { loop in try openHandles(loop) }
            let before = openDescriptors()
            for _ in 0..<10 { try await onLoop { loop in try openHandles(loop) } }
            #expect(openDescriptors() == before)
        }
    }

    @Test("Closing inside a callback stops the loop and closes it when run returns")
    func closeInsideRun() async throws {
        let log = try await onLoop { _ in
            let inner = try EventLoop()
            var log: [String] = []
            let timer = UVLoop.Timer(loop: inner) {
                inner.close()
                log.append("still inside")
            }
            timer.schedule(after: .zero)
            let far = UVLoop.Timer(loop: inner) { log.append("never") }
            far.schedule(after: .seconds(60))
            inner.run()
            log.append(inner.mailbox.post { _ in } ? "open" : "closed")
            return log
        }
        #expect(log == ["still inside", "closed"])
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

    @Test("Threads that post while the loop closes: what was accepted ran, the rest was refused")
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

    @Test("Posts before running are run although nothing else is alive")
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
    @Test("Performed work is answered once each, and keeps the loop alive until then")
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

    @Test("Cancelled work is still answered, with what it returns")
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

    @Test("Work performed when the loop closes is cancelled and its answer dropped")
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

    @Test("Offloaded work runs on another thread and is answered once each on the loop")
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

/// Leaves a listener, a connection, a child and a failed spawn to be closed with the loop.
private func openHandles(_ loop: EventLoop) throws {
    let listener = try TCPListener.listen(
        loop: loop,
        host: "127.0.0.1",
        port: 0,
        onConnection: { _ in },
        onError: { _ in }
    )
    TCPConnection.connect(
        loop: loop,
        host: "127.0.0.1",
        port: listener.localAddress.port,
        timeout: .seconds(5)
    ) { _ in loop.stop() }
    _ = try ChildProcess.spawn(
        loop: loop,
        options: .init(arguments: ["/bin/cat"], standardInput: .pipe),
        onOutput: { _, _ in },
        onExit: { _ in }
    )
    _ = uvError {
        _ = try ChildProcess.spawn(
            loop: loop,
            options: .init(arguments: ["/no/such/program"], standardInput: .pipe),
            onOutput: { _, _ in },
            onExit: { _ in }
        )
    }
    loop.run()
}
