// Running runs: their events, the ways to cancel them, losing them.
import Foundation
import TestKit
import Testing
import Weftline

@Suite("Running runs", .timeLimit(.minutes(Patience.factor)))
struct RunHandleTests {
    @Test("Events come in order, the last one once, and then the sequence ends")
    func events() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let run = try await cluster.start(
                plan(("a", "echo", ["value": 1]), ("b", "echo", ["value": "$a"]))
            )
            var events: [RunEvent] = []
            for await event in run.events { events.append(event) }
            let result = try await run.result
            #expect(result.run == run.id)
            #expect(result.status == .succeeded)
            #expect(events.filter(\.isTerminal).map(\.kind) == [.runSucceeded])
            #expect(events.last?.isTerminal == true)
            let numbers = events.filter { $0.kind != .progress }.map(\.number)
            #expect(numbers == Array(0..<numbers.count))
            #expect(zip(events, events.dropFirst()).allSatisfy { $0.time <= $1.time })
            func position(_ kind: EventKind, _ node: String) -> Int? {
                events.firstIndex { $0.kind == kind && $0.node == node }
            }
            let firstEnds = try #require(position(.nodeSucceeded, "a"))
            let secondBegins = try #require(position(.dispatched, "b"))
            #expect(firstEnds < secondBegins)
        }
    }

    @Test("At the lowest level only the last event comes")
    func lowestLevel() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let run = try await cluster.start(plan(("a", "echo", [:])), watching: .end)
            var kinds: [EventKind] = []
            for await event in run.events { kinds.append(event.kind) }
            #expect(kinds == [.runSucceeded])
        }
    }

    @Test("The output of a function gives events at the highest level")
    func chunks() async throws {
        let speak = FunctionTool(name: "speak", description: "Speaks.") { _, context in
            context.emit("over and under")
            return 1
        }
        try await LocalCluster.with(tools: [speak]) { cluster in
            let run = try await cluster.start(plan(("a", "speak", [:])), watching: .all)
            var said = ""
            for await event in run.events where event.kind == .chunk {
                said += event.data["text"]?.stringValue ?? ""
            }
            #expect(said == "over and under")
        }
    }

    /// More than nine thousand events.
    private var manyEchoes: PlanDocument {
        get throws {
            PlanDocument(
                nodes: try (0..<3_000).map {
                    try NodeDefinition("n\($0)", tool: "echo", arguments: ["value": 1])
                }
            )
        }
    }

    @Test("Keeps the newest unread events, with a count of the others")
    func unreadEvents() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let run = try await cluster.start(manyEchoes)
            #expect(try await run.result.status == .succeeded)
            var events: [RunEvent] = []
            for await event in run.events { events.append(event) }
            #expect(events.count <= RunEvents.keptEvents)
            #expect(events.first?.missedBefore ?? 0 > 3_000)
            #expect(events.dropFirst().allSatisfy { $0.missedBefore == 0 })
            #expect(events.last?.isTerminal == true)
        }
    }

    @Test("A slow reader gets every event")
    func slowReader() async throws {
        try await LocalCluster.with(tools: [echo]) { cluster in
            let run = try await cluster.start(manyEchoes)
            var reader = run.events.makeAsyncIterator()
            var events = [await reader.next()].compactMap(\.self)
            #expect(try await run.result.status == .succeeded)
            while let event = await reader.next() { events.append(event) }
            #expect(events.allSatisfy { $0.missedBefore == 0 })
            let settled = events.filter { $0.kind == .nodeSucceeded }
            #expect(settled.count == 3_000)
            #expect(events.last?.isTerminal == true)
        }
    }

    @Test("A reader whose task is cancelled gets no more events")
    func cancelledReader() async throws {
        let waiting = Waiting()
        try await LocalCluster.with(tools: [waiting.tool]) { cluster in
            let run = try await cluster.start(plan(("w", "wait", [:])))
            let events = run.events
            let reader = Task { for await _ in events {} }
            #expect(await eventually { waiting.started == 1 })
            reader.cancel()
            await reader.value
            run.cancel()
            #expect(try await run.result.status == .cancelled)
        }
    }

    @Test("A cancelled run ends with a result that says so")
    func cancel() async throws {
        let waiting = Waiting()
        try await LocalCluster.with(tools: [waiting.tool, echo]) { cluster in
            let run = try await cluster.start(
                plan(("w", "wait", [:]), ("b", "echo", ["value": "$w"]))
            )
            #expect(await eventually { waiting.started == 1 })
            run.cancel(reason: "the pattern has changed")
            let result = try await run.result
            #expect(result.status == .cancelled)
            #expect(result.cancelReason == "the pattern has changed")
            #expect(result["w"]?.status == .cancelled)
            #expect(result["b"]?.status == .cancelled)
            #expect(waiting.cancelled == 1)
            // There is nothing left to cancel.
            run.cancel()
            #expect(try await run.result.status == .cancelled)
        }
    }

    @Test("Cancelling the task cancels the run and the function")
    func cancelTask() async throws {
        let waiting = Waiting()
        try await LocalCluster.with(tools: [waiting.tool]) { cluster in
            let document = try plan(("w", "wait", [:]))
            let task = Task { try await cluster.run(document) }
            #expect(await eventually { waiting.started == 1 })
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(waiting.cancelled == 1)
        }
    }

    @Test("A task that is cancelled from the start does not finish a run")
    func cancelledFromTheStart() async throws {
        let waiting = Waiting()
        try await LocalCluster.with(tools: [waiting.tool]) { cluster in
            let document = try plan(("w", "wait", [:]))
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await cluster.run(document)
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(await eventually { waiting.started == waiting.cancelled })
        }
    }

    @Test("Shutting a cluster down ends every wait")
    func shutDownMeanwhile() async throws {
        let waiting = Waiting()
        let cluster = try await LocalCluster.start(tools: [waiting.tool])
        let run = try await cluster.start(plan(("w", "wait", [:])))
        #expect(await eventually { waiting.started == 1 })
        let reading = Task {
            var count = 0
            for await _ in run.events { count += 1 }
            return count
        }
        await cluster.shutDown()
        await #expect(throws: ClientError.self) { try await run.result }
        #expect(await reading.value > 0)
        #expect(await eventually { waiting.cancelled == 1 })
    }

    @Test("A cluster lives as long as its runs are followed")
    func handleKeepsCluster() async throws {
        func start() async throws -> RunHandle {
            let cluster = try await LocalCluster.start(tools: [echo])
            return try await cluster.start(plan(("a", "echo", ["value": 3])))
        }
        let run = try await start()
        #expect(try await run.result.output(of: "a") == 3)
    }
}
