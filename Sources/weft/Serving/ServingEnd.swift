// The end of `weft mcp`, by whichever way clients are served: what clients wait for is cancelled and
// gets a little time to end. Not here: closing the ways in.
internal import Console
internal import UVLoop

/// Ends the command once; confined to its loop.
final class ServingEnd {
    private let session: Session
    private let calls: ClusterCalls
    private var patience: Timer?
    /// Whether the end has begun.
    private(set) var hasBegun = false

    /// How long runs may take to end that are cancelled because their client is gone.
    private static let grace = Duration.seconds(5)

    init(session: Session, calls: ClusterCalls) {
        self.session = session
        self.calls = calls
    }

    /// Closes the ways in, and ends the command when what clients wait for has ended.
    ///
    /// `close` cancels that. A second call does nothing.
    func begin(_ failure: CommandFailure?, closing close: () -> Void) {
        guard !hasBegun else { return }
        hasBegun = true
        close()
        let timer = Timer(loop: session.loop) { [self] in finish(failure) }
        timer.schedule(after: Self.grace)
        patience = timer
        calls.runs.whenCancelled { [self] in finish(failure) }
    }

    private func finish(_ failure: CommandFailure?) {
        guard let patience else { return }
        patience.close()
        self.patience = nil
        calls.close()
        session.end(failure)
    }
}
