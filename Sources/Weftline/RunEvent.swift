// The events of a run in the form for Swift programs.
internal import Client
internal import Core
public import JSON
public import Wire

/// An event of a run.
public struct RunEvent: Sendable {
    /// Its position among all events of the run, from 0; lower levels of watching have gaps.
    ///
    /// Events about the progress of the run (`progress`, `snapshot`) have the number of the event
    /// before them.
    public var number: Int
    /// The kind of the event.
    public var kind: EventKind
    /// The node.
    public var node: String?
    /// The attempt, from 1.
    public var attempt: Int?
    /// The worker.
    public var worker: String?
    /// How long after the run was accepted.
    public var time: Duration
    /// The data of the event; the protocol defines it for each kind.
    public var data: JSONValue

    /// How many events before it were dropped because they were not read; see ``RunEvents``.
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
