// Which events of a run were seen, so that a run that is followed on another connection goes on
// after the last of them, and nothing is told twice. Pure.
internal import Core
internal import Wire

/// The events of one run that its follower has got.
struct SeenEvents {
    private struct Mark: Equatable {
        var sequence: Int
        var kind: EventKind
        var node: NodeID?
        var attempt: Int?
    }

    /// How far an attempt is that a worker has.
    private struct Step {
        var attempt: Int
        var isStarted: Bool
    }

    /// The last event whose number is its own.
    private var last: Mark?
    private var ended: Set<NodeID> = []
    private var running: [NodeID: Step] = [:]
    /// Whether the run is followed on another connection than at first.
    private(set) var isResumed = false

    /// The number of the event to go on with; nil to begin with the oldest.
    ///
    /// It is that of the last event, and not the one after it: where each node is, a late watcher is
    /// told under one number.
    private(set) var next: Int?

    /// Begins with an event.
    init(from first: Int? = nil) { next = first }

    /// The run is followed on another connection from here on.
    mutating func resume() { isResumed = true }

    /// Adds an event; false if it tells nothing new.
    mutating func addEvent(_ event: EventMessage) -> Bool {
        // These carry the number of another event.
        guard event.kind != .snapshot, event.kind != .progress else { return true }
        let mark = Mark(
            sequence: event.sequence,
            kind: event.kind,
            node: event.node,
            attempt: event.attempt
        )
        let isNew = !isResumed || (mark != last && tellsNew(event))
        last = mark
        next = max(next ?? 0, event.sequence)
        if let node = event.node { note(event, of: node) }
        return isNew
    }

    private func tellsNew(_ event: EventMessage) -> Bool {
        guard let node = event.node else { return true }
        if ended.contains(node) { return event.kind == .joined }
        guard let step = running[node], let attempt = event.attempt else { return true }
        switch event.kind {
        case .dispatched: return attempt > step.attempt
        case .started: return attempt > step.attempt || !step.isStarted
        default: return true
        }
    }

    private mutating func note(_ event: EventMessage, of node: NodeID) {
        switch event.kind {
        case .dispatched, .started:
            guard !ended.contains(node) else { return }
            running[node] = Step(attempt: event.attempt ?? 0, isStarted: event.kind == .started)
        case .nodeSucceeded, .nodeFailed, .nodeSkipped, .nodeCancelled:
            running[node] = nil
            ended.insert(node)
        default:
            break
        }
    }
}
