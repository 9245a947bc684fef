// Decides when messages are sent: once for each connection and turn of the loop, after all
// decisions of the turn. The outbox itself belongs to its MessageConnection.
public import UVLoop

/// The connections of one loop that have something to send.
///
/// Keeps one end-of-turn hook for all of them and a list of those that wrote something, so that
/// idle connections cost nothing. It lives as long as the loop. Make it after the hooks that decide
/// what to send; messages sent later in the turn leave in another turn, before the loop waits.
public final class Outboxes {
    private let loop: EventLoop
    private var hook: TurnHook?
    private var waiting: [MessageConnection] = []
    /// Whether the hook has run and nothing has arrived on a connection since.
    ///
    /// A message written now may come from a later hook of the same turn, after which the loop
    /// would wait.
    private var isLate = false
    private var hasFurtherTurn = false

    /// Makes the list for a loop.
    public init(loop: EventLoop) {
        self.loop = loop
        hook = loop.onTurnEnd { [weak self] in self?.endTurn() }
    }

    /// Sends the outbox of every connection.
    public func flush() {
        let connections = waiting
        waiting.removeAll(keepingCapacity: true)
        for connection in connections {
            connection.flush()
        }
    }

    /// Remembers a connection whose outbox was empty until now.
    func add(_ connection: MessageConnection) {
        waiting.append(connection)
        if isLate { askForFurtherTurn() }
    }

    /// Remembers a connection that has used its share of this turn and has more to send.
    func addForNextTurn(_ connection: MessageConnection) {
        waiting.append(connection)
        askForFurtherTurn()
    }

    private func askForFurtherTurn() {
        guard !hasFurtherTurn else { return }
        hasFurtherTurn = true
        loop.nextTurn { [weak self] in
            self?.hasFurtherTurn = false
            self?.flush()
        }
    }

    /// Data arrived: the hook of this turn has not run yet.
    func turnHasInput() {
        isLate = false
    }

    /// Removes the hook, for a list that only one connection used.
    func close() {
        hook?.cancel()
        hook = nil
        waiting = []
    }

    private func endTurn() {
        isLate = true
        if !waiting.isEmpty {
            flush()
        }
    }
}

@available(*, unavailable)
extension Outboxes: Sendable {}
