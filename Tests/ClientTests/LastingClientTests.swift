// A client that connects again, against a scripted coordinator.
import Client
import Core
import JSON
import TestKit
import Testing
import Transport
import UVLoop
import Wire

/// Runs a scripted coordinator and a lasting client, and returns the words of a list.
///
/// The body gets all three, and must stop the loop.
private func words(
    limit: Duration = .seconds(20),
    _ begin:
        @escaping @Sendable (EventLoop, ScriptedCoordinator, LastingClient, Box<[String]>) -> Void
) async throws -> [String] {
    let box = Box<[String]>([])
    try await withClient { loop, coordinator, connection in
        let client = LastingClient(connection, options: coordinator.options, limit: limit)
        client.onChange = { change in
            switch change {
            case .lost(let error, _): box.value.append("lost: \(error.code?.rawValue ?? "-")")
            case .returned: box.value.append("returned")
            }
        }
        begin(loop, coordinator, client, box)
    } result: { _ in
    }
    return box.value
}

private func word(_ result: Result<RawJSON, ClientError>) -> String {
    switch result {
    case .success(let data): data.text
    case .failure(let error): "\(error.kind)"
    }
}

@Suite("Connecting again", .timeLimit(.minutes(Patience.factor)))
struct LastingClientTests {
    @Test("What had no answer is asked again, in order, and answered once")
    func asksAgain() async throws {
        let words = try await words { loop, coordinator, client, box in
            let asked = Box(0)
            coordinator.onMessage = { message in
                guard case .get(let get) = message else { return }
                asked.value += 1
                box.value.append("asked \(get.what)")
                guard asked.value > 2 else {
                    if asked.value == 2 { coordinator.connection?.close() }
                    return
                }
                coordinator.send(
                    .reply(Reply(request: get.request, what: get.what, data: .inline(.true)))
                )
            }
            client.get(.status) { box.value.append("status \(word($0))") }
            client.get(.tools) { result in
                box.value.append("tools \(result.map { _ in 1 } == .success(1))")
                loop.nextTurn { loop.stop() }
            }
        }
        #expect(
            words == [
                "asked status", "asked tools", "lost: -", "asked status", "asked tools",
                "returned", "status true", "tools true",
            ]
        )
    }

    @Test("A client that asks nothing connects again, too, and after each loss")
    func idle() async throws {
        let words = try await words { loop, coordinator, client, box in
            let change = client.onChange
            // The closure keeps the client.
            client.onChange = { [client] told in
                change?(told)
                guard case .returned = told else { return }
                if box.value.count > 2 {
                    client.close()
                    return loop.stop()
                }
                coordinator.send(.bye(Bye(reason: "shutting_down")))
                coordinator.connection?.closeAfterWriting()
            }
            coordinator.connection?.close()
        }
        #expect(words == ["lost: -", "returned", "lost: shutting_down", "returned"])
    }

    @Test("It gives up at the limit, and the next request tries again")
    func limit() async throws {
        let words = try await words(limit: .milliseconds(120)) { loop, coordinator, client, box in
            coordinator.onMessage = { _ in coordinator.close() }
            client.get(.status) { result in
                box.value.append(word(result))
                client.get(.status) { result in
                    box.value.append(word(result))
                    loop.stop()
                }
            }
        }
        #expect(words == ["lost: -", "lost", "lost: -", "lost"])
    }

    @Test("Without a limit, and after a breach of the protocol, requests fail at once")
    func atOnce() async throws {
        for limit in [Duration.zero, .seconds(20)] {
            let words = try await words(limit: limit) { loop, coordinator, client, box in
                coordinator.onMessage = { _ in
                    coordinator.send(
                        .error(ErrorMessage(code: .badMessage, message: "no", isFatal: true))
                    )
                }
                client.get(.status) { result in
                    box.value.append(word(result))
                    loop.stop()
                }
            }
            #expect(words == ["lost"])
        }
    }

    @Test("Nothing is called after it was closed, also while it connects")
    func closing() async throws {
        let words = try await words { loop, coordinator, client, box in
            let timer = Timer(loop: loop) { loop.stop() }
            let change = client.onChange
            client.onChange = { told in
                change?(told)
                client.close()
                timer.schedule(after: .milliseconds(300))
            }
            client.get(.status) { box.value.append(word($0)) }
            coordinator.onMessage = { _ in coordinator.connection?.close() }
        }
        #expect(words == ["lost: -"])
    }
}
