// Starting, trying again, scaling, and ending of a launch.
import Core
import Testing

@testable import LaunchCore

@Suite("Launch")
struct LaunchMachineTests {
    private static func id(_ number: Int) -> MemberID { MemberID(group: 0, number: number) }

    // MARK: - Starting

    @Test("Sites are prepared at once; workers start where their site is ready, in turn")
    func start() {
        var launch = LaunchHarness(
            [GroupSettings(name: "ssh", sites: [0, 1], count: 3)],
            sites: 2
        )
        launch.send(.startRequested)
        launch.expect(.prepare(0))
        launch.expect(.prepare(1))
        launch.expectNothingElse()
        launch.send(.siteAdvanced(1, "copies the program"))
        #expect(launch.machine.statuses[1].note == "copies the program")
        #expect(launch.states == [.copying, .copying, .copying])
        launch.send(.sitePrepared(1))
        launch.expectStart(2, site: 1)
        launch.expectNothingElse()
        launch.send(.sitePrepared(0))
        launch.expectStart(1)
        launch.expectStart(3)
        launch.send(.memberReady(Self.id(2)))
        #expect(launch.states == [.starting, .running, .starting])
    }

    @Test("A site that fails for good fails its workers; those of other sites run")
    func siteFailsForGood() {
        var launch = LaunchHarness(
            [GroupSettings(name: "ssh", sites: [0, 1], count: 2)],
            sites: 2
        )
        launch.send(.startRequested)
        launch.actions = []
        launch.send(.siteFailed(0, reason: "Permission denied", isFinal: true))
        #expect(
            launch.notices == [.siteFailed(0, reason: "Permission denied", retryIn: nil)]
        )
        launch.send(.sitePrepared(1))
        launch.expectStart(2, site: 1)
        launch.send(.memberReady(Self.id(2)))
        #expect(launch.states == [.failed, .running])
        #expect(launch.machine.statuses[0].note == "Permission denied")
        #expect(launch.machine.nextDeadline() == nil)
    }

    @Test("A site that never worked is tried five times, with longer and longer pauses")
    func siteTries() throws {
        var launch = LaunchHarness([GroupSettings(name: "ssh", sites: [0], count: 1)])
        launch.send(.startRequested)
        var pauses: [Duration] = []
        for _ in 1..<5 {
            launch.expect(.prepare(0))
            launch.send(.siteFailed(0, reason: "timed out", isFinal: false))
            launch.expectNothingElse()
            let pause = try #require(launch.machine.nextDeadline()) - launch.now
            pauses.append(pause)
            launch.wait(pause - .milliseconds(1))
            launch.expectNothingElse()
            launch.wait(.milliseconds(1))
        }
        #expect(pauses == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        launch.expect(.prepare(0))
        launch.send(.siteFailed(0, reason: "timed out", isFinal: false))
        // It was the only one.
        launch.expect(.finish(.failed))
        #expect(launch.states == [.failed])
    }

    @Test("A host that is lost comes back, however long it takes, and its workers with it")
    func siteIsLost() throws {
        var launch = LaunchHarness.running(1)
        launch.send(.siteFailed(0, reason: "lost", isFinal: false))
        launch.end(1, status: 255)
        for _ in 0..<20 {
            let deadline = try #require(launch.machine.nextDeadline())
            launch.wait(deadline - launch.now)
            launch.expect(.prepare(0))
            launch.send(.siteFailed(0, reason: "lost", isFinal: false))
        }
        let pause = try #require(launch.machine.nextDeadline()) - launch.now
        #expect(pause == .seconds(60))
        launch.wait(pause)
        launch.expect(.prepare(0))
        launch.send(.sitePrepared(0))
        launch.expectStart(1, isAgain: true)
        launch.expectNothingElse()
    }

    // MARK: - Ends of workers

    @Test("A worker that fails is started again after a pause, and as itself")
    func restart() {
        var launch = LaunchHarness.running(2)
        launch.end(2, status: 1, "killed")
        #expect(
            launch.notices == [.memberFailed(Self.id(2), reason: "killed", retryIn: .seconds(1))]
        )
        #expect(launch.states == [.running, .waiting])
        launch.wait(.milliseconds(999))
        launch.expectNothingElse()
        launch.wait(.milliseconds(1))
        launch.expectStart(2, isAgain: true)
    }

    @Test("A worker that ran for a while begins with a short pause again")
    func recovery() {
        var launch = LaunchHarness.running(1)
        for _ in 0..<3 {
            launch.end(1, status: 1)
            launch.wait(.seconds(60))
            launch.expectStart(1, isAgain: true)
        }
        launch.send(.memberReady(Self.id(1)))
        launch.wait(.seconds(30))
        launch.end(1, status: 1)
        #expect(
            launch.notices.last == .memberFailed(Self.id(1), reason: "why", retryIn: .seconds(1))
        )
    }

    @Test("A worker that never was ready does not take its name over from another one")
    func nameOfAnother() {
        var launch = LaunchHarness([GroupSettings(name: "local", sites: [0], count: 1)])
        launch.send(.startRequested)
        launch.expect(.prepare(0))
        launch.send(.sitePrepared(0))
        for pause in [1, 2, 4, 8] {
            launch.expectStart(1, isAgain: false)
            launch.end(1, status: 4, "the name is taken")
            launch.wait(.seconds(pause))
        }
        launch.expectStart(1, isAgain: false)
        launch.end(1, status: 4, "the name is taken")
        launch.expect(.release(0))
        launch.send(.siteReleased(0))
        launch.expect(.finish(.failed))
    }

    @Test("A wrong command line or manifest is not tried again")
    func usage() {
        var launch = LaunchHarness([GroupSettings(name: "local", sites: [0], count: 1)])
        launch.send(.startRequested)
        launch.expect(.prepare(0))
        launch.send(.sitePrepared(0))
        launch.expectStart(1)
        launch.end(1, status: 2, "tools.yaml: no such file")
        launch.expect(.release(0))
        launch.send(.siteReleased(0))
        launch.expect(.finish(.failed))
        #expect(launch.machine.statuses[0].note == "tools.yaml: no such file")
    }

    @Test("A worker that a signal from elsewhere made drain is started again, unless it was to end")
    func signalled() {
        var launch = LaunchHarness.running(2)
        let end = MemberEnd(status: 0, reason: "a signal", wasSignalled: true)
        launch.send(.memberEnded(Self.id(1), end))
        #expect(
            launch.notices == [
                .memberFailed(Self.id(1), reason: "a signal", retryIn: .seconds(1))
            ]
        )
        launch.wait(.seconds(1))
        launch.expectStart(1, isAgain: true)
        launch.send(.scaleRequested(group: 0, count: 1))
        launch.expect(.drain(Self.id(1)))
        launch.send(.memberEnded(Self.id(1), end))
        launch.expectNothingElse()
        #expect(launch.states == [.ended, .running])
    }

    @Test("A worker that drains by itself is not started again; without any the launch ends")
    func leaves() {
        var launch = LaunchHarness.running(2)
        launch.end(1, status: 0)
        #expect(launch.notices == [.memberLeft(Self.id(1))])
        #expect(launch.states == [.ended, .running])
        launch.expectNothingElse()
        launch.end(2, status: 0)
        launch.expect(.release(0))
        launch.send(.siteReleased(0))
        launch.expect(.finish(.deserted))
    }

    @Test("A worker that loses its coordinator starts, until it has one again")
    func unconnected() {
        var launch = LaunchHarness.running(1)
        launch.send(.memberUnconnected(Self.id(1), reason: "connection lost"))
        #expect(launch.states == [.starting])
        #expect(launch.machine.statuses[0].note == "connection lost")
        launch.send(.memberReady(Self.id(1)))
        #expect(launch.states == [.running])
    }

    // MARK: - Scaling

    @Test("A group grows with the lowest free numbers, and shrinks by what works least")
    func scale() {
        var launch = LaunchHarness.running(2)
        launch.send(.scaleRequested(group: 0, count: 4))
        launch.expectStart(3)
        launch.expectStart(4)
        launch.send(.memberReady(Self.id(4)))
        launch.send(.scaleRequested(group: 0, count: 2))
        // The third has not begun yet; of the others the last goes.
        launch.expect(.drain(Self.id(3)))
        launch.expect(.drain(Self.id(4)))
        launch.expectNothingElse()
        #expect(launch.machine.count(of: 0) == 2)
        launch.end(3, status: 0)
        launch.send(.scaleRequested(group: 0, count: 3))
        launch.expectStart(3)
        launch.end(4, status: 0)
        #expect(launch.states == [.running, .running, .starting, .ended])
        // What drains because a group shrinks may take its time.
        #expect(launch.machine.nextDeadline() == nil)
    }

    @Test("A group of none waits for orders")
    func scaleToNothing() {
        var launch = LaunchHarness.running(1)
        launch.send(.scaleRequested(group: 0, count: 0))
        launch.expect(.drain(Self.id(1)))
        launch.end(1, status: 0)
        launch.expectNothingElse()
        #expect(!launch.machine.hasEnded)
        launch.send(.scaleRequested(group: 0, count: 1))
        launch.expectStart(1)
    }

    @Test("Scaling tries again what has failed")
    func scaleAfterFailure() {
        var launch = LaunchHarness(
            [GroupSettings(name: "ssh", sites: [0, 1], count: 2)],
            sites: 2
        )
        launch.send(.startRequested)
        launch.actions = []
        launch.send(.sitePrepared(1))
        launch.expectStart(2, site: 1)
        launch.send(.siteFailed(0, reason: "no", isFinal: true))
        launch.send(.scaleRequested(group: 0, count: 2))
        launch.expect(.prepare(0))
        launch.expectNothingElse()
        #expect(launch.states == [.copying, .starting])
    }

    // MARK: - The end

    @Test("Everything drains, then the sites are cleaned, then the launch ends")
    func down() {
        var launch = LaunchHarness.running(2)
        launch.send(.downRequested(isUrgent: false))
        launch.expect(.drain(Self.id(1)))
        launch.expect(.drain(Self.id(2)))
        launch.end(1, status: 0)
        launch.expectNothingElse()
        launch.end(2, status: 0)
        launch.expect(.release(0))
        launch.expectNothingElse()
        launch.send(.siteReleased(0))
        launch.expect(.finish(.down))
        launch.expectNothingElse()
        launch.send(.downRequested(isUrgent: true))
        launch.expectNothingElse()
    }

    @Test("A drain that takes too long is stopped, then killed")
    func drainLimit() {
        var launch = LaunchHarness.running(1)
        launch.send(.downRequested(isUrgent: false))
        launch.expect(.drain(Self.id(1)))
        launch.wait(.seconds(59))
        launch.expectNothingElse()
        launch.wait(.seconds(1))
        launch.expect(.stop(Self.id(1)))
        #expect(launch.notices == [.drainTooLong(Self.id(1))])
        launch.wait(.seconds(15))
        launch.expect(.kill(Self.id(1)))
        launch.end(1, status: 137)
        launch.expect(.release(0))
        launch.send(.siteReleased(0))
        launch.expect(.finish(.stopped))
    }

    @Test("An urgent end stops at once, also while everything drains")
    func urgent() {
        var launch = LaunchHarness.running(2)
        launch.send(.downRequested(isUrgent: false))
        launch.actions = []
        launch.send(.downRequested(isUrgent: true))
        launch.expect(.stop(Self.id(1)))
        launch.expect(.stop(Self.id(2)))
        launch.end(1, status: 130)
        launch.end(2, status: 130)
        launch.expect(.release(0))
        launch.send(.siteReleased(0))
        launch.expect(.finish(.stopped))
    }

    @Test("An end while sites are prepared releases them; late answers have no effect")
    func downWhilePreparing() {
        var launch = LaunchHarness(
            [GroupSettings(name: "ssh", sites: [0, 1], count: 2)],
            sites: 2
        )
        launch.send(.startRequested)
        launch.actions = []
        launch.send(.downRequested(isUrgent: false))
        launch.expect(.release(0))
        launch.expect(.release(1))
        launch.send(.sitePrepared(0))
        launch.send(.siteFailed(1, reason: "stopped", isFinal: false))
        launch.expectNothingElse()
        launch.send(.siteReleased(0))
        launch.expect(.finish(.down))
    }

    @Test("A site for which no worker waits any more is not tried again, and costs no time")
    func siteWithoutWorkers() {
        var launch = LaunchHarness(
            [GroupSettings(name: "ssh", sites: [0, 1], count: 2)],
            sites: 2
        )
        launch.send(.startRequested)
        launch.expect(.prepare(0))
        launch.expect(.prepare(1))
        launch.send(.sitePrepared(0))
        launch.expect(.start(.init(group: 0, number: 1), site: 0, isAgain: false))
        launch.send(.siteFailed(1, reason: "no route", isFinal: false))
        #expect(launch.machine.nextDeadline() != nil)
        launch.send(.scaleRequested(group: 0, count: 1))
        #expect(launch.machine.nextDeadline() == nil)
        launch.now = launch.now + .seconds(120)
        launch.send(.deadlineReached)
        launch.expectNothingElse()
    }
}
