// Failed writes of a command: reported when they happen, and remembered for the exit code.
internal import UVLoop

/// Files that a command could not write completely.
package enum WriteFailures {
    private static let hasAny = Locked(false)

    /// Whether something was lost, so that the command has failed.
    package static var areReported: Bool { hasAny.withLock { $0 } }

    /// Reports the file that could not be written.
    package static func report(_ sentence: String) {
        hasAny.withLock { $0 = true }
        CommandFailure(.failed, sentence).report()
    }
}
