// The finding of a check of a value's own cross-references.

/// A broken invariant of our own, with a description for people.
public struct InvariantViolation: Error, Sendable, CustomStringConvertible {
    /// What is wrong, with the names of the nodes and workers involved.
    public let description: String

    /// Makes a violation with that description.
    public init(_ description: String) {
        self.description = description
    }
}
