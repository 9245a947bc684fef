// What the parts of the machine need to know of the way to the coordinator.
internal import Wire

/// Whether the coordinator takes messages about attempts now, and how much goes into one.
///
/// Made by the connection and handed to the parts that send something.
struct Channel: Sendable {
    /// Whether the coordinator has taken the worker on.
    let isOpen: Bool
    /// The limits of the session under way or the last one.
    let limits: AnnouncedLimits
    /// Bytes of data in one chunk: doubled by escaping, it must fit into a line.
    let chunkBytes: Int

    init(isOpen: Bool, limits: AnnouncedLimits, chunkBytes: Int) {
        self.isOpen = isOpen
        self.limits = limits
        self.chunkBytes = max(16, min(chunkBytes, (limits.maxLine - 1024) / 2))
    }
}
