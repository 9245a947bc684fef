// What a check of a value's own cross-references finds.

/// A broken invariant of our own, with the story that a person needs.
public struct InvariantViolation: Error, Sendable, CustomStringConvertible {
    /// What is wrong, with the names of the nodes and workers concerned.
    public let description: String

    /// Tells what is broken.
    public init(_ description: String) {
        self.description = description
    }
}
