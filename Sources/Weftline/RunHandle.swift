// A run as seen by the program that started it, and the channel from the loop to its tasks.
internal import Client
public import Core
internal import UVLoop
internal import Wire

/// A running run.
///
/// Releasing the handle does not affect the run.
public final class RunHandle: Sendable {
    /// The run.
    public let id: RunID
    /// The events of the run, from its first to its last.
    ///
    /// For one reader. A reader gets every event; without a reader, the newest are kept, see
    /// ``RunEvents``. If the connection is lost for good the sequence ends early and ``result``
    /// throws.
    public let events: RunEvents
    private let channel: RunChannel
    let client: WeftClient

    init(id: RunID, channel: RunChannel, client: WeftClient) {
        self.id = id
        self.channel = channel
        self.client = client
        events = RunEvents(buffer: channel.events)
    }

    /// The result of the run; waits for it.
    ///
    /// A run whose nodes fail is not an error: the result contains the failures. Cancelling the
    /// waiting task cancels the run; the wait continues until the run has ended.
    ///
    /// - Throws: `ClientError` if the connection is lost for good or the client closed;
    ///   `CancellationError` if the task was cancelled and the run with it.
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

    /// Asks to cancel the run; it still ends with a result.
    ///
    /// A run that has ended does not change. The first 1000 characters of the reason are used.
    public func cancel(reason: String? = nil) {
        client.cancel(channel, reason: reason)
    }
}

/// The state of a run that the loop sets and tasks wait for.
final class RunChannel: Sendable {
    /// Settled when the coordinator has accepted the run.
    let accepted = Promise<RunID>()
    /// Settled when the run has ended and its nodes are known.
    let result = Promise<RunResult>()
    /// Unread events; the last event of the run ends the sequence.
    let events = EventBuffer()

    /// Fails everything that is still awaited.
    func fail(_ error: any Error) {
        accepted.settle(.failure(error))
        events.end()
        result.settle(.failure(error))
    }
}
