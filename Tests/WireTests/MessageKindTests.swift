// Which sender may send which messages.
import Testing

@testable import Wire

@Suite("Senders of messages")
struct MessageKindTests {
    /// The table of the protocol document.
    private static let senders: [MessageKind: Set<Sender>] = [
        .hello: [.worker, .client, .viewer], .challenge: [.coordinator],
        .auth: [.worker, .client, .viewer], .welcome: [.coordinator],
        .register: [.worker], .offer: [.worker], .registered: [.coordinator],
        .dispatch: [.coordinator],
        .started: [.worker], .reject: [.worker], .progress: [.worker],
        .chunk: [.worker, .coordinator], .window: [.worker, .coordinator], .result: [.worker],
        .ack: [.coordinator], .cancel: [.coordinator], .ping: Set(Sender.allCases),
        .pong: Set(Sender.allCases), .drain: [.worker, .client, .coordinator],
        .bye: Set(Sender.allCases), .error: Set(Sender.allCases), .submit: [.client],
        .nodes: [.client], .accepted: [.coordinator], .watch: [.client, .viewer],
        .event: [.coordinator], .cancelRun: [.client], .approve: [.client],
        .remember: [.client], .forget: [.client], .launch: [.client],
        .get: [.client, .viewer],
        .reply: [.coordinator],
    ]

    @Test("Each sender may send only its own messages", arguments: MessageKind.allCases)
    func limitsSenders(_ kind: MessageKind) throws {
        let allowed = try #require(Self.senders[kind])
        for sender in Sender.allCases {
            #expect(kind.mayBeSent(by: sender) == allowed.contains(sender), "\(sender)")
        }
    }

    @Test("A role is a sender of the same name", arguments: Role.allCases)
    func mapsRoles(_ role: Role) {
        #expect(Sender(role).rawValue == role.rawValue)
    }

    @Test("Each level of watching includes those before it")
    func ordersLevels() {
        #expect(WatchLevel.allCases.sorted() == [.end, .progress, .nodes, .all])
    }

    @Test("A run ends with exactly one of three events")
    func knowsTerminalEvents() {
        let terminal = EventKind.allCases.filter(\.isTerminal)
        #expect(terminal == [.runSucceeded, .runFailed, .runCancelled])
    }
}
