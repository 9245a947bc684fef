// Which events are new to a follower when it goes on with a run on another connection.
import Core
import Testing
import Wire

@testable import Weftline

private let run = known(RunID("r1"))

private func event(
    _ kind: EventKind,
    _ sequence: Int,
    node: String? = nil,
    attempt: Int? = nil
) -> EventMessage {
    EventMessage(
        run: run,
        sequence: sequence,
        kind: kind,
        node: node.flatMap { NodeID($0) },
        attempt: attempt,
        atMicroseconds: 1
    )
}

/// The events in a reference, because a macro cannot change a value.
private final class Seen {
    private var events = SeenEvents()

    var next: Int? { events.next }

    func resume() { events.resume() }
    func add(_ event: EventMessage) -> Bool { events.addEvent(event) }
}

@Suite("Seen events")
struct SeenEventsTests {
    @Test("It goes on with the last event that has a number of its own, and drops that one")
    func number() {
        let seen = Seen()
        #expect(seen.next == nil)
        #expect(SeenEvents(from: 3).next == 3)
        _ = seen.add(event(.planned, 0))
        _ = seen.add(event(.retrying, 4, node: "a", attempt: 1))
        // A late watcher gets a snapshot before events with lower numbers.
        _ = seen.add(event(.snapshot, 9))
        _ = seen.add(event(.progress, 9))
        #expect(seen.next == 4)
        seen.resume()
        #expect(!seen.add(event(.retrying, 4, node: "a", attempt: 1)))
        #expect(seen.add(event(.unplaceable, 4, node: "b")))
        #expect(seen.add(event(.retrying, 5, node: "a", attempt: 2)))
        #expect(seen.add(event(.snapshot, 5)))
    }

    @Test("What a restart tells again is dropped: ends of nodes, and attempts that a worker has")
    func toldAgain() {
        let seen = Seen()
        _ = seen.add(event(.nodeSucceeded, 1, node: "a", attempt: 1))
        _ = seen.add(event(.dispatched, 2, node: "b", attempt: 1))
        _ = seen.add(event(.dispatched, 3, node: "c", attempt: 1))
        _ = seen.add(event(.started, 4, node: "c", attempt: 1))
        seen.resume()
        #expect(!seen.add(event(.nodeSucceeded, 100, node: "a", attempt: 1)))
        #expect(!seen.add(event(.dispatched, 100, node: "b", attempt: 1)))
        #expect(!seen.add(event(.started, 100, node: "c", attempt: 1)))
        #expect(seen.add(event(.started, 101, node: "b", attempt: 1)))
        #expect(seen.add(event(.dispatched, 102, node: "c", attempt: 7)))
        #expect(seen.add(event(.nodeFailed, 103, node: "c", attempt: 7)))
        #expect(!seen.add(event(.chunk, 104, node: "c", attempt: 7)))
        #expect(seen.add(event(.joined, 105, node: "c")))
        #expect(seen.add(event(.runFailed, 106)))
    }

    @Test("On one connection every event is new")
    func ordinary() {
        let seen = Seen()
        for _ in 0..<2 { #expect(seen.add(event(.nodeSucceeded, 1, node: "a", attempt: 1))) }
    }
}
