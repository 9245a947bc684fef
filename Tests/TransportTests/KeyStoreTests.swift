// Identities on a real disk: added, renewed, revoked, read again; and damaged files.
import Foundation
import Testing
import Wire

@testable import Transport

@Suite("Identities and their keys")
struct KeyStoreTests {
    private let now = 1_000_000

    private func inFolder(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.path + "/weft-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func load(_ folder: String) throws -> KeyStore {
        try KeyStore.load(from: folder, makesKeys: false)
    }

    private func mode(_ path: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    @Test("The keys of the roles are the first identities, as their key files say")
    func firstKeys() throws {
        try inFolder { folder in
            let store = try KeyStore.load(from: folder, makesKeys: true)
            #expect(Set(store.holders.map(\.identity.name)) == ["client", "viewer", "worker"])
            for role in Role.allCases {
                let key = try KeyFile.load(path: KeyFile.path(of: role, in: folder))
                let entry = try #require(store.keyring.entry(named: role.rawValue, at: now))
                #expect(entry.key.bytes == key.bytes)
                #expect(entry.identity == Identity(first: role))
            }
            #expect(!FileManager.default.fileExists(atPath: KeyStore.path(in: folder)))
        }
    }

    @Test("An identity is what it was when its file is read again")
    func addsIdentities() throws {
        try inFolder { folder in
            let alice = Identity(
                name: "alice",
                role: .client,
                allowedTools: ["search"],
                maxRunning: 3
            )
            let added = try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                try store.add(alice, at: now)
            }
            #expect(try mode(KeyStore.path(in: folder)) == 0o600)
            let read = try load(folder)
            #expect(read["alice"] == added)
            #expect(read.keyring.entry(named: "alice", at: now)?.identity == alice)
            #expect(throws: KeyStoreError.taken("alice")) {
                try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                    try store.add(alice, at: now)
                }
            }
            #expect(try load(folder) == read)
        }
    }

    @Test("A renewed key has another name, and the former one counts until its time ends")
    func rotates() throws {
        try inFolder { folder in
            _ = try KeyStore.load(from: folder, makesKeys: true)
            for name in ["worker", "bob"] {
                let before = try KeyStore.change(in: folder, at: now) {
                    (store) throws(KeyStoreError) in
                    if name == "bob" { try store.add(Identity(name: name, role: .viewer), at: now) }
                    return store
                }
                try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                    _ = try store.rotate(name, grace: 500, at: now)
                }
                let store = try load(folder)
                let old = try #require(before[name]?.current)
                let new = try #require(store[name]?.current)
                #expect(store[name]?.keyName == "\(name)~2")
                #expect(new.bytes != old.bytes)
                let keyring = store.keyring
                #expect(keyring.entry(named: name, at: now + 499)?.key.bytes == old.bytes)
                #expect(keyring.entry(named: name, at: now + 500) == nil)
                #expect(keyring.entry(named: "\(name)~2", at: now + 500)?.key == new)
                #expect(keyring.nextEnd(after: now) == now + 500)
                // The next change forgets what has ended.
                try KeyStore.change(in: folder, at: now + 500) { (store) throws(KeyStoreError) in
                    _ = try store.rotate(name, grace: 0, at: now + 500)
                }
                #expect(try load(folder)[name]?.keyName == "\(name)~3")
                #expect(try load(folder)[name]?.former == [])
            }
            let file = try KeyFile.load(path: KeyFile.path(of: .worker, in: folder))
            #expect(file.name == "worker~3")
        }
    }

    @Test("A revoked identity is gone; the key of a role is not made again by itself")
    func revokes() throws {
        try inFolder { folder in
            try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                try store.add(Identity(name: "bob", role: .viewer), at: now)
                try store.revoke("bob")
                try store.revoke("worker")
            }
            for makesKeys in [false, true] {
                let store = try KeyStore.load(from: folder, makesKeys: makesKeys)
                #expect(store["bob"] == nil)
                #expect(store["worker"]?.isRevoked == true)
                #expect(store.keyring.entry(named: "worker", at: now) == nil)
            }
            #expect(throws: KeyStoreError.revoked("worker")) {
                try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                    _ = try store.rotate("worker", grace: 0, at: now)
                }
            }
            try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                _ = try store.add(Identity(first: .worker), at: now)
            }
            #expect(try load(folder).keyring.entry(named: "worker", at: now) != nil)
        }
    }

    @Test("Names that cannot be are refused, and an unknown one is told with those there are")
    func refusesNames() throws {
        try inFolder { folder in
            var store = try KeyStore.load(from: folder, makesKeys: true)
            #expect(throws: KeyStoreError.badName("a~2")) {
                try store.add(Identity(name: "a~2", role: .client), at: now)
            }
            #expect(throws: KeyStoreError.roleName("worker", .client)) {
                try store.add(Identity(name: "worker", role: .client), at: now)
            }
            let known = store.holders.map(\.identity.name)
            #expect(throws: KeyStoreError.unknown("bob", known: known)) { try store.revoke("bob") }
        }
    }

    @Test(
        "A damaged file is refused with what is wrong with it",
        arguments: [
            ("[]", "no JSON object"), (#"{"version":2,"identities":[]}"#, "version 2"),
            (#"{"version":1,"identities":[{"name":"a b","role":"client"}]}"#, "needs a name"),
            (#"{"version":1,"identities":[{"name":"a","role":"king"}]}"#, "unknown role"),
            (#"{"version":1,"identities":[{"name":"a","role":"client"}]}"#, "has no key"),
            (
                #"{"version":1,"identities":[{"name":"a","role":"client","key":{"name":"b","#
                    + #""digits":""}}]}"#, "damaged"
            ),
            (#"{"version":1,"identities":[],"identity":[]}"#, "unknown field identity;"),
            (held(#","allow_tool":["x"]"#), "a has the unknown field allow_tool;"),
            (held(#","allow_tools":"x""#), "allow_tools is no list"),
            (held(#","allow_tools":[1]"#), "allow_tools of a has an element that is no text"),
            (held(#","max_running":0"#), "max_running of a must be at least 1"),
            (held(#","revoked":"yes""#), "revoked is neither true nor false"),
            (held(#","former":[{"name":"a"}]"#), "digits is missing"),
            (held(#","former":[{"name":"a","end":1}]"#), "a former key of a has the unknown"),
            (held(#"},{"name":"a","role":"viewer","key":KEY"#), "it has a twice"),
        ]
    )
    func damaged(text: String, problem: String) throws {
        try inFolder { folder in
            _ = try KeyStore.load(from: folder, makesKeys: true)
            try SecretFile.replace(KeyStore.path(in: folder), text: text)
            let error = #expect(throws: KeyFileError.self) { try load(folder) }
            #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        }
    }

    /// A file whose one identity has a key and these fields.
    private static func held(_ fields: String) -> String {
        let key = #"{"name":"a","digits":"\#(String(repeating: "0a", count: 32))"}"#
        let identity = #"{"name":"a","role":"client","key":KEY\#(fields)}"#
        return #"{"version":1,"identities":[\#(identity)]}"#.replacing("KEY", with: key)
    }

    @Test("What no damage was done to is read")
    func undamaged() throws {
        try inFolder { folder in
            _ = try KeyStore.load(from: folder, makesKeys: true)
            let text = Self.held(#","allow_tools":["x"],"max_running":1"#)
            try SecretFile.replace(KeyStore.path(in: folder), text: text)
            #expect(try load(folder)["a"]?.identity.allowedTools == ["x"])
        }
    }

    @Test("A key that is gone without having been revoked is told from one that was revoked")
    func goneFiles() throws {
        try inFolder { folder in
            let before = try KeyStore.load(from: folder, makesKeys: true)
            try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                try store.revoke("viewer")
            }
            #expect(try load(folder).fileGone(since: before, in: folder) == nil)
            let path = KeyFile.path(of: .worker, in: folder)
            try FileManager.default.removeItem(atPath: path)
            #expect(try load(folder).fileGone(since: before, in: folder)?.path == path)
            let known = try load(folder)
            try FileManager.default.removeItem(atPath: KeyStore.path(in: folder))
            let gone = try load(folder).fileGone(since: known, in: folder)
            #expect(gone?.path == KeyStore.path(in: folder))
        }
    }

    @Test("The key file of a role with the key of another identity is refused")
    func foreignKey() throws {
        try inFolder { folder in
            _ = try KeyStore.load(from: folder, makesKeys: true)
            let path = KeyFile.path(of: .worker, in: folder)
            let key = HandshakeKey(.fresh(), named: "alice")
            try SecretFile.replace(path, text: KeyFile.text(of: key))
            let error = #expect(throws: KeyFileError.self) { try load(folder) }
            #expect(error?.reason == .otherIdentity("alice"))
        }
    }

    @Test("A file of identities that others can read is refused")
    func readableByOthers() throws {
        try inFolder { folder in
            try KeyStore.change(in: folder, at: now) { (store) throws(KeyStoreError) in
                _ = try store.add(Identity(name: "bob", role: .viewer), at: now)
            }
            let path = KeyStore.path(in: folder)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            let error = #expect(throws: KeyFileError.self) { try load(folder) }
            #expect(error?.reason == .readableByOthers)
        }
    }
}
