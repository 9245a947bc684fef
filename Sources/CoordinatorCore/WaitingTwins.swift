// Workers that want the name of one that is connected; each waits until the first one has answered a
// ping, or has not. How they are answered is decided in CoordinatorMachine+Offers.swift.

internal import Core
internal import Wire

/// A worker that wants the name of one that is connected.
struct WaitingTwin: Sendable {
    let connection: ConnectionID
    let register: Register
    let name: String
    let session: String
    /// The ping by whose answer the first one shows that it lives.
    let ping: Int
    /// When the first one was asked, on the judging clock.
    let asked: Instant
    /// When the first one counts as gone, on the judging clock; later if it was heard of just
    /// before it was asked.
    fileprivate(set) var until: Instant
}

/// All of them, in the order in which they came.
struct WaitingTwins: Sendable {
    private(set) var all: [WaitingTwin] = []

    var isEmpty: Bool { all.isEmpty }
    /// When the next first one counts as gone, on the judging clock.
    var next: Instant? { all.lazy.map(\.until).min() }

    func contains(_ connection: ConnectionID) -> Bool {
        all.contains { $0.connection == connection }
    }

    /// Adds one, whose first one counts as gone after a time.
    mutating func add(
        _ register: Register,
        _ name: String,
        _ session: String,
        on connection: ConnectionID,
        ping: Int,
        asked: Instant,
        patience: Duration
    ) {
        all.append(
            WaitingTwin(
                connection: connection,
                register: register,
                name: name,
                session: session,
                ping: ping,
                asked: asked,
                until: asked + patience
            )
        )
    }

    mutating func remove(_ connection: ConnectionID) {
        all.removeAll { $0.connection == connection }
    }

    /// One whose first one counts as gone by now; nil if there is none.
    func firstDue(at time: Instant) -> WaitingTwin? { all.first { $0.until <= time } }

    /// The first one has longer.
    mutating func extend(_ connection: ConnectionID, until time: Instant) {
        guard let index = all.firstIndex(where: { $0.connection == connection }) else { return }
        all[index].until = time
    }
}
