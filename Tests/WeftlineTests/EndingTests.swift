// Nothing remains: threads and descriptors, counted in a separate process.
import Foundation
import TestKit
import Testing
import Weftline

@Suite("Nothing remains", .timeLimit(.minutes(Patience.factor)))
struct EndingTests {
    @Test("After a shutdown there is no thread and no descriptor left")
    func nothingLeft() async throws {
        // In a separate process: descriptors of other tests would be counted too.
        await #expect(processExitsWith: .success) {
            // The runtime opens its own descriptors at the first use of clocks and threads.
            try await useEverything()
            #expect(await eventually { threadNames().allSatisfy { !$0.hasPrefix("weft-") } })
            let before = openDescriptors()
            for _ in 0..<5 { try await useEverything() }
            #expect(await eventually { threadNames().allSatisfy { !$0.hasPrefix("weft-") } })
            #expect(await eventually { openDescriptors() == before })
        }
    }

    @Test("Clusters, clients and workers end when their last reference is released")
    func releasing() async throws {
        await #expect(processExitsWith: .success) {
            func use() async throws {
                let cluster = try await LocalCluster.start(tools: [echo])
                let client = try await WeftClient.connect(
                    to: cluster.endpoint,
                    key: cluster.clientKey
                )
                let worker = try await EmbeddedWorker.start(
                    tools: [echo],
                    coordinator: cluster.endpoint,
                    key: cluster.workerKey
                )
                _ = try await client.run(plan(("a", "echo", [:])))
                #expect(threadNames().count { $0.hasPrefix("weft-") } == 3)
                withExtendedLifetime((cluster, worker)) {}
            }
            try await use()
            #expect(await eventually { threadNames().allSatisfy { !$0.hasPrefix("weft-") } })
        }
    }

    @Test("A start that fails leaves no thread")
    func failedStart() async throws {
        await #expect(processExitsWith: .success) {
            await #expect(throws: ToolboxError.self) {
                try await LocalCluster.start(tools: [echo, echo])
            }
            #expect(await eventually { threadNames().allSatisfy { !$0.hasPrefix("weft-") } })
        }
    }
}

/// Starts a cluster, a client and a worker, uses them, and ends them in the middle of their work.
private func useEverything() async throws {
    let waiting = Waiting()
    let cluster = try await LocalCluster.start(tools: [waiting.tool, echo])
    let client = try await WeftClient.connect(to: cluster.endpoint, key: cluster.clientKey)
    let worker = try await EmbeddedWorker.start(
        tools: [echo],
        coordinator: cluster.endpoint,
        key: cluster.workerKey
    )
    _ = try await client.run(plan(("a", "echo", [:])))
    let run = try await cluster.start(plan(("w", "wait", [:])))
    #expect(await eventually { waiting.started == 1 })
    await worker.stop()
    await client.close()
    await cluster.shutDown()
    await #expect(throws: ClientError.self) { try await run.result }
    #expect(await eventually { waiting.cancelled == 1 })
}
