// What a run asks for when nobody offers a tool; on the wire, in the library and in the scheduler.

/// What happens to a node whose tool no connected worker has.
public enum MissingToolPolicy: String, Sendable, Hashable, CaseIterable {
    /// It waits until a worker that has the tool joins.
    case wait
    /// It fails with `unknown_tool`.
    case fail
}
