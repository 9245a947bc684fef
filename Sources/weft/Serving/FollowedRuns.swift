// The runs that are followed, each once however many calls wait for it. Not here: what is done at
// their ends.
internal import Client
internal import Core
internal import Weftline
internal import Wire

/// Follows runs over one client.
///
/// Confined to its loop.
final class FollowedRuns {
    /// What an observer of a run gets; the end or a failure is the last.
    enum Update {
        case accepted(RunID)
        /// The coordinator has the whole plan.
        case planComplete
        case progress(RunProgress)
        /// A node waits for a person's approval.
        case approvalAsked(NodeID, ApprovalQuestion)
        case ended
        case failed(ClientError)
    }

    /// One call that follows a run.
    final class Observer {
        fileprivate var handler: ((Update) -> Void)?
        fileprivate weak var entry: Entry?

        fileprivate init(_ handler: @escaping (Update) -> Void) { self.handler = handler }

        /// Gets no update any more.
        func stop() { handler = nil }

        /// Asks to end the run, as soon as it has an id; it is still followed.
        func cancelRun(_ reason: String) {
            guard let entry, let follower = entry.follower else { return }
            entry.isCancelling = true
            follower.cancel(reason: reason)
        }
    }

    fileprivate final class Entry {
        var follower: RunFollower?
        var observers: [Observer] = []
        /// Whether its events are sent; otherwise it is done with when the coordinator has the plan.
        var isWatched = true
        var isCancelling = false

        func tell(_ update: Update) {
            for observer in observers { observer.handler?(update) }
        }
    }

    private var entries: [RunID: Entry] = [:]
    /// All that are not done with, also those without an id.
    private var open: [ObjectIdentifier: Entry] = [:]
    private var onIdle: (() -> Void)?

    /// Submits something and follows its run.
    func submit(
        _ submission: Submission,
        over client: LastingClient,
        handler: @escaping (Update) -> Void
    ) -> Observer {
        let entry = Entry()
        let observer = add(handler, to: entry)
        let follower = makeFollower(of: entry, client)
        entry.isWatched = submission.watch != nil
        open[ObjectIdentifier(entry)] = entry
        entry.follower = follower
        follower.submit(submission)
        return observer
    }

    /// Follows a run that exists.
    func watch(
        _ run: RunID,
        over client: LastingClient,
        handler: @escaping (Update) -> Void
    ) -> Observer {
        if let entry = entries[run] { return add(handler, to: entry) }
        let entry = Entry()
        let observer = add(handler, to: entry)
        let follower = makeFollower(of: entry, client)
        open[ObjectIdentifier(entry)] = entry
        entries[run] = entry
        entry.follower = follower
        follower.watch(run, level: .progress)
        return observer
    }

    private func add(_ handler: @escaping (Update) -> Void, to entry: Entry) -> Observer {
        let observer = Observer(handler)
        observer.entry = entry
        entry.observers.append(observer)
        return observer
    }

    private func makeFollower(of entry: Entry, _ client: LastingClient) -> RunFollower {
        // The entry is kept until the end of its run.
        RunFollower(client) { [self] update in handle(update, entry) }
    }

    private func handle(_ update: RunFollower.Update, _ entry: Entry) {
        switch update {
        case .accepted(let run):
            if entry.isWatched { entries[run] = entry }
            entry.tell(.accepted(run))
        case .planComplete where !entry.isWatched: end(entry, .planComplete)
        case .planComplete: entry.tell(.planComplete)
        case .event(_, .some): end(entry, .ended)
        case .event(let event, nil):
            switch try? EventData(of: event) {
            case .progress(let progress): entry.tell(.progress(progress))
            case .approvalAsked(let question):
                if let node = event.node { entry.tell(.approvalAsked(node, question)) }
            default: break
            }
        case .failed(let error): end(entry, .failed(error))
        }
    }

    private func end(_ entry: Entry, _ update: Update) {
        if let run = entry.follower?.run, entries[run] === entry { entries[run] = nil }
        open[ObjectIdentifier(entry)] = nil
        entry.tell(update)
        entry.observers = []
        entry.follower = nil
        guard let onIdle, !isCancelling else { return }
        self.onIdle = nil
        onIdle()
    }

    private var isCancelling: Bool { open.values.contains(where: \.isCancelling) }

    /// Calls back when every run that was cancelled has ended.
    func whenCancelled(_ then: @escaping () -> Void) {
        if isCancelling { onIdle = then } else { then() }
    }
}
