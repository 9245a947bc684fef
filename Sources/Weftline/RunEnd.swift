// The end of a run, as in its last event. The form for Swift programs is RunResult; words for people
// are in the command.
package import Core
package import Wire

/// The last event of a run.
package struct RunEnd {
    package var run: RunID
    package var status: RunResult.Status
    /// Answer, failure, counts, times.
    package var outcome: RunEndDocument

    /// Reads an event; nil if it is not the last one of a run.
    ///
    /// A run whose last event cannot be read has failed for this reader.
    package init?(_ event: EventMessage) {
        guard event.isTerminal else { return nil }
        run = event.run
        do throws(WireError) {
            outcome = try RunEndDocument(decoding: event.data ?? .emptyObject)
            status =
                switch event.kind {
                case .runSucceeded: .succeeded
                case .runCancelled: .cancelled
                default: .failed
                }
        } catch {
            let message = "the end of the run cannot be read: \(error.message)"
            outcome = RunEndDocument(
                error: Failure(code: .internal, message: message),
                counts: NodeCounts(),
                timing: RunTiming(wall: 0, criticalPath: 0, work: 0)
            )
            status = .failed
        }
    }
}
