// Connecting, the handshake, silence and reconnecting.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("Connection of a worker")
struct ConnectionTests {
    @Test("A worker says hello, authenticates and offers its tools")
    func handshake() throws {
        var worker = WorkerHarness(slots: 3)
        try worker.send(.startRequested)
        worker.expect(.connect)
        let register = try worker.shakeHands()
        #expect(register.slots == 3)
        #expect(register.tools.map(\.name) == ["echo"])
        #expect(register.inFlight.isEmpty)
        #expect(!worker.machine.isReady)
        let refused = WithheldTool(name: "echo", reason: "Its schema is no JSON.")
        try worker.receive(.registered(Registered(conflicts: ["echo"], refused: [refused])))
        #expect(worker.machine.isReady)
        #expect(
            worker.notices == [
                .registered(session: "s1", epoch: 1, software: "test", isResumed: false),
                .toolRefused(refused),
            ]
        )
        worker.expectNothingElse()
    }

    @Test("Gives up attempts when the coordinator has been gone for a lease")
    func leaseEnds() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.send(.disconnected(reason: nil))
        let start = worker.now
        while worker.now < start + .seconds(5) {
            try worker.wait(.milliseconds(100))
            guard worker.actions.first == .connect else { continue }
            worker.expect(.connect)
            try worker.send(.connectFailed(reason: "refused"))
            worker.expectNothingElse()
        }
        while worker.now < start + .seconds(20) {
            try worker.wait(.milliseconds(100))
            guard worker.actions.first == .connect else { continue }
            worker.expect(.connect)
            try worker.send(.connectFailed(reason: "refused"))
        }
        let cancel = WorkerMachine.Action.cancelAttempt(
            WorkerHarness.id(0),
            grace: Limits().cancelGrace
        )
        #expect(worker.actions.contains(cancel))
        #expect(worker.notices.contains(.abandoned(WorkerHarness.name(0))))
        try worker.fail(0, .cancelled)
        #expect(worker.machine.counts == (0, 0, 0))
    }

    @Test("Keeps attempts when a coordinator accepts connections but is silent")
    func pausedCoordinator() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        for _ in 0..<60 {
            try worker.wait(.seconds(1))
            let isConnecting = worker.actions.contains(.connect)
            worker.actions = []
            if isConnecting {
                try worker.send(.connected(nonce: [UInt8](repeating: 1, count: Limits.nonceBytes)))
                worker.actions = []
            }
        }
        #expect(!worker.notices.contains(.abandoned(WorkerHarness.name(0))))
        #expect(worker.machine.counts.running == 1)
    }

    @Test("Gives up attempts when every connection is closed without a message")
    func tunnelWithoutCoordinator() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(0)
        worker.expectStart(0)
        try worker.send(.disconnected(reason: nil))
        var resumed: [Bool] = []
        for _ in 0..<20 {
            try worker.wait(.seconds(1))
            let isConnecting = worker.actions.contains(.connect)
            worker.actions = []
            if isConnecting {
                try worker.send(.connected(nonce: [UInt8](repeating: 1, count: Limits.nonceBytes)))
                if case .send(.hello(let hello)) = worker.nextAction() {
                    resumed.append(hello.resume != nil)
                }
                try worker.send(.disconnected(reason: nil))
            }
        }
        #expect(worker.notices.contains(.abandoned(WorkerHarness.name(0))))
        // In the same session its coordinator would take the attempt for one that never arrived.
        #expect(resumed.first == true)
        #expect(resumed.last == false)
    }

    @Test("Comes back to its session after a lease if it held nothing")
    func leaseEndsWithoutAttempts() throws {
        var worker = try WorkerHarness.ready()
        try worker.send(.disconnected(reason: nil))
        for _ in 0..<20 {
            try worker.wait(.seconds(1))
            if worker.actions.contains(.connect) {
                try worker.send(.connectFailed(reason: "refused"))
            }
            worker.actions = []
        }
        try worker.waitForConnect()
        worker.expect(.connect)
        try worker.send(.connected(nonce: [UInt8](repeating: 1, count: Limits.nonceBytes)))
        guard case .send(.hello(let hello)) = worker.nextAction() else {
            throw Unexpected("hello was expected")
        }
        #expect(hello.resume != nil)
    }

    @Test("Refuses a coordinator with another key, for good")
    func impostor() throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        worker.expect(.connect)
        try worker.send(.connected(nonce: [UInt8](repeating: 1, count: 32)))
        _ = worker.nextAction()
        let zeros = [UInt8](repeating: 0, count: 32)
        try worker.receive(.challenge(Challenge(nonce: zeros, session: "s1", mac: zeros)))
        guard case .send(.error(let error)) = worker.nextAction() else {
            throw Unexpected("an error was expected")
        }
        #expect(error.code == .authFailed)
        worker.expect(.disconnect)
        guard case .exit(let reason) = worker.nextAction() else {
            throw Unexpected("an exit was expected")
        }
        #expect(reason.exitStatus == 4)
        try worker.send(.deadlineReached)
        #expect(worker.machine.nextDeadline() == nil)
        worker.expectNothingElse()
    }

    @Test(
        "Errors that a retry cannot repair end the worker",
        arguments: [
            (ErrorCode.authFailed, Int32(4)), (.unsupportedVersion, 4), (.duplicateName, 4),
        ]
    )
    func fatal(code: ErrorCode, status: Int32) throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        worker.expect(.connect)
        try worker.challenge()
        try worker.receive(.error(ErrorMessage(code: code, message: "no", isFatal: true)))
        worker.expect(.disconnect)
        guard case .exit(let reason) = worker.nextAction() else {
            throw Unexpected("an exit was expected")
        }
        #expect(reason.exitStatus == status)
        worker.expectNothingElse()
    }

    @Test("Tries a coordinator again that goes down", arguments: [true, false])
    func shuttingDown(saysBye: Bool) throws {
        var worker = try WorkerHarness.ready()
        try worker.receive(
            saysBye
                ? .bye(Bye(reason: "update"))
                : .error(ErrorMessage(code: .shuttingDown, message: "update", isFatal: true))
        )
        worker.expect(.disconnect)
        worker.expectNothingElse()
        try worker.waitForConnect()
        #expect(worker.now <= Instant(milliseconds: 100))
    }

    @Test("An error that is not fatal changes nothing")
    func complaint() throws {
        var worker = try WorkerHarness.ready()
        let error = ErrorMessage(code: .unknownType, message: "what?", isFatal: false)
        try worker.receive(.error(error))
        #expect(worker.notices.last == .complained(error))
        #expect(worker.machine.isReady)
        worker.expectNothingElse()
    }

    @Test("Pauses between attempts double up to five seconds and start over after a session")
    func backoff() throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        var pauses: [Duration] = []
        for _ in 0..<10 {
            worker.expect(.connect)
            try worker.send(.connectFailed(reason: "refused"))
            let before = worker.now
            try worker.waitForConnect()
            pauses.append(worker.now - before)
        }
        for (number, pause) in pauses.enumerated() {
            let whole = min(Duration.milliseconds(100) * (1 << number), .seconds(5))
            #expect(pause >= whole / 2 && pause <= whole)
        }
        try worker.connect()
        let before = worker.now
        try worker.reconnect()
        #expect(worker.now - before <= .milliseconds(100))
    }

    @Test("Sessions that fail repeatedly get longer and longer pauses")
    func faults() throws {
        var worker = try WorkerHarness.ready()
        var pauses: [Duration] = []
        for _ in 0..<8 {
            try worker.receive(
                .error(ErrorMessage(code: .badMessage, message: "what?", isFatal: true))
            )
            worker.expect(.disconnect)
            let before = worker.now
            try worker.waitForConnect()
            pauses.append(worker.now - before)
            try worker.connect()
        }
        #expect(pauses[0] <= .milliseconds(100))
        #expect(pauses[7] >= .milliseconds(2500))
    }

    @Test("After a loss the worker asks to resume its session")
    func resume() throws {
        var worker = try WorkerHarness.ready()
        try worker.reconnect()
        worker.expect(.connect)
        let resume = try worker.challenge()
        #expect(resume == Hello.Resume(session: "s1", epoch: 1))
    }

    @Test("A handshake has a time limit", arguments: [0, 1, 2])
    func handshakeTimeout(steps: Int) throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        worker.expect(.connect)
        switch steps {
        case 0:
            try worker.send(.connected(nonce: [UInt8](repeating: 1, count: 32)))
            _ = worker.nextAction()
        case 1: try worker.challenge()
        default: _ = try worker.shakeHands()
        }
        #expect(worker.machine.nextDeadline() == Instant(milliseconds: 5000))
        try worker.wait(.milliseconds(4999))
        worker.expectNothingElse()
        try worker.wait(.milliseconds(1))
        worker.expect(.disconnect)
        worker.expectNothingElse()
        try worker.waitForConnect()
    }

    @Test("Pings a silent coordinator after two heartbeats and leaves it after three")
    func silence() throws {
        var worker = try WorkerHarness.ready()
        try worker.wait(.milliseconds(3999))
        worker.expectNothingElse()
        try worker.wait(.milliseconds(1))
        worker.expect(sent: .ping(Ping(n: 1)))
        try worker.wait(.milliseconds(1999))
        worker.expectNothingElse()
        try worker.wait(.milliseconds(1))
        worker.expect(.disconnect)
        worker.expectNothingElse()
    }

    @Test("Any line renews the connection")
    func signOfLife() throws {
        var worker = try WorkerHarness.ready()
        for round in 1...3 {
            try worker.wait(.seconds(4))
            worker.expect(sent: .ping(Ping(n: round)))
            try worker.receive(.pong(Pong(n: round)))
        }
        worker.expectNothingElse()
    }

    @Test("A pong lists queued, running and unacknowledged attempts")
    func pong() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(0, 1, 2)
        worker.expectStart(0, 1)
        try worker.finish(1)
        worker.expectResult(1)
        worker.expectStart(2)
        try worker.dispatch(3)
        try worker.receive(.ping(Ping(n: 9)))
        worker.expect(
            sent: .pong(Pong(n: 9, inFlight: [0, 1, 2, 3].map { WorkerHarness.id($0) }))
        )
        worker.expectNothingElse()
    }

    @Test("A message that a coordinator may not send closes the connection")
    func forbidden() throws {
        for (message, code) in [
            (Message.started(Started(attempt: WorkerHarness.id(0))), ErrorCode.forbidden),
            (.welcome(try worker(of: WorkerHarness())), .notReady),
            (.registered(Registered()), .notReady),
        ] {
            var worker = try WorkerHarness.ready()
            try worker.receive(message)
            guard case .send(.error(let error)) = worker.nextAction() else {
                throw Unexpected("an error was expected")
            }
            #expect(error.code == code)
            #expect(error.isFatal)
            worker.expect(.disconnect)
            // Lines that arrived with it are ignored.
            try worker.dispatch(0)
            worker.expectNothingElse()
        }
    }

    private func worker(of harness: WorkerHarness) throws -> Welcome {
        guard case .welcome(let welcome) = harness.welcome else { throw Unexpected("welcome") }
        return welcome
    }

    @Test("A dispatch before the worker is registered closes the connection")
    func notReady() throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        worker.expect(.connect)
        _ = try worker.shakeHands()
        try worker.dispatch(0)
        guard case .send(.error(let error)) = worker.nextAction() else {
            throw Unexpected("an error was expected")
        }
        #expect(error.code == .notReady)
        worker.expect(.disconnect)
        worker.expectNothingElse()
    }

    @Test("Tolerates a hundred lines of unknown type")
    func unknownTypes() throws {
        var worker = try WorkerHarness.ready()
        let error = WireError(code: .unknownType, message: "No type is named x.")
        for _ in 0..<100 {
            try worker.send(.violated(error))
            worker.expect(
                sent: .error(
                    ErrorMessage(code: .unknownType, message: error.message, isFatal: false)
                )
            )
        }
        try worker.send(.violated(error))
        worker.expect(
            sent: .error(ErrorMessage(code: .unknownType, message: error.message, isFatal: true))
        )
        worker.expect(.disconnect)
        worker.expectNothingElse()
    }

    @Test("A line that is not a message closes the connection")
    func badLine() throws {
        var worker = try WorkerHarness.ready()
        let error = WireError(code: .badJSON, message: "No JSON.")
        try worker.send(.violated(error))
        worker.expect(
            sent: .error(ErrorMessage(code: .badJSON, message: error.message, isFatal: true))
        )
        worker.expect(.disconnect)
        worker.expectNothingElse()
        #expect(worker.notices.contains(.violated(error)))
    }

    @Test("A worker without a coordinator gives up only if it is told to")
    func exitAfter() throws {
        var worker = try WorkerHarness.ready(exitAfter: .seconds(60))
        try worker.wait(.seconds(1))
        try worker.send(.disconnected(reason: nil))
        let lost = worker.now
        while worker.actions.last != .exit(.noCoordinator) {
            if worker.actions.last == .connect {
                try worker.send(.connectFailed(reason: "refused"))
            }
            let deadline = try #require(worker.machine.nextDeadline())
            try worker.wait(deadline - worker.now)
        }
        #expect(worker.now - lost == .seconds(60))
    }

    @Test("Tools whose descriptions do not fit into a line end the worker")
    func unannounceable() throws {
        var limits = Limits()
        limits.maxLine = 4096
        var worker = WorkerHarness(
            tools: [
                ToolDescription(
                    name: "big",
                    description: String(repeating: "x", count: 4000)
                )
            ],
            limits: limits
        )
        try worker.send(.startRequested)
        worker.expect(.connect)
        try worker.challenge()
        try worker.receive(worker.welcome)
        guard case .send(.bye) = worker.nextAction() else { throw Unexpected("bye was expected") }
        worker.expect(.disconnect)
        guard case .exit(.unannounceable) = worker.nextAction() else {
            throw Unexpected("an exit was expected")
        }
    }
}
