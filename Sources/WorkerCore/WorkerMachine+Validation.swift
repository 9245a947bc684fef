// Whether what the machine holds agrees with itself. For tests, simulations and debug builds. What
// each part knows of itself is checked by the part.
internal import Core
internal import Wire

extension WorkerMachine {
    /// Something in the machine that does not agree with the rest.
    public struct Inconsistency: Error, Sendable, CustomStringConvertible {
        /// What does not agree.
        public let description: String
    }

    /// Checks every cross-reference; takes time in proportion to what is held.
    ///
    /// - Throws: `Inconsistency` for the first thing found that does not agree.
    public func validate() throws {
        guard !hasEnded, let flaw = flaw() else { return }
        throw Inconsistency(description: "\(flaw) (\(connection.stateDescription))")
    }

    private func flaw() -> String? {
        if !connection.isConnected, attempts.incomingBytes > 0 {
            return "arguments come in without a connection"
        }
        if isReady, isDraining, counts.queued > 0 {
            return "a draining worker has something queued"
        }
        return connection.flaw() ?? attempts.flaw(over: connection.channel)
    }
}
