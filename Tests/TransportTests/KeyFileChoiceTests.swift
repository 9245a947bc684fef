// Which key file is used: a flag before the environment, a named file before the state folder.

import Testing
import Transport
import Wire

@Suite("Choice of the key file")
struct KeyFileChoiceTests {
    private let environment = ["WEFT_KEY_FILE": "/keys/viewer.key", "WEFT_STATE_DIR": "/state"]

    @Test("A flag comes before the environment")
    func flags() {
        let choice = KeyFileChoice(file: "my/worker.key", state: "/mine", environment: environment)
        #expect(choice.path(for: .client) == "my/worker.key")
        #expect(choice.namedRole == .worker)
        #expect(choice.stateFolder == "/mine")
    }

    @Test("A named file comes before the state folder")
    func named() {
        let choice = KeyFileChoice(environment: environment)
        #expect(choice.path(for: .client) == "/keys/viewer.key")
        #expect(choice.namedRole == .viewer)
        #expect(KeyFileChoice(file: "some", environment: environment).namedRole == nil)
    }

    @Test("Without a named file each role has its own; an empty name is none")
    func folder() {
        let choice = KeyFileChoice(environment: ["WEFT_KEY_FILE": "", "WEFT_STATE_DIR": "/state"])
        #expect(choice.named == nil)
        #expect(choice.namedRole == nil)
        #expect(choice.path(for: .client) == "/state/client.key")
        #expect(choice.path(for: .worker) == "/state/worker.key")
    }
}
