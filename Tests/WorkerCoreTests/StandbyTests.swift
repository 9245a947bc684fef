// A worker that knows several coordinators, of which one leads and the others stand by.
import Core
import Testing
import Wire

@testable import WorkerCore

@Suite("A worker of several coordinators")
struct StandbyTests {
    private static func worker(_ addresses: [String] = ["a:1", "b:1", "c:1"]) -> WorkerHarness {
        WorkerHarness { configuration in
            configuration.coordinators = addresses.count
            configuration.coordinatorAddresses = addresses
        }
    }

    /// What one answers that stands by.
    private static func standby(_ leader: String?) -> Message {
        .error(
            ErrorMessage(code: .notLeader, message: "No.", isFatal: true, leader: leader)
        )
    }

    /// Goes through a handshake that ends with the answer of one that stands by.
    private func refuse(_ worker: inout WorkerHarness, naming leader: String?) throws {
        worker.expect(.connect)
        try worker.challenge()
        try worker.receive(Self.standby(leader))
        worker.expect(.disconnect)
        worker.expectNothingElse()
    }

    @Test("The one that is named is next")
    func prefersLeader() throws {
        var worker = Self.worker()
        try worker.send(.startRequested)
        try refuse(&worker, naming: "c:1")
        #expect(worker.machine.coordinator == 2)
        try worker.waitForConnect()
        try worker.connect()
    }

    @Test("One that is not in the list, or not known, is not connected to")
    func triesInTurn() throws {
        var worker = Self.worker()
        try worker.send(.startRequested)
        for (leader, next) in [("x:1", 1), (nil, 2), ("a:10", 0)] {
            try refuse(&worker, naming: leader)
            #expect(worker.machine.coordinator == next)
            try worker.waitForConnect()
        }
    }

    @Test("One that did not answer is not tried again only because another one names it")
    func doesNotReturnToTheDead() throws {
        var worker = Self.worker()
        try worker.send(.startRequested)
        worker.expect(.connect)
        try worker.send(.connectFailed(reason: "refused"))
        try worker.waitForConnect()
        #expect(worker.machine.coordinator == 1)
        try refuse(&worker, naming: "a:1")
        #expect(worker.machine.coordinator == 2)
    }

    @Test("The pauses stay short while one of them stands by")
    func staysNear() throws {
        var worker = Self.worker()
        try worker.send(.startRequested)
        for attempt in 0..<20 {
            if attempt % 2 == 1 {
                worker.expect(.connect)
                try worker.send(.connectFailed(reason: "refused"))
            } else {
                try refuse(&worker, naming: nil)
            }
            let deadline = try #require(worker.machine.nextDeadline())
            #expect(deadline - worker.now <= .milliseconds(400))
            try worker.waitForConnect()
        }
    }

    @Test("A silent leader is left for another one, and comes last")
    func leavesTheSilent() throws {
        var worker = Self.worker(["a:1", "b:1"])
        try worker.send(.startRequested)
        try worker.connect()
        // It is asked once, and does not answer.
        try worker.wait(.seconds(6))
        while worker.actions.first != .disconnect {
            _ = worker.nextAction()
            let deadline = try #require(worker.machine.nextDeadline())
            try worker.wait(deadline - worker.now)
        }
        #expect(worker.machine.coordinator == 1)
        worker.expect(.disconnect)
        try worker.waitForConnect()
        // It stands by as yet, and names the one that was silent.
        try refuse(&worker, naming: "a:1")
        try worker.waitForConnect()
        // That one accepts the connection, and is not waited for as long as a single one.
        worker.expect(.connect)
        try worker.send(.connected(nonce: [UInt8](repeating: 1, count: Limits.nonceBytes)))
        _ = worker.nextAction()
        let deadline = try #require(worker.machine.nextDeadline())
        #expect(deadline - worker.now <= .seconds(2))
    }
}
