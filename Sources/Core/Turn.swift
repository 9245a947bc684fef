// One turn of a machine, passed to everything that takes part in it.

/// What happens at one moment: when it is, and what the shell is to do because of it.
///
/// The machines of the coordinator and of the worker make one for each event and hand it down; their
/// parts add to `actions` in the order in which the shell must carry them out.
public struct Turn<Action: Sendable>: Sendable {
    /// The time of this turn; it does not pass while the turn lasts.
    public let now: Instant
    /// What the shell is to do, in order.
    public private(set) var actions: [Action]

    /// A turn at that time, with the actions of earlier ones that are not carried out yet.
    public init(at now: Instant, after actions: [Action] = []) {
        self.now = now
        self.actions = actions
    }

    /// Adds an action behind those that are there.
    public mutating func append(_ action: Action) {
        actions.append(action)
    }
}
