// Loops on their own threads: start, posts, the end by itself and by force, failures to start.
import Foundation
import TestKit
import Testing
import UVLoop

/// The object on a thread in these tests; reports when it is released, and whether on its thread.
private final class Tenant {
    let loop: EventLoop
    var posts: [Int] = []
    private let onEnd: @Sendable (Bool) -> Void

    init(_ loop: EventLoop, onEnd: @escaping @Sendable (Bool) -> Void = { _ in }) {
        self.loop = loop
        self.onEnd = onEnd
    }

    deinit { onEnd(loop.isOnLoop) }
}

private struct NoHome: Error, Equatable {}

/// How many threads have freed a library's thread-specific data.
private let returnedThreadData = Locked(0)

/// Takes a while, so that a too short wait for the thread is noticed.
private func returnThreadData(_: UnsafeMutableRawPointer?) {
    poll(nil, 0, 50)
    returnedThreadData.withLock { $0 += 1 }
}

@Suite("Loop threads", .timeLimit(.minutes(Patience.factor)))
struct LoopThreadTests {
    @Test("Posts run in order on the thread, and none after its end")
    func posts() async throws {
        let endedOnLoop = Locked<Bool?>(nil)
        let thread = try await LoopThread.start(name: "tenant") { loop in
            Tenant(loop) { isOnLoop in endedOnLoop.withLock { $0 = isOnLoop } }
        }
        let seen = Locked<[Int]>([])
        for number in 0..<100 {
            let isTaken = thread.post { tenant in
                #expect(tenant.loop.isOnLoop)
                tenant.posts.append(number)
                let posts = tenant.posts
                seen.withLock { $0 = posts }
            }
            #expect(isTaken)
        }
        thread.end(within: .seconds(20))
        await thread.ended()
        #expect(seen.withLock { $0 } == Array(0..<100))
        #expect(endedOnLoop.withLock { $0 } == true)
        #expect(!thread.post { _ in Issue.record("a post after the end ran") })
        // Once more, for later waiters.
        thread.end(within: .zero)
        await thread.ended()
    }

    @Test("When a thread's end is awaited, libraries have freed its data")
    func threadData() async throws {
        var key = pthread_key_t()
        try #require(pthread_key_create(&key, returnThreadData) == 0)
        let dataKey = key
        let thread = try await LoopThread.start(name: "data") { loop in
            pthread_setspecific(dataKey, UnsafeRawPointer(bitPattern: 1))
            return Tenant(loop)
        }
        thread.end(within: .seconds(20))
        async let first: Void = thread.ended()
        async let second: Void = thread.ended()
        _ = await (first, second)
        #expect(returnedThreadData.withLock { $0 } == 1)
    }

    @Test("A thread without work lives until it is ended")
    func idle() async throws {
        let thread = try await LoopThread.start(name: "idle") { Tenant($0) }
        // Performed work releases its hold on the loop; the thread's own stays.
        await withCheckedContinuation { continuation in
            thread.post { tenant in
                tenant.loop.perform {
                } then: {
                    continuation.resume()
                }
            }
        }
        await withCheckedContinuation { continuation in
            thread.post { tenant in tenant.loop.nextTurn { continuation.resume() } }
        }
        thread.end(within: .seconds(20))
        await thread.ended()
    }

    @Test("The loop ends after the grace, or earlier when nothing keeps it alive")
    func grace() async throws {
        let clock = ContinuousClock()
        let stubborn = try await LoopThread.start(name: "stubborn") { loop in
            Timer(loop: loop) {}.schedule(after: .seconds(600))
            return Tenant(loop)
        }
        stubborn.end(within: .milliseconds(50))
        await stubborn.ended()

        let quick = try await LoopThread.start(name: "quick") { Tenant($0) }
        let time = await clock.measure {
            quick.end(within: .seconds(600))
            await quick.ended()
        }
        #expect(time < .seconds(20))
    }

    @Test("An object that cannot be made is an error, and leaves no thread")
    func failure() async throws {
        await #expect(throws: NoHome.self) {
            try await LoopThread<Tenant>.start(name: "homeless-123456") { loop in
                // A handle left open is closed with the loop.
                Timer(loop: loop) {}.schedule(after: .seconds(600))
                throw NoHome()
            }
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while names().contains("homeless-123456"), ContinuousClock.now < deadline {
            await Task.yield()
        }
        #expect(!names().contains("homeless-123456"))
    }

    private func names() -> [String] {
        let ids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return ids.compactMap { id in
            (try? String(contentsOfFile: "/proc/self/task/\(id)/comm", encoding: .utf8))?
                .trimmingCharacters(in: .newlines)
        }
    }
}
