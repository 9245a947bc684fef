// A coordinator that stands by: peers prove themselves, and learn which one leads.
import CoordinatorCore
import Core
import Testing
import Wire

@Suite("A coordinator that stands by")
struct StandbyTests {
    private let harness = MachineHarness { $0.standsBy = true }

    /// A peer that has proved itself.
    private func proved(_ role: Role, key: HandshakeKey? = nil) throws -> TestPeer {
        let peer = harness.connect(role, "p", key: key)
        var initiator = HandshakeInitiator(
            role: role,
            name: "p",
            key: try #require(key ?? MachineHarness.keys[role]),
            nonce: [UInt8](repeating: 9, count: 32)
        )
        peer.send(.hello(initiator.hello()))
        let challenge = try peer.next {
            if case .challenge(let challenge) = $0 { challenge } else { nil }
        }
        peer.send(.auth(try initiator.answer(to: challenge)))
        return peer
    }

    private func refusal(of peer: TestPeer) throws -> ErrorMessage {
        let error = try peer.next { if case .error(let error) = $0 { error } else { nil } }
        #expect(error.isFatal)
        #expect(harness.isClosed(peer))
        #expect(peer.take() == [])
        return error
    }

    @Test(
        "Peers of each role are refused once they have proved themselves",
        arguments: Role.allCases
    )
    func refuses(_ role: Role) throws {
        let early = try refusal(of: try proved(role))
        #expect(early.code == .notLeader)
        #expect(early.leader == nil)
        harness.handle(.leaderNamed("b:7420"))
        let late = try refusal(of: try proved(role))
        #expect(late.leader == "b:7420")
        #expect(late.message.contains("b:7420"))
        // It logs nothing for each of them: they come again and again.
        #expect(harness.notices.isEmpty)
    }

    @Test("When it ends or leads, peers in their handshake begin again elsewhere")
    func ends() throws {
        let peer = harness.connect(.client, "p")
        harness.handle(.shutdownRequested)
        #expect(try refusal(of: peer).code == .notLeader)
        #expect(harness.machine.nextDeadline() == nil)
    }
}
