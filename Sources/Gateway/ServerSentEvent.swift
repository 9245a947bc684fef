// Events for browsers (server-sent events, WHATWG HTML): how they are written, and how a stream goes
// on where it was lost. Not here: which events there are.
package import Core
package import HTTPRequests
package import JSON
package import Wire

/// How events are written.
package enum ServerSentEvent {
    /// An event; its data has no line end, as no JSON of ours has.
    package static func text(name: String? = nil, id: String? = nil, data: RawJSON) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 48)
        if let name { bytes.append(contentsOf: "event: \(name)\n".utf8) }
        if let id { bytes.append(contentsOf: "id: \(id)\n".utf8) }
        bytes.append(contentsOf: "data: ".utf8)
        bytes.append(contentsOf: data.bytes)
        bytes.append(contentsOf: "\n\n".utf8)
        return bytes
    }

    /// An event of a run in the stream of the run or, with a name, of the cluster.
    package static func text(of event: EventMessage, name: String? = nil) -> [UInt8] {
        // Those that share the number of the event before them must not be gone on after.
        let uncounted: [EventKind] = [.snapshot, .progress, .chunk, .answering]
        let isCounted = !uncounted.contains(event.kind)
        let id = name == nil && isCounted ? "\(event.sequence)" : nil
        return text(name: name, id: id, data: event.json)
    }

    /// What keeps a silent stream alive.
    package static let comment = Array(": still here\n\n".utf8)
}

/// How far a stream of the cluster is: the number of the next event of each run, by `r7=45,r9=3`.
package struct ClusterPosition: Sendable, Equatable {
    /// The next events.
    package private(set) var next: [RunID: Int] = [:]

    /// Runs that a position names at most; of others a stream tells what is kept.
    package static let limit = 200

    /// The beginning.
    package init() {}

    /// Reads a position; what cannot be read is left out.
    package init(_ text: String) {
        for part in text.split(separator: ",").prefix(Self.limit) {
            let sides = part.split(separator: "=")
            if sides.count == 2, let run = RunID(String(sides[0])), let number = Int(sides[1]),
                number >= 0, number <= Limits.largestInteger
            {
                next[run] = number
            }
        }
    }

    /// Notes an event that was told.
    package mutating func note(_ event: EventMessage) {
        next[event.run] = event.isTerminal ? nil : event.sequence + 1
    }

    /// Forgets a run.
    package mutating func remove(_ run: RunID) { next[run] = nil }

    /// The position in text.
    package var text: String {
        next.sorted { $0.key < $1.key }.prefix(Self.limit).map { "\($0.key)=\($0.value)" }
            .joined(separator: ",")
    }
}

extension HTTPRequestHead {
    /// The number of the event after the last one that was received of a run.
    func lastEventID(of run: RunID) throws(GatewayError) -> Int? {
        guard let text = lastEventID else { return nil }
        guard let number = Int(text), (0..<Limits.largestInteger).contains(number) else {
            throw .badRequest("Last-Event-ID must be the id of an event of this stream.")
        }
        return number + 1
    }

    /// The id of the last event that the client has received.
    package var lastEventID: String? {
        values("last-event-id").first.flatMap { $0.isEmpty ? nil : $0 }
    }
}
