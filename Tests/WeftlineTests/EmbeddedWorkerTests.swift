// Functions offered to a coordinator elsewhere, and clients of that coordinator.
import Core
import Foundation
import TestKit
import Testing
import Weftline
import Wire

@Suite("Embedded worker", .timeLimit(.minutes(Patience.factor)))
struct EmbeddedWorkerTests {
    @Test("A worker offers its functions to a coordinator elsewhere, until it is drained")
    func worker() async throws {
        let coordinator = try await StandaloneCoordinator.start()
        let worker = try await EmbeddedWorker.start(
            tools: [echo, sum],
            coordinator: coordinator.endpoint,
            key: coordinator.workerKey,
            options: EmbeddedWorker.Options(name: "loom", slots: 2, labels: ["thread": "wool"])
        )
        let client = try await WeftClient.connect(
            to: coordinator.endpoint,
            key: coordinator.clientKey
        )
        let document = PlanDocument(nodes: [
            try NodeDefinition("a", tool: "echo", arguments: ["value": 2]),
            try NodeDefinition(
                "b",
                tool: "sum",
                arguments: ["terms": ["$a", 3]],
                requires: ["thread": "wool"]
            ),
        ])
        let result = try await client.run(document)
        #expect(try result.output(of: "b") == 5)
        #expect(result["b"]?.worker == "loom")

        await worker.drain()
        try await worker.ended()
        let afterwards = try await client.run(document)
        #expect(afterwards["a"]?.failure?.code == .unknownTool)
        await client.close()
        await coordinator.stop()
    }

    @Test("A drain waits for running calls")
    func drainFinishes() async throws {
        let coordinator = try await StandaloneCoordinator.start()
        let gate = Gate()
        let hold = FunctionTool(name: "hold", description: "Waits for a sign.") { _, _ in
            await gate.wait()
            return "done"
        }
        let worker = try await EmbeddedWorker.start(
            tools: [hold],
            coordinator: coordinator.endpoint,
            key: coordinator.workerKey
        )
        let client = try await WeftClient.connect(
            to: coordinator.endpoint,
            key: coordinator.clientKey
        )
        let run = try await client.start(plan(("h", "hold", [:])))
        await gate.arrived()
        async let drained: Void = worker.drain()
        await gate.open()
        await drained
        #expect(try await run.result.output(of: "h") == "done")
        await client.close()
        await coordinator.stop()
    }

    @Test("A worker with a wrong key fails with a message")
    func wrongKey() async throws {
        let coordinator = try await StandaloneCoordinator.start()
        let error = try await #require(throws: EmbeddedWorkerError.self) {
            try await EmbeddedWorker.start(
                tools: [echo],
                coordinator: coordinator.endpoint,
                key: coordinator.clientKey
            )
        }
        #expect(error.message.hasPrefix("Refused:"))
        await coordinator.stop()
    }

    @Test("Starting without a coordinator continues until the task is cancelled")
    func noCoordinator() async throws {
        let coordinator = try await StandaloneCoordinator.start()
        let (endpoint, key) = (coordinator.endpoint, coordinator.workerKey)
        await coordinator.stop()
        let task = Task {
            try await EmbeddedWorker.start(tools: [echo], coordinator: endpoint, key: key)
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await #expect(throws: EmbeddedWorkerError.self) {
            try await EmbeddedWorker.start(
                tools: [echo],
                coordinator: endpoint,
                key: key,
                options: EmbeddedWorker.Options(exitAfter: .milliseconds(50))
            )
        }
        let error = try await #require(throws: ClientError.self) {
            try await WeftClient.connect(to: endpoint, key: coordinator.clientKey)
        }
        #expect(error.kind == .unreachable)
    }

    @Test("If the coordinator ends, everything awaited fails")
    func coordinatorLost() async throws {
        let coordinator = try await StandaloneCoordinator.start()
        let waiting = Waiting()
        let worker = try await EmbeddedWorker.start(
            tools: [waiting.tool],
            coordinator: coordinator.endpoint,
            key: coordinator.workerKey
        )
        let client = try await WeftClient.connect(
            to: coordinator.endpoint,
            key: coordinator.clientKey,
            reconnectTimeout: .zero
        )
        let run = try await client.start(plan(("w", "wait", [:])))
        #expect(await eventually { waiting.started == 1 })
        await coordinator.stop()
        let error = try await #require(throws: ClientError.self) { try await run.result }
        #expect(error.kind == .lost)
        await #expect(throws: ClientError.self) { try await client.run(plan(("w", "wait", [:]))) }
        await worker.stop()
        try await worker.ended()
        #expect(await eventually { waiting.cancelled == 1 })
        await client.close()
    }

    @Test("Cancelling the task that waits for a worker's end stops the worker")
    func cancelEnded() async throws {
        let coordinator = try await StandaloneCoordinator.start()
        let worker = try await EmbeddedWorker.start(
            tools: [echo],
            coordinator: coordinator.endpoint,
            key: coordinator.workerKey
        )
        let task = Task { try await worker.ended() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await coordinator.stop()
    }

    @Test("Refuses names and slots out of range")
    func badOptions() async throws {
        for options in [
            EmbeddedWorker.Options(name: "two words"), EmbeddedWorker.Options(slots: 0),
        ] {
            await #expect(throws: EmbeddedWorkerError.self) {
                try await EmbeddedWorker.start(tools: [echo], options: options)
            }
        }
    }
}

/// Lets a function wait until the test says so.
private actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var arrivals = 0
    private var watchers: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        arrivals += 1
        for watcher in watchers { watcher.resume() }
        watchers = []
        if !isOpen { await withCheckedContinuation { waiters.append($0) } }
    }

    func arrived() async {
        if arrivals == 0 { await withCheckedContinuation { watchers.append($0) } }
    }

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }
}
