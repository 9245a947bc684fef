// Tools that cannot be started: which attempts are kept or handed back, and which tools are
// offered.
import Core
import JSON
import Testing
import Wire

@testable import WorkerCore

@Suite("Tools that cannot be started")
struct StallTests {
    private static let two = [
        ToolDescription(name: "echo", description: ""),
        ToolDescription(name: "other", description: ""),
    ]

    private func problem(
        isShortage: Bool,
        _ arguments: RawJSON = .emptyObject
    ) -> WorkerMachine.StartProblem {
        WorkerMachine.StartProblem(
            failure: Failure(code: .spawnFailed, message: "too many open files", isRetryable: true),
            isShortage: isShortage,
            arguments: arguments
        )
    }

    /// The attempts that are started among the actions so far, which are forgotten.
    private func starts(_ worker: inout WorkerHarness) -> [AttemptID] {
        defer { worker.actions.removeAll() }
        return worker.actions.compactMap {
            if case .startAttempt(let start) = $0 { start.attempt } else { nil }
        }
    }

    private func results(_ worker: WorkerHarness) -> [ResultMessage] {
        worker.actions.compactMap {
            if case .send(.result(let result)) = $0 { result } else { nil }
        }
    }

    @Test("Hands back an attempt at once that cannot start for a reason other than a shortage")
    func handedBack() throws {
        var worker = try WorkerHarness.ready()
        try worker.dispatch(1)
        #expect(starts(&worker) == [WorkerHarness.id(1)])
        try worker.send(.attemptNotStarted(WorkerHarness.id(1), problem(isShortage: false)))
        try worker.endTurn()
        let result = try #require(results(worker).first)
        guard case .failure(let failure) = result.outcome else { throw Unexpected("a failure") }
        #expect(failure.code == .spawnFailed)
        // It never began, so its start is not reported.
        #expect(worker.actions.count == 1)
    }

    @Test("A shortage keeps the attempt queued, with its arguments, and it is tried again")
    func shortage() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        let arguments = RawJSON(trusted: Array(#"{"n":1}"#.utf8)[...])
        try worker.receive(WorkerHarness.dispatch(1, arguments: .inline(arguments)))
        #expect(starts(&worker) == [WorkerHarness.id(1)])
        try worker.send(
            .attemptNotStarted(WorkerHarness.id(1), problem(isShortage: true, arguments))
        )
        try worker.endTurn()
        #expect(worker.actions.isEmpty)
        #expect(worker.machine.counts.queued == 1)
        try worker.wait(.milliseconds(50))
        guard case .startAttempt(let start) = worker.nextAction() else {
            throw Unexpected("a start")
        }
        #expect(start.arguments == arguments)
        try worker.endTurn()
        worker.expect(.send(.started(Started(attempt: WorkerHarness.id(1)))))
    }

    @Test("The end of an attempt ends the wait; older attempts come first")
    func endOfAnAttempt() throws {
        var worker = try WorkerHarness.ready(slots: 3)
        try worker.dispatch(1, 2, 3, 4)
        #expect(starts(&worker) == [1, 2, 3].map { WorkerHarness.id($0) })
        for node in [2, 3] {
            try worker.send(.attemptNotStarted(WorkerHarness.id(node), problem(isShortage: true)))
        }
        try worker.endTurn()
        _ = starts(&worker)
        try worker.send(
            .attemptFinished(
                WorkerHarness.id(1),
                .success(.null),
                isTruncated: false,
                microseconds: 1
            )
        )
        #expect(starts(&worker) == [2, 3, 4].map { WorkerHarness.id($0) })
    }

    @Test("Other tools continue while one cannot be started")
    func otherTools() throws {
        var worker = try WorkerHarness.ready(slots: 2, tools: Self.two)
        try worker.dispatch(1)
        _ = starts(&worker)
        try worker.send(.attemptNotStarted(WorkerHarness.id(1), problem(isShortage: true)))
        try worker.dispatch(2)
        #expect(starts(&worker) == [])
        try worker.dispatch(3, tool: "other")
        #expect(starts(&worker) == [WorkerHarness.id(3)])
    }

    /// The attempts that were handed back for a shortage among the actions so far.
    private func handedBack(_ worker: WorkerHarness) -> [AttemptID] {
        worker.actions.compactMap {
            guard case .send(.reject(let reject)) = $0, reject.isShortage else { return nil }
            #expect(reject.code == .busy)
            #expect(reject.message == "too many open files")
            return reject.attempt
        }
    }

    /// Fails each start until attempts are handed back; returns the time, and which ones.
    private func failStarts(
        _ worker: inout WorkerHarness
    ) throws -> (after: Duration, [AttemptID]) {
        let begin = worker.now
        while worker.now - begin < .seconds(5) {
            for id in starts(&worker) where id != WorkerHarness.id(100) {
                try worker.send(.attemptNotStarted(id, problem(isShortage: true)))
            }
            try worker.endTurn()
            let found = handedBack(worker)
            if !found.isEmpty { return (worker.now - begin, found) }
            worker.now = worker.now + .milliseconds(10)
            try worker.send(.deadlineReached)
        }
        return (.seconds(5), [])
    }

    @Test("A shortage that lasts hands back all attempts of the tool within a second")
    func patience() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(1, 2, 3)
        let (time, ids) = try failStarts(&worker)
        #expect(time >= .milliseconds(700) && time <= .seconds(1))
        #expect(Set(ids) == Set([1, 2, 3].map { WorkerHarness.id($0) }))
        #expect(results(worker).isEmpty)
        #expect(worker.machine.counts.queued == 0)
        // A trial that fails is handed back at once; waiting attempts are no reason to keep it.
        worker.actions.removeAll()
        try worker.dispatch(4)
        #expect(try failStarts(&worker) == (.zero, [WorkerHarness.id(4)]))
        // After one that starts, the worker waits for a while again.
        worker.actions.removeAll()
        try worker.dispatch(5, 6)
        _ = starts(&worker)
        try worker.endTurn()
        worker.actions.removeAll()
        try worker.send(
            .attemptFinished(
                WorkerHarness.id(5),
                .success(.null),
                isTruncated: false,
                microseconds: 1
            )
        )
        try worker.dispatch(7)
        _ = starts(&worker)
        try worker.send(.attemptNotStarted(WorkerHarness.id(7), problem(isShortage: true)))
        try worker.endTurn()
        #expect(handedBack(worker).isEmpty)
    }

    @Test("Hands attempts back although other tools run, which continue")
    func whileOthersRun() throws {
        var worker = try WorkerHarness.ready(slots: 3, tools: Self.two)
        try worker.dispatch(100, tool: "other")
        try worker.dispatch(2)
        try worker.endTurn()
        let (time, ids) = try failStarts(&worker)
        #expect(time <= .seconds(1))
        #expect(ids == [WorkerHarness.id(2)])
        #expect(worker.machine.counts.running == 1)
    }

    @Test("Without a session attempts wait, and are handed back in the next one")
    func withoutSession() throws {
        var worker = try WorkerHarness.ready(slots: 1)
        try worker.dispatch(1)
        _ = starts(&worker)
        try worker.send(.disconnected(reason: "gone"))
        worker.now = worker.now + .seconds(2)
        try worker.send(.attemptNotStarted(WorkerHarness.id(1), problem(isShortage: true)))
        try worker.endTurn()
        #expect(handedBack(worker).isEmpty)
        #expect(worker.machine.counts.queued == 1)
    }

    @Test("An attempt that waits for a shortage to end can be recalled and cancelled")
    func recalled() throws {
        var worker = try WorkerHarness.ready(slots: 2)
        try worker.dispatch(1, 2)
        _ = starts(&worker)
        for node in [1, 2] {
            try worker.send(.attemptNotStarted(WorkerHarness.id(node), problem(isShortage: true)))
        }
        try worker.endTurn()
        try worker.receive(
            .cancel(
                Cancel(
                    attempt: WorkerHarness.id(1),
                    reason: Cancel.recalled,
                    graceMilliseconds: 1
                )
            )
        )
        worker.expect(
            .send(.reject(Reject(attempt: WorkerHarness.id(1), code: .recalled, message: nil)))
        )
        try worker.receive(
            .cancel(
                Cancel(
                    attempt: WorkerHarness.id(2),
                    reason: Cancel.cancelled,
                    graceMilliseconds: 1
                )
            )
        )
        #expect(results(worker).count == 1)
        #expect(worker.machine.counts.queued == 0)
    }

    @Test("Tools that cannot run are not offered until they can")
    func offers() throws {
        var worker = WorkerHarness(tools: Self.two, hasChangingTools: true)
        try worker.send(.startRequested)
        worker.expect(.checkTools)
        let gone = WithheldTool(name: "echo", reason: "the program echo is not there")
        try worker.send(.toolsChecked([gone]))
        worker.expect(.connect)
        let register = try worker.shakeHands()
        #expect(register.tools.map(\.name) == ["other"])
        #expect(register.withheld == [gone])
        try worker.receive(.registered(Registered()))
        try worker.endTurn()
        try worker.receive(.ping(Ping(n: 1)))
        worker.actions.removeAll()
        try worker.wait(.seconds(3))
        worker.expect(.checkTools)
        try worker.send(.toolsChecked([]))
        worker.expect(.send(.offer(Offer(slots: 1, tools: Self.two))))
        // After a refusal it checks at once.
        try worker.dispatch(1)
        _ = starts(&worker)
        try worker.send(.attemptNotStarted(WorkerHarness.id(1), problem(isShortage: false)))
        try worker.endTurn()
        worker.actions.removeAll()
        try worker.wait(.milliseconds(500))
        worker.expect(.checkTools)
        try worker.send(.toolsChecked([gone]))
        worker.expect(
            .send(.offer(Offer(slots: 1, tools: [Self.two[1]], withheld: [gone])))
        )
    }

    @Test("A worker replaces another one when it is told to, and only the first time")
    func replaces() throws {
        var worker = WorkerHarness(replaces: true)
        try worker.send(.startRequested)
        worker.expect(.connect)
        #expect(try worker.shakeHands().isReplacing)
        try worker.receive(.registered(Registered()))
        try worker.endTurn()
        try worker.reconnect()
        worker.actions.removeAll()
        #expect(try !worker.shakeHands().isReplacing)
    }

    @Test("A worker whose name is taken ends with a sentence that says what to do")
    func nameTaken() throws {
        var worker = WorkerHarness()
        try worker.send(.startRequested)
        worker.expect(.connect)
        _ = try worker.shakeHands()
        try worker.receive(
            .error(
                ErrorMessage(
                    code: .duplicateName,
                    message: "A worker named w-1 is connected already.",
                    isFatal: true
                )
            )
        )
        worker.expect(.disconnect)
        guard case .exit(let reason) = worker.nextAction() else { throw Unexpected("an exit") }
        #expect(
            reason.description == "A worker named w-1 is connected already. Give this one another"
                + " name, or let it replace that one (--replace)."
        )
    }
}
