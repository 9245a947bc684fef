// A coordinator that is started again while a program waits for a run: the library goes on.
import Foundation
import TestKit
import Testing
import UVLoop
import Weftline

@Suite("Restarts of the coordinator", .timeLimit(.minutes(Patience.factor)))
struct RestartTests {
    @Test("A run goes on, and each end of a node comes once")
    func goesOn() async throws {
        let folder = try TemporaryFolder()
        var coordinator = try await StandaloneCoordinator.start(journalIn: folder.path)
        let gate = Locked((started: 0, isOpen: false))
        let wait = FunctionTool(name: "gate", description: "Waits.", isIdempotent: true) { _, _ in
            gate.withLock { $0.started += 1 }
            while !gate.withLock({ $0.isOpen }) { try await Task.sleep(for: .milliseconds(2)) }
            return 7
        }
        let worker = try await EmbeddedWorker.start(
            tools: [echo, wait],
            coordinator: coordinator.endpoint,
            key: coordinator.workerKey
        )
        let client = try await WeftClient.connect(
            to: coordinator.endpoint,
            key: coordinator.clientKey
        )
        let nodes = ("a", "echo", ["value": 1] as JSONValue)
        let run = try await client.start(
            plan(nodes, ("b", "gate", [:]), ("c", "echo", ["value": "$b"]))
        )
        #expect(await eventually { gate.withLock { $0.started } == 1 })
        await coordinator.stop()
        coordinator = try await coordinator.startAgain(journalIn: folder.path)
        // A run that is started meanwhile waits for the coordinator.
        let other = try await client.run(plan(nodes))
        #expect(other.status == .succeeded)
        gate.withLock { $0.isOpen = true }
        let result = try await run.result
        #expect(result.status == .succeeded)
        #expect(try result.output(of: "c") == 7)
        var ended: [String] = []
        for await event in run.events where event.kind == .nodeSucceeded {
            ended.append(event.node ?? "")
        }
        #expect(ended.sorted() == ["a", "b", "c"])
        await client.close()
        await worker.stop()
        await coordinator.stop()
    }
}
