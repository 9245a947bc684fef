// A client against a scripted coordinator: handshake, requests, runs, and the end.
import Client
import Core
import JSON
import TestKit
import Testing
import Transport
import UVLoop
import Wire

private let run = known(RunID("r1"))

@Suite("Connecting")
struct ConnectingTests {
    private func outcome(
        _ change: @escaping @Sendable (inout CoordinatorClient.Options) -> Void = { _ in },
        _ prepare: @escaping @Sendable (ScriptedCoordinator) -> Void = { _ in }
    ) async throws -> Result<String, ClientError> {
        try await onLoop { loop in
            let coordinator = try ScriptedCoordinator(loop: loop)
            prepare(coordinator)
            var options = coordinator.options
            change(&options)
            var outcomes: [Result<String, ClientError>] = []
            CoordinatorClient.connect(loop: loop, options: options) { result in
                outcomes.append(result.map(\.welcome.software))
                loop.stop()
            }
            loop.run()
            coordinator.close()
            #expect(outcomes.count == 1)
            return try #require(outcomes.first)
        }
    }

    @Test("Welcomes a client with the right key")
    func connects() async throws {
        #expect(try await outcome() == .success("scripted"))
    }

    @Test("Neither side accepts the other with a different key")
    func wrongKey() async throws {
        let other = known(HandshakeKey([UInt8](repeating: 1, count: Limits.nonceBytes)))
        let result = try await outcome { $0.key = other }
        guard case .failure(let error) = result else {
            Issue.record("it connected")
            return
        }
        #expect(error.kind == .refused)
        #expect(error.code == .authFailed)
    }

    @Test("Reports a refused connection as a missing coordinator")
    func unreachable() async throws {
        let result = try await outcome { _ in
        } _: {
            $0.close()
        }
        guard case .failure(let error) = result else {
            Issue.record("it connected")
            return
        }
        #expect(error.kind == .unreachable)
        #expect(error.message.contains("nothing listens"))
    }

    @Test("Reports a silent listener, or one with another protocol, as a missing coordinator")
    func strangers() async throws {
        for greeting in [nil, "HTTP/1.1 400 Bad Request\r\n\r\n", "{\"type\":\"pong\",\"n\":1}\n"] {
            let error = try await onLoop { loop in
                var kept: [TCPConnection] = []
                let listener = try TCPListener.listen(
                    loop: loop,
                    host: "127.0.0.1",
                    port: 0,
                    onConnection: { socket in
                        kept.append(socket)
                        guard let greeting else { return }
                        var bytes = Array(greeting.utf8)
                        socket.write(&bytes)
                    },
                    onError: { _ in loop.stop() }
                )
                var failure: ClientError?
                var options = try ScriptedCoordinator(loop: loop).options
                let port = listener.localAddress.port
                options.endpoints = [Endpoint(host: "127.0.0.1", port: port)]
                options.timeout = .milliseconds(150)
                CoordinatorClient.connect(loop: loop, options: options) { result in
                    if case .failure(let error) = result { failure = error }
                    loop.stop()
                }
                loop.run()
                return failure
            }
            #expect(error?.kind == .unreachable, "\(greeting ?? "silence")")
        }
    }

    @Test("Answers a cancelled attempt once")
    func cancels() async throws {
        let kinds = try await onLoop { loop in
            let coordinator = try ScriptedCoordinator(loop: loop)
            var kinds: [ClientError.Kind] = []
            let pending = CoordinatorClient.connect(loop: loop, options: coordinator.options) {
                if case .failure(let error) = $0 { kinds.append(error.kind) }
                loop.nextTurn { loop.stop() }
            }
            pending.cancel()
            pending.cancel()
            loop.run()
            coordinator.close()
            return kinds
        }
        #expect(kinds == [.unreachable])
    }
}

@Suite("Questions and commands")
struct RequestTests {
    @Test("Answers several questions in any order, small and in chunks")
    func answers() async throws {
        let large = RawJSON(String(repeating: "ü", count: 300_000))
        let box = Box<[String]>([])
        try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .get(let get) = message, coordinator.messages.count == 2 else { return }
                let chunks = Chunk.slice(
                    value: large,
                    about: .request(get.request - 1),
                    stream: .value,
                    bytesPerChunk: 100_000
                )
                for chunk in chunks { coordinator.send(.chunk(chunk)) }
                coordinator.send(
                    .reply(Reply(request: get.request, what: get.what, data: .inline(.true)))
                )
                coordinator.send(
                    .reply(
                        Reply(
                            request: get.request - 1,
                            what: .answer,
                            data: Payload(announcing: chunks)
                        )
                    )
                )
            }
            client.get(.answer, id: "r1") { result in
                box.value.append((try? result.get()) == large ? "large" : "wrong")
                loop.stop()
            }
            client.get(.status) { result in
                box.value.append((try? result.get()) == .true ? "small" : "wrong")
            }
        } result: { _ in
        }
        #expect(box.value == ["small", "large"])
    }

    @Test("An error answers the question that it names")
    func refusesQuestion() async throws {
        let box = Box<ClientError?>(nil)
        try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .get(let get) = message else { return }
                coordinator.send(
                    .error(
                        ErrorMessage(
                            code: .unknownRun,
                            message: "No run.",
                            isFatal: false,
                            request: get.request
                        )
                    )
                )
            }
            client.get(.run, id: "zz") { result in
                if case .failure(let error) = result { box.value = error }
                loop.stop()
            }
        } result: { _ in
        }
        #expect(box.value?.kind == .rejected)
        #expect(box.value?.code == .unknownRun)
    }

    @Test("A drain succeeds if no error comes before the pong, otherwise it fails")
    func drains() async throws {
        let box = Box<[Bool]>([])
        try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .drain(let drain) = message, drain.worker == "gone" else { return }
                coordinator.send(
                    .error(
                        ErrorMessage(
                            code: .unknownWorker,
                            message: "No worker.",
                            isFatal: false,
                            about: "gone"
                        )
                    )
                )
            }
            client.drain(worker: "w1") { box.value.append((try? $0.get()) != nil) }
            client.drain(worker: "gone") { result in
                box.value.append((try? result.get()) != nil)
                // The pong that still arrives must not answer again.
                client.get(.status) { _ in loop.stop() }
                coordinator.send(.bye(Bye(reason: "shutting_down")))
                coordinator.connection?.closeAfterWriting()
            }
        } result: { _ in
        }
        #expect(box.value == [true, false])
    }

    @Test("A command that an earlier coordinator does not know fails, and no other one does")
    func unknown() async throws {
        let box = Box<[String]>([])
        try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard message.kind == .launch else { return }
                coordinator.send(
                    .error(
                        ErrorMessage(
                            code: .unknownType,
                            message: "There is no message type.",
                            isFatal: false
                        )
                    )
                )
            }
            func note(_ name: String) -> (Result<Void, ClientError>) -> Void {
                { result in
                    if case .failure(let error) = result {
                        box.value.append("\(name) \(error.code?.rawValue ?? "?")")
                    } else {
                        box.value.append(name)
                    }
                }
            }
            client.drain(worker: "before", then: note("before"))
            let launch = LaunchDocument(name: "l", host: "h", pid: 1, groups: [], members: [])
            client.tell(of: launch, then: note("launch"))
            client.drain(worker: "after") { result in
                note("after")(result)
                loop.stop()
            }
        } result: { _ in
        }
        #expect(box.value == ["before", "launch unknown_type", "after"])
    }

    @Test("A lost connection fails all pending requests once, and later ones too")
    func losesEverything() async throws {
        let box = Box<[String]>([])
        try await withClient { loop, coordinator, client in
            coordinator.answersPings = false
            coordinator.onMessage = { message in
                if case .watch = message { coordinator.close() }
            }
            func note(_ name: String, _ kind: ClientError.Kind?) {
                box.value.append("\(name) \(kind?.rawValue ?? "?")")
            }
            client.onLost = { error in
                note("lost", error.kind)
                client.get(.runs) { result in
                    if case .failure(let error) = result { note("late", error.kind) }
                    loop.stop()
                }
            }
            client.get(.status) { if case .failure(let error) = $0 { note("get", error.kind) } }
            client.drain(worker: "w") {
                if case .failure(let error) = $0 { note("drain", error.kind) }
            }
            client.submit(Submission(plan: planText(nodes: 1))) {
                if case .failed(let error) = $0 { note("submit", error.kind) }
            }
            client.watch(run) { if case .failed(let error) = $0 { note("watch", error.kind) } }
        } result: { _ in
        }
        #expect(
            box.value == [
                "get lost", "drain lost", "submit lost", "watch lost", "lost lost", "late lost",
            ]
        )
    }

    @Test("Answers pings, and closes the connection to a silent coordinator")
    func silence() async throws {
        var limits = Limits()
        limits.heartbeat = .milliseconds(100)
        let box = Box<[ClientError.Kind]>([])
        let pongs = try await withClient(limits: limits) { loop, coordinator, client in
            coordinator.answersPings = false
            coordinator.send(.ping(Ping(n: 77)))
            client.onLost = { error in
                box.value.append(error.kind)
                loop.stop()
            }
        } result: { coordinator in
            coordinator.messages.filter { $0 == .pong(Pong(n: 77)) }.count
        }
        #expect(pongs == 1)
        #expect(box.value == [.lost])
    }
}

/// A value that closures of the loop change and a test reads after the loop has ended.
final class Box<Value: Sendable>: Sendable {
    private let state: Locked<Value>

    init(_ value: Value) { state = Locked(value) }

    var value: Value {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
