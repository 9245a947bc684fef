// Names of keys, and which keys are accepted when.
import Testing
import Wire

@Suite("Keys and their names")
struct KeyringTests {
    @Test(
        "A name is an identity, from its second key on with a number",
        arguments: [("alice", "alice", 1), ("a.b-c_1~2", "a.b-c_1", 2), ("w~10", "w", 10)]
    )
    func names(text: String, identity: String, number: Int) throws {
        let name = try #require(KeyName.parse(text))
        #expect(name.identity == identity)
        #expect(name.number == number)
        #expect(KeyName.make(identity, number: number) == text)
    }

    @Test(
        "Other texts are no names",
        arguments: ["", "a b", "a~", "a~1", "a~0", "a~02", "a~x", "~2", "a~2~3", "a~-2", "ä"]
    )
    func badNames(text: String) {
        #expect(!KeyName.isValid(text))
    }

    @Test("A key is accepted before the end of its time, and not from then on")
    func ends() throws {
        let key = try #require(HandshakeKey([UInt8](repeating: 1, count: 32)))
        let alice = Identity(name: "alice", role: .client)
        var keyring = Keyring([.worker: key])
        keyring.add(key, of: alice, until: 100)
        keyring.add(HandshakeKey(key, named: "alice~2"), of: alice, until: 200)
        #expect(keyring.entry(named: "alice", at: 99)?.identity == alice)
        #expect(keyring.entry(named: "alice", at: 100) == nil)
        #expect(keyring.entry(named: "worker", at: .max)?.identity == Identity(first: .worker))
        #expect(keyring.entries(at: 100).map(\.key.name) == ["alice~2", "worker"])
        #expect(keyring.nextEnd(after: 0) == 100)
        #expect(keyring.nextEnd(after: 100) == 200)
        #expect(keyring.nextEnd(after: 200) == nil)
    }
}
