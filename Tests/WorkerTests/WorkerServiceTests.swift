// The worker's shell with real sockets and the diagnostic tools, against a scripted coordinator.
// The machine's decisions are tested in WorkerCoreTests.
import Core
import JSON
import Logging
import TestKit
import Testing
import Tools
import Transport
import UVLoop
import Wire
import Worker
import WorkerCore

@Suite("The shell of a worker", .timeLimit(.minutes(Patience.factor)))
struct WorkerServiceTests {
    @Test("Answers short attempts only by their results, in order")
    func shortAttempts() async throws {
        let sent = try await onLoop { loop in
            try converse(loop) { coordinator, message, _ in
                switch message {
                case .register:
                    coordinator.send(.registered(Registered()))
                    for node in 0..<200 {
                        coordinator.send(dispatch(node, "echo", ["n": .integer(Int64(node))]))
                    }
                case .result(let result) where result.attempt == id(199):
                    coordinator.send(.ack(Ack(attempts: (0..<200).map { id($0) })))
                    coordinator.send(.drain(Drain()))
                default:
                    break
                }
            }
        }
        #expect(sent.exit == .drained)
        var results: [AttemptID] = []
        for message in sent.messages.dropFirst() {
            switch message {
            case .result(let result):
                results.append(result.attempt)
                let output = RawJSON(["n": .integer(Int64(result.attempt.node))] as JSONValue)
                #expect(result.outcome == .success(.inline(output)))
            case .bye:
                break
            default:
                Issue.record("\(message)")
            }
        }
        #expect(results == (0..<200).map { id($0) })
    }

    @Test("Announces, cancels and answers a long attempt; bad arguments fail theirs")
    func longAttempt() async throws {
        let sent = try await onLoop { loop in
            try converse(loop) { coordinator, message, _ in
                switch message {
                case .register:
                    coordinator.send(.registered(Registered()))
                    coordinator.send(dispatch(0, "sleep", ["ms": 60_000]))
                case .started(let started):
                    coordinator.send(
                        .cancel(
                            Cancel(
                                attempt: started.attempt,
                                reason: Cancel.cancelled,
                                graceMilliseconds: 100
                            )
                        )
                    )
                case .result(let result) where result.attempt == id(0):
                    coordinator.send(.ack(Ack(attempts: [result.attempt])))
                    coordinator.send(dispatch(1, "sleep", ["ms": "long"]))
                case .result(let result):
                    coordinator.send(.ack(Ack(attempts: [result.attempt])))
                    coordinator.send(.drain(Drain()))
                default:
                    break
                }
            }
        }
        #expect(sent.exit == .drained)
        #expect(sent.failures.map(\.code) == [.cancelled, .badArguments])
    }

    @Test("The worker enforces the time limit of an attempt")
    func timeout() async throws {
        let sent = try await onLoop { loop in
            try converse(loop) { coordinator, message, _ in
                switch message {
                case .register:
                    coordinator.send(.registered(Registered()))
                    coordinator.send(dispatch(0, "sleep", ["ms": 60_000], timeout: 20))
                case .result(let result):
                    coordinator.send(.ack(Ack(attempts: [result.attempt])))
                    coordinator.send(.drain(Drain()))
                default:
                    break
                }
            }
        }
        #expect(sent.failures.map(\.message) == ["took longer than 20ms"])
        #expect(sent.exit == .drained)
    }

    @Test("Sends an unacknowledged result again over the next connection")
    func reconnect() async throws {
        let sent = try await onLoop { loop in
            try converse(loop) { coordinator, message, session in
                switch message {
                case .register(let register):
                    coordinator.send(
                        .registered(Registered(adopt: register.inFlight.map(\.attempt)))
                    )
                    if session == 1 { coordinator.send(dispatch(0, "noop", [:])) }
                case .result where session == 1:
                    coordinator.hangUp()
                case .result(let result):
                    coordinator.send(.ack(Ack(attempts: [result.attempt])))
                    coordinator.send(.drain(Drain()))
                default:
                    break
                }
            }
        }
        #expect(sent.sessions == 2)
        #expect(sent.exit == .drained)
        let results = sent.messages.count { $0.kind == .result }
        #expect(results == 2)
    }

    @Test("A large output arrives whole, in chunks")
    func largeOutput() async throws {
        let text = String(repeating: "ö", count: 1_000_000)
        let sent = try await onLoop { loop in
            try converse(loop) { coordinator, message, _ in
                switch message {
                case .register:
                    coordinator.send(.registered(Registered()))
                    let chunks = Chunk.slice(
                        value: RawJSON(["text": .string(text)] as JSONValue),
                        about: .attempt(id(0)),
                        stream: .arguments,
                        bytesPerChunk: Limits().chunkBytes
                    )
                    for chunk in chunks { coordinator.send(.chunk(chunk)) }
                    coordinator.send(dispatch(0, "echo", Payload(announcing: chunks)))
                case .result(let result):
                    coordinator.send(.ack(Ack(attempts: [result.attempt])))
                    coordinator.send(.drain(Drain()))
                default:
                    break
                }
            }
        }
        var assembler = ChunkAssembler(maximumBytes: 4_000_000)
        for message in sent.messages {
            switch message {
            case .chunk(let chunk):
                try assembler.append(chunk)
            case .result(let result):
                guard case .success(let payload) = result.outcome else { continue }
                let value = try assembler.finish(payload)
                #expect(JSONValue(value)["text"]?.stringValue == text)
            default:
                break
            }
        }
        #expect(sent.exit == .drained)
    }

    @Test("A wrong key ends the worker")
    func refused() async throws {
        let key = known(HandshakeKey([UInt8](repeating: 1, count: Limits.nonceBytes)))
        let sent = try await onLoop { loop in
            try converse(loop, workerKey: key) { _, _, _ in }
        }
        #expect(sent.exit?.exitStatus == 4)
    }

    @Test("A worker can be stopped while it connects")
    func stopped() async throws {
        let exit = try await onLoop { loop in
            let service = try makeWorker(loop, port: 9, key: ScriptedCoordinator.key)
            var reason: WorkerMachine.ExitReason?
            service.onExit = {
                reason = $0
                loop.stop()
            }
            service.start()
            loop.nextTurn { service.stop() }
            loop.run()
            return reason
        }
        #expect(exit == .stopped)
    }
}

/// The messages of a worker until it ended.
private struct Conversation: Sendable {
    var messages: [Message] = []
    var sessions = 0
    var exit: WorkerMachine.ExitReason?

    var failures: [Failure] {
        messages.compactMap { message in
            guard case .result(let result) = message, case .failure(let failure) = result.outcome
            else { return nil }
            return failure
        }
    }
}

/// Runs a worker against a script until it ends.
private func converse(
    _ loop: EventLoop,
    workerKey: HandshakeKey = ScriptedCoordinator.key,
    script: @escaping (ScriptedCoordinator, Message, Int) -> Void
) throws -> Conversation {
    var conversation = Conversation()
    let coordinator = try ScriptedCoordinator(loop: loop)
    coordinator.onMessage = { [unowned coordinator] message, session in
        conversation.messages.append(message)
        script(coordinator, message, session)
    }
    let service = try makeWorker(loop, port: coordinator.port, key: workerKey)
    service.onExit = { reason in
        conversation.exit = reason
        loop.stop()
    }
    service.start()
    loop.run()
    conversation.sessions = coordinator.sessions
    coordinator.close()
    return conversation
}

private func makeWorker(
    _ loop: EventLoop,
    port: Int,
    key: HandshakeKey
) throws -> WorkerService {
    let toolbox = try Toolbox.make(loop: loop, diagnostics: true)
    let options = WorkerOptions(
        endpoints: [Endpoint(host: "127.0.0.1", port: port)],
        name: "w-1",
        slots: 2,
        key: key,
        toolbox: toolbox
    )
    return WorkerService(
        loop: loop,
        options: options,
        logger: Logger(label: "worker") { _ in SwiftLogNoOpLogHandler() }
    )
}

private func id(_ node: Int) -> AttemptID {
    AttemptID(run: known(RunID("r1")), node: node, number: 1)
}

private func dispatch(
    _ node: Int,
    _ tool: String,
    _ arguments: JSONValue,
    timeout: Int? = nil
) -> Message {
    dispatch(node, tool, .inline(RawJSON(arguments)), timeout: timeout)
}

private func dispatch(
    _ node: Int,
    _ tool: String,
    _ arguments: Payload,
    timeout: Int? = nil
) -> Message {
    .dispatch(
        Dispatch(
            attempt: id(node),
            run: id(node).run,
            node: known(NodeID("n\(node)")),
            tool: tool,
            arguments: arguments,
            timeoutMilliseconds: timeout,
            leaseMilliseconds: 6000,
            maxOutput: 16 << 20,
            number: 1
        )
    )
}
