// What waits for peers that do not read, read slowly, or read fast and much.

import CoordinatorCore
import JSON
import Plans
import TestKit
import Testing
import Wire

@Suite("What waits for peers")
struct BacklogTests {
    private let harness = MachineHarness()

    @Test("A worker for which much waits gets nothing new until half of it has left")
    func congestion() throws {
        let worker = harness.worker("w", slots: 2)
        let client = harness.client()
        harness.setBacklog(of: worker, heldBytes: 65 << 20, takenBytes: 0)
        try client.submit([NodeText("a")])
        #expect(worker.take() == [])
        harness.setBacklog(of: worker, heldBytes: 40 << 20, takenBytes: 25 << 20)
        #expect(worker.take() == [])
        harness.setBacklog(of: worker, heldBytes: 32 << 20, takenBytes: 33 << 20)
        _ = try worker.nextDispatch()
    }

    @Test("A client that takes nothing of what waits for it is told so after a lease")
    func stalled() throws {
        let client = harness.client()
        harness.setBacklog(of: client, heldBytes: 1, takenBytes: 0)
        harness.advance(.seconds(9))
        #expect(!harness.isClosed(client))
        harness.advance(.seconds(4))
        #expect(try client.nextError().code == .limit)
        #expect(harness.isClosed(client))
    }

    @Test("A client that reads a byte at a time stays, however much waits and whatever it answers")
    func slow() throws {
        let client = harness.client()
        client.answersPings = false
        for second in 0..<100 {
            harness.setBacklog(of: client, heldBytes: 1 << 30, takenBytes: second / 9)
            harness.advance(.seconds(1))
        }
        #expect(!harness.isClosed(client))
    }

    @Test("A stall ends when everything has left")
    func recovers() throws {
        let client = harness.client()
        harness.setBacklog(of: client, heldBytes: 1, takenBytes: 0)
        harness.advance(.seconds(9))
        harness.setBacklog(of: client, heldBytes: 0, takenBytes: 1)
        harness.setBacklog(of: client, heldBytes: 1, takenBytes: 1)
        harness.advance(.seconds(9))
        #expect(!harness.isClosed(client))
    }
}
