// What a command could not write: said when it happens, and remembered for the exit code.
internal import UVLoop

/// Files that a command was to write beside its outputs and could not.
package enum WriteFailures {
    private static let hasAny = Locked(false)

    /// Whether something was lost, so that the command has failed whatever else it did.
    package static var areReported: Bool { hasAny.withLock { $0 } }

    /// Says what could not be written.
    package static func report(_ sentence: String) {
        hasAny.withLock { $0 = true }
        CommandFailure(.failed, sentence).report()
    }
}
