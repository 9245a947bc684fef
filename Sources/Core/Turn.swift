// One turn of a machine, passed to all its parts.

/// One moment: its time, and what the shell has to do.
///
/// The machines of the coordinator and of the worker make a turn for each event and pass it to
/// their parts, which append to `actions` in the order in which the shell must do them.
public struct Turn<Action: Sendable>: Sendable {
    /// The time of this turn; it does not change during the turn.
    public let now: Instant
    /// What the shell is to do, in order.
    public private(set) var actions: [Action]

    /// A turn at that time, with earlier actions that the shell has not done yet.
    public init(at now: Instant, after actions: [Action] = []) {
        self.now = now
        self.actions = actions
    }

    /// Appends an action.
    public mutating func append(_ action: Action) {
        actions.append(action)
    }
}
