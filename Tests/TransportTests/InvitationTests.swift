// Join lines: written, read, and refused with what is wrong with them.
import Foundation
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

@Suite("Join lines in files and in the protocol document")
struct InvitationFileTests {
    /// The lines of the protocol document within fences marked `join`.
    private static func examples() throws -> [String] {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Sources/Wire/Wire.docc/Protocol.md")
        var lines: [String] = []
        var isInside = false
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("```") {
                isInside = line == "```join"
            } else if isInside {
                lines.append(String(line))
            }
        }
        return lines
    }

    @Test("The examples of the document are read, and written again as they are")
    func keepsExamples() throws {
        let invitations = try Self.examples().map { try Invitation(reading: $0, from: "FILE") }
        #expect(try invitations.map(\.line) == Self.examples())
        #expect(invitations.map(\.role) == [.client, .worker, .viewer])
        #expect(invitations.map(\.isEncrypted) == [true, true, false])
        #expect(invitations.map(\.endpoints.count) == [1, 2, 1])
        #expect(invitations.allSatisfy { $0.key.bytes == Array(0..<32) })
    }

    private func inFolder(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.path + "/weft-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        try body(path)
    }

    @Test("A file is private, read again, and never overwritten")
    func writesFile() throws {
        try inFolder { folder in
            let line = try #require(try Self.examples().first)
            let invitation = try Invitation(reading: line, from: "FILE")
            let path = folder + "/a.join"
            try invitation.write(to: path)
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            #expect(try Invitation.load(path: path) == invitation)
            let taken = #expect(throws: KeyFileError.self) { try invitation.write(to: path) }
            #expect(taken?.reason == .exists)
            let nowhere = #expect(throws: KeyFileError.self) {
                try invitation.write(to: folder + "/none/a.join")
            }
            #expect(nowhere?.description.hasSuffix("Name another file.") == true)
        }
    }

    @Test("Files that are missing, empty, too long, too open, or folders are refused")
    func refusesFiles() throws {
        try inFolder { folder in
            let line = try #require(try Self.examples().first)
            func reason(_ text: String) throws -> KeyFileError.Reason? {
                try SecretFile.replace(folder + "/file", text: text)
                return reason(at: "/file")
            }
            func reason(at name: String) -> KeyFileError.Reason? {
                #expect(throws: KeyFileError.self) { try Invitation.load(path: folder + name) }?
                    .reason
            }
            #expect(reason(at: "/none") == .missingJoinLine)
            #expect(reason(at: "") == .noJoinLine("is missing: it is a folder"))
            #expect(try reason("") == .noJoinLine("is missing"))
            #expect(try reason("\n") == .noJoinLine("is missing"))
            #expect(
                try reason(line + "\n" + line) == .noJoinLine("is followed by other lines")
            )
            try SecretFile.replace(folder + "/file", text: line + "\r\n")
            #expect(try Invitation.load(path: folder + "/file").line == line)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640],
                ofItemAtPath: folder + "/file"
            )
            #expect(reason(at: "/file") == .readableByOthers)
        }
    }
}

@Suite("When connections are encrypted")
struct TLSPolicyTests {
    @Test(
        "Unless it is said otherwise, beyond this host",
        arguments: [
            ("127.0.0.1", false), ("127.9.9.9", false), ("localhost", false), ("::1", false),
            ("::ffff:127.0.0.1", false), ("127.evil.example", true), ("127.0.0.1.example", true),
            ("127.1", true),
            ("10.0.0.1", true), ("0.0.0.0", true), ("::", true), ("build-host", true),
        ]
    )
    func offHost(host: String, isEncrypted: Bool) {
        #expect(TLSPolicy.offHost.encrypts(host: host) == isEncrypted)
        #expect(TLSPolicy.always.encrypts(host: host))
        #expect(!TLSPolicy.never.encrypts(host: host))
    }
}
