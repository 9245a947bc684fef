// Groups that grow while nodes wait, and shrink when workers have nothing to do.
import Core
import Testing

@testable import LaunchCore

@Suite("Elastic groups")
struct ElasticGroupTests {
    private static func id(_ number: Int, group: Int = 0) -> MemberID {
        MemberID(group: group, number: number)
    }

    private static func elastic(_ range: ClosedRange<Int>) -> ElasticSettings {
        ElasticSettings(range: range, scaleAfter: .seconds(30))
    }

    @Test("Nodes that have waited long enough bring as many workers as their slots need")
    func grows() {
        var launch = LaunchHarness.running(1, elastic: Self.elastic(1...4), slots: 2)
        launch.wait(.seconds(60))
        launch.see(3, waiting: .seconds(29))
        launch.expectNothingElse()
        launch.see(3, waiting: .seconds(30))
        launch.expectStart(2)
        launch.expectStart(3)
        #expect(launch.notices == [.scaled(group: 0, count: 3, isByDemand: true)])
    }

    @Test("Each node counts by its own wait, not by how long any node has waited")
    func ownWait() {
        var launch = LaunchHarness.running(1, elastic: Self.elastic(1...9))
        launch.wait(.seconds(60))
        launch.send(
            .demandSeen([
                WaitingNodes(groups: [0], wait: .seconds(1), count: 8),
                WaitingNodes(groups: [0], wait: .seconds(31), count: 1),
            ])
        )
        launch.expectStart(2)
        launch.expectNothingElse()
    }

    @Test("Workers on their way take as many nodes as they have slots; the rest brings more")
    func coming() {
        var launch = LaunchHarness.running(1, elastic: Self.elastic(1...4), slots: 2)
        launch.wait(.seconds(60))
        launch.see(2, waiting: .seconds(30))
        launch.expectStart(2)
        launch.send(.memberPending(Self.id(2), reason: "Resources"))
        launch.see(2, waiting: .seconds(90))
        launch.expectNothingElse()
        launch.see(3, waiting: .seconds(90))
        launch.expectStart(3)
        launch.see(300, waiting: .seconds(90))
        launch.expectStart(4)
        launch.see(300, waiting: .seconds(90))
        launch.expectNothingElse()
    }

    @Test("A worker that has just come may have taken what was counted before")
    func justCome() {
        var launch = LaunchHarness.running(1, elastic: Self.elastic(1...4))
        launch.wait(.seconds(60))
        launch.see(1, waiting: .seconds(30))
        launch.expectStart(2)
        launch.send(.memberReady(Self.id(2)))
        launch.see(1, waiting: .seconds(32))
        launch.expectNothingElse()
        launch.wait(.seconds(3))
        launch.see(1, waiting: .seconds(35))
        launch.expectStart(3)
    }

    @Test("How many slots a worker has is learned from the first that tells")
    func toldSlots() {
        var launch = LaunchHarness.running(1, elastic: Self.elastic(1...9))
        launch.send(.memberReady(Self.id(1), slots: 8))
        launch.wait(.seconds(60))
        launch.see(17, waiting: .seconds(30))
        for number in 2...4 { launch.expectStart(number) }
        launch.expectNothingElse()
    }

    @Test("A worker that pauses after a failure is not on its way")
    func pausing() {
        var launch = LaunchHarness.running(2, elastic: Self.elastic(1...4))
        launch.wait(.seconds(60))
        launch.end(2, status: 1)
        launch.see(1, waiting: .seconds(30))
        launch.expectStart(3)
    }

    @Test("Nodes that several groups could run bring workers once, to the first with room")
    func severalGroups() {
        var launch = LaunchHarness([
            GroupSettings(name: "a", sites: [0], count: 0, elastic: Self.elastic(0...2)),
            GroupSettings(name: "b", sites: [0], count: 0, elastic: Self.elastic(0...5)),
        ])
        launch.send(.startRequested)
        launch.see(3, waiting: .seconds(30), for: [0, 1])
        #expect(
            launch.notices == [
                .scaled(group: 0, count: 2, isByDemand: true),
                .scaled(group: 1, count: 1, isByDemand: true),
            ]
        )
        launch.see(3, waiting: .seconds(30), for: [0, 1])
        #expect(launch.notices.count == 2)
    }

    @Test("Workers of a group that does not grow count, too, while they are on their way")
    func fixedGroup() {
        var launch = LaunchHarness([
            GroupSettings(name: "a", sites: [0], count: 0, elastic: Self.elastic(0...2)),
            GroupSettings(name: "b", sites: [0], count: 2, slots: 4),
        ])
        launch.send(.startRequested)
        launch.see(8, waiting: .seconds(30), for: [0, 1])
        #expect(launch.notices.isEmpty)
        launch.see(9, waiting: .seconds(30), for: [0, 1])
        #expect(launch.notices == [.scaled(group: 0, count: 1, isByDemand: true)])
    }

    @Test("A size beyond the least and the most becomes the nearest that is allowed")
    func scaleIsClamped() {
        var launch = LaunchHarness.running(1, elastic: Self.elastic(1...2))
        launch.send(.scaleRequested(group: 0, count: 9))
        launch.expectStart(2)
        launch.send(.scaleRequested(group: 0, count: 0))
        launch.expect(.drain(Self.id(2)))
        launch.expectNothingElse()
        #expect(
            launch.notices == [
                .scaled(group: 0, count: 2, isByDemand: false),
                .scaled(group: 0, count: 1, isByDemand: false),
            ]
        )
    }

    @Test(
        "While an elastic group can still grow, failures of all other workers do not end the launch"
    )
    func hope() {
        var launch = LaunchHarness(
            [
                GroupSettings(name: "a", sites: [0], count: 1),
                GroupSettings(name: "b", sites: [1], count: 0, elastic: Self.elastic(0...1)),
            ],
            sites: 2
        )
        launch.send(.startRequested)
        launch.expect(.prepare(0))
        launch.send(.siteFailed(0, reason: "no", isFinal: true))
        launch.expectNothingElse()
        launch.see(1, waiting: .seconds(30), for: [1])
        launch.expect(.prepare(1))
        launch.send(.siteFailed(1, reason: "no", isFinal: true))
        launch.expect(.finish(.failed))
    }

    @Test("Idle workers leave, but the least number stays; without any the launch goes on")
    func shrinks() {
        var launch = LaunchHarness.running(2, elastic: Self.elastic(1...4))
        launch.end(2, status: 0)
        launch.expectNothingElse()
        launch.end(1, status: 0)
        launch.expectStart(1)
        var empty = LaunchHarness.running(1, elastic: Self.elastic(0...4))
        empty.end(1, status: 0)
        empty.expectNothingElse()
        #expect(!empty.machine.hasEnded)
    }
}
