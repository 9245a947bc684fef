// A run as the program that started it sees it, and the channel from the loop to its tasks.
internal import Client
public import Core
internal import UVLoop
internal import Wire

/// A run under way.
///
/// Letting go of the handle leaves the run as it is.
public final class RunHandle: Sendable {
    /// The run.
    public let id: RunID
    /// What happens in the run, from its first event to its last; ends with the last one.
    ///
    /// For one reader. A reader gets every event; while nobody reads, the newest are kept, see
    /// ``RunEvents``. If the connection is lost the sequence ends early and ``result`` throws.
    public let events: RunEvents
    private let channel: RunChannel
    private let client: WeftClient

    init(id: RunID, channel: RunChannel, client: WeftClient) {
        self.id = id
        self.channel = channel
        self.client = client
        events = RunEvents(buffer: channel.events)
    }

    /// How the run ended; waits for it.
    ///
    /// A run whose nodes fail is no error: the result says so. Cancelling the waiting task cancels
    /// the run; the wait goes on until the run has ended.
    ///
    /// - Throws: `ClientError` if the connection is lost or the client closed; `CancellationError`
    ///   if the task was cancelled and the run with it.
    public var result: RunResult {
        get async throws {
            let result = try await withTaskCancellationHandler {
                try await channel.result.value
            } onCancel: {
                cancel(reason: "the task that waited for it was cancelled")
            }
            if result.status == .cancelled { try Task.checkCancellation() }
            return result
        }
    }

    /// Asks for the run to be cancelled; it still ends with a result.
    ///
    /// Nothing happens to a run that has ended. Of the reason the first 1000 characters count.
    public func cancel(reason: String? = nil) {
        client.cancel(channel, reason: reason)
    }
}

/// What the loop tells of a run, for tasks that wait for it.
final class RunChannel: Sendable {
    /// Settled when the coordinator has accepted the run.
    let accepted = Promise<RunID>()
    /// Settled when the run has ended and its nodes are known.
    let result = Promise<RunResult>()
    /// Events that were not read yet; the last event of the run ends it.
    let events = EventBuffer()

    /// Fails everything that is still awaited.
    func fail(_ error: any Error) {
        accepted.settle(.failure(error))
        events.end()
        result.settle(.failure(error))
    }
}
