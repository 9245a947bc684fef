// The events of a run, as a Swift program gets them.
internal import Client
internal import Core
public import JSON
public import Wire

/// Something that happened in a run.
public struct RunEvent: Sendable {
    /// Its position among all events of the run, from 0; a lower level of watching sees gaps.
    ///
    /// Events about the progress of the run (`progress`, `snapshot`) have the number of the event
    /// before them.
    public var number: Int
    /// What happened.
    public var kind: EventKind
    /// To which node.
    public var node: String?
    /// In which attempt, from 1.
    public var attempt: Int?
    /// On which worker.
    public var worker: String?
    /// How long after the run was accepted.
    public var time: Duration
    /// More about it, by kind, as the protocol says.
    public var data: JSONValue

    /// How many events before it were dropped because nobody read them; see ``RunEvents``.
    public internal(set) var missedBefore = 0

    /// Whether it is the last event of its run.
    public var isTerminal: Bool { kind.isTerminal }

    init(_ event: EventMessage) {
        number = event.sequence
        kind = event.kind
        node = event.node?.text
        attempt = event.attempt
        worker = event.worker
        time = .microseconds(event.atMicroseconds)
        data = event.data.map { JSONValue($0) } ?? [:]
    }
}
