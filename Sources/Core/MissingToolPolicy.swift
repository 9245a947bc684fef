// What happens to nodes whose tool no worker offers. The wire, the library and the scheduler use it.

/// What happens to a node whose tool no connected worker has.
public enum MissingToolPolicy: String, Sendable, Hashable, CaseIterable {
    /// It waits until a worker that has the tool joins.
    case wait
    /// It fails with `unknown_tool`.
    case fail
}
