// A launch's machine between scripted sites and scripted workers. Unexpected actions fail the test.
import Core
import Testing

@testable import LaunchCore

struct LaunchHarness {
    var machine: LaunchMachine
    var now = Instant.zero
    /// Actions that no test has checked yet, without reports.
    var actions: [LaunchMachine.Action] = []
    var notices: [LaunchMachine.Notice] = []

    init(
        _ groups: [GroupSettings],
        sites: Int = 1,
        drainLimit: Duration? = .seconds(60)
    ) {
        machine = LaunchMachine(
            LaunchSettings(groups: groups, siteCount: sites, drainLimit: drainLimit)
        )
    }

    /// One group at one site, everything running.
    static func running(
        _ count: Int,
        elastic: ElasticSettings? = nil,
        slots: Int = 1,
        drainLimit: Duration? = .seconds(60)
    ) -> LaunchHarness {
        var launch = LaunchHarness(
            [
                GroupSettings(
                    name: "local",
                    sites: [0],
                    count: count,
                    slots: slots,
                    elastic: elastic
                )
            ],
            drainLimit: drainLimit
        )
        launch.send(.startRequested)
        if count > 0 {
            launch.expect(.prepare(0))
            launch.send(.sitePrepared(0))
        }
        for number in 1..<(count + 1) {
            launch.expect(.start(.init(group: 0, number: number), site: 0, isAgain: false))
            launch.send(.memberReady(.init(group: 0, number: number)))
        }
        launch.expectNothingElse()
        return launch
    }

    mutating func send(_ event: LaunchMachine.Event) {
        var made: [LaunchMachine.Action] = []
        machine.handle(event, at: now, into: &made)
        #expect(machine.flaw() == nil)
        // A deadline that has passed and changes nothing would keep the loop busy.
        if case .deadlineReached = event {
            #expect(machine.nextDeadline().map { $0 > now } ?? true)
        }
        for action in made {
            if case .report(let notice) = action {
                notices.append(notice)
            } else {
                actions.append(action)
            }
        }
    }

    mutating func wait(_ duration: Duration) {
        now = now + duration
        send(.deadlineReached)
    }

    /// Nodes wait that the group, or all these groups, could run.
    mutating func see(_ count: Int, waiting wait: Duration, for groups: [Int] = [0]) {
        send(.demandSeen([WaitingNodes(groups: groups, wait: wait, count: count)]))
    }

    mutating func end(_ number: Int, group: Int = 0, status: Int, _ reason: String = "why") {
        send(
            .memberEnded(
                MemberID(group: group, number: number),
                MemberEnd(status: status, reason: reason)
            )
        )
    }

    mutating func expect(
        _ action: LaunchMachine.Action,
        at location: SourceLocation = #_sourceLocation
    ) {
        let next = actions.isEmpty ? nil : actions.removeFirst()
        #expect(next == action, sourceLocation: location)
    }

    mutating func expectStart(
        _ number: Int,
        group: Int = 0,
        site: Int = 0,
        isAgain: Bool = false,
        at location: SourceLocation = #_sourceLocation
    ) {
        let id = MemberID(group: group, number: number)
        expect(.start(id, site: site, isAgain: isAgain), at: location)
    }

    func expectNothingElse(at location: SourceLocation = #_sourceLocation) {
        #expect(actions.isEmpty, sourceLocation: location)
    }

    /// The states of all workers, in order.
    var states: [MemberState] { machine.statuses.map(\.state) }
}
