// Join lines: written, read, and refused with what is wrong with them.
import Testing
import Wire

@testable import Transport

@Suite("Join lines")
struct InvitationTests {
    private let digits = String(repeating: "0a", count: 32)

    private func read(_ line: String) throws(KeyFileError) -> Invitation {
        try Invitation(reading: line, from: "FILE")
    }

    @Test("A line says again what was written", arguments: [true, false])
    func roundTrip(isEncrypted: Bool) throws {
        let key = try #require(HandshakeKey(hex: digits))
        let invitation = Invitation(
            endpoints: [
                Endpoint(host: "10.0.0.5", port: 7420), Endpoint(host: "::1", port: 1),
            ],
            role: .viewer,
            key: HandshakeKey(key, named: "alice~2"),
            isEncrypted: isEncrypted
        )
        let scheme = isEncrypted ? "wefts" : "weft"
        #expect(
            invitation.line == "\(scheme)://alice~2:\(digits)@10.0.0.5:7420,[::1]:1/viewer"
        )
        #expect(try read(invitation.line) == invitation)
        #expect(!"\(invitation)".contains(digits))
    }

    @Test("The first key of a role has its name")
    func firstKey() throws {
        let key = try #require(HandshakeKey(hex: digits))
        let endpoint = Endpoint(host: "a", port: 1)
        let invitation = Invitation(
            endpoints: [endpoint],
            role: .worker,
            key: key,
            isEncrypted: true
        )
        #expect(invitation.line == "wefts://worker:\(digits)@a:1/worker")
    }

    @Test(
        "A line that cannot be is refused without its key",
        arguments: [
            ("http://a:D@b:1/client", "does not begin with wefts://"),
            ("weft://a:D", "has no @"), ("weft://aD@b:1/client", "has no NAME:DIGITS"),
            ("weft://a b:D@b:1/client", "has no NAME:DIGITS"),
            ("weft://a:D0@b:1/client", "not 64 hex digits"),
            ("weft://a:D@b:1", "does not end with"), ("weft://a:D@b:1/king", "does not end with"),
            ("weft://a:D@b/client", "has no address"), ("weft://a:D@b:1,/client", "has no address"),
            ("weft://a:D@b:1/client/x", "does not end with"),
        ]
    )
    func refuses(line: String, problem: String) throws {
        let error = #expect(throws: KeyFileError.self) {
            try read(line.replacing(":D", with: ":" + digits))
        }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains(digits) == false)
    }
}

@Suite("When connections are encrypted")
struct TLSPolicyTests {
    @Test(
        "Unless it is said otherwise, beyond this host",
        arguments: [
            ("127.0.0.1", false), ("127.9.9.9", false), ("localhost", false), ("::1", false),
            ("10.0.0.1", true), ("0.0.0.0", true), ("::", true), ("build-host", true),
        ]
    )
    func offHost(host: String, isEncrypted: Bool) {
        #expect(TLSPolicy.offHost.encrypts(host: host) == isEncrypted)
        #expect(TLSPolicy.always.encrypts(host: host))
        #expect(!TLSPolicy.never.encrypts(host: host))
    }
}
