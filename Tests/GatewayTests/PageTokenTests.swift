// Tokens: who has one that is good, and that nothing of it can be changed.
import Testing
import Wire

@testable import Gateway

@Suite("Page tokens") struct PageTokenTests {
    private static let now = 1_795_000_000_000

    private static func key(_ byte: UInt8, _ name: String) -> HandshakeKey {
        guard let key = HandshakeKey([UInt8](repeating: byte, count: 32)) else {
            preconditionFailure("a key has 32 bytes")
        }
        return HandshakeKey(key, named: name)
    }

    private let client = Self.key(1, "alice~2")
    private let viewer = Self.key(2, "viewer")
    private let worker = Self.key(3, "worker")

    private var keyring: Keyring {
        var keyring = Keyring()
        keyring.add(client, of: Identity(name: "alice", role: .client), until: Self.now + 50_000)
        keyring.add(viewer, of: Identity(first: .viewer))
        keyring.add(worker, of: Identity(first: .worker))
        return keyring
    }

    private func text(
        _ kind: PageToken.Kind = .token,
        _ name: String = "alice~2",
        _ role: Role = .client,
        for milliseconds: Int = 10_000,
        _ key: HandshakeKey? = nil
    ) -> String {
        PageToken(kind, of: name, as: role, until: Self.now + milliseconds, nonce: [1, 2, 3])
            .signed(with: key ?? client)
    }

    private func read(
        _ text: String,
        _ kind: PageToken.Kind = .token,
        at time: Int = now
    ) -> PageToken? {
        PageToken(text, kind, in: keyring, at: time)
    }

    @Test func aSignedTokenIsReadAsItWasMade() throws {
        let token = try #require(read(text()))
        #expect(token.name == "alice~2")
        #expect(token.role == .client)
        #expect(token.expiry == Self.now + 10_000)
        #expect(token.nonce == "010203")
        #expect(read(text(.token, "alice~2", .viewer))?.role == .viewer)
        #expect(read(text(.token, "viewer", .viewer, viewer))?.role == .viewer)
    }

    private func text(
        _ kind: PageToken.Kind,
        _ name: String,
        _ role: Role,
        _ key: HandshakeKey
    ) -> String {
        text(kind, name, role, for: 10_000, key)
    }

    @Test func oneThatHasEndedOrWhoseKeyHasEndedIsNotGood() {
        #expect(read(text(), at: Self.now + 10_000) == nil)
        #expect(read(text(for: 100_000), at: Self.now + 49_999) != nil)
        #expect(read(text(for: 100_000), at: Self.now + 50_000) == nil)
    }

    @Test func aKeyGivesItsOwnRoleAtMost() {
        #expect(read(text(.token, "viewer", .client, viewer)) == nil)
        #expect(read(text(.token, "worker", .viewer, worker)) == nil)
        #expect(read(text(.token, "worker", .worker, worker)) == nil)
        #expect(read(text(.token, "viewer", .viewer, client)) == nil)
        #expect(read(text(.token, "mallory", .viewer, client)) == nil)
    }

    @Test func aTicketIsNoTokenAndIsGoodForAShortTimeOnly() {
        #expect(read(text(.ticket), .token) == nil)
        #expect(read(text(.token), .ticket) == nil)
        #expect(read(text(.ticket), .ticket) != nil)
        #expect(read(text(.ticket, for: PageToken.longestTicket + 1), .ticket) == nil)
    }

    @Test func aChangeAnywhereMakesItBad() {
        let good = text()
        for index in good.indices {
            for other in ["0", "x", ".", ""] where String(good[index]) != other {
                let bad = good[..<index] + other + good[good.index(after: index)...]
                #expect(read(String(bad)) == nil, "\(bad)")
            }
        }
        for bad in ["", ".", "token.....", "token.1.2.client..alice~2", "\(good) "] {
            #expect(read(bad) == nil, "\(bad)")
        }
    }
}
