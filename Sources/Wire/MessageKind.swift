// The types of messages, and who may send which. The fields of each are under Messages/.

/// What a peer that opens a connection is to the coordinator.
public enum Role: String, Sendable, Hashable, CaseIterable {
    /// Runs tools.
    case worker
    /// Submits, watches, cancels and asks.
    case client
    /// May only watch and ask.
    case viewer
}

/// Who sent a message.
public enum Sender: String, Sendable, Hashable, CaseIterable {
    /// A worker.
    case worker
    /// A client.
    case client
    /// A viewer.
    case viewer
    /// The coordinator.
    case coordinator

    /// The sender at the other end of a connection of that role.
    public init(_ role: Role) {
        switch role {
        case .worker: self = .worker
        case .client: self = .client
        case .viewer: self = .viewer
        }
    }
}

/// The type of a message; the raw value is the `type` field on the wire.
public enum MessageKind: String, Sendable, Hashable, CaseIterable {
    /// Opens the handshake.
    case hello
    /// The coordinator proves itself and asks for the same.
    case challenge
    /// The peer proves itself.
    case auth
    /// The handshake succeeded.
    case welcome
    /// A worker offers its slots and tools.
    case register
    /// The worker is taken on.
    case registered
    /// A worker offers other tools or slots than before.
    case offer
    /// Start an attempt.
    case dispatch
    /// The attempt runs.
    case started
    /// The attempt was not begun and will not be.
    case reject
    /// A report that an attempt goes on.
    case progress
    /// A piece of a stream or of a large value.
    case chunk
    /// Room for more chunks.
    case window
    /// The outcome of an attempt.
    case result
    /// Results are taken over; their attempts may be forgotten.
    case ack
    /// Stop an attempt.
    case cancel
    /// Asks whether the peer answers.
    case ping
    /// The answer to a ping.
    case pong
    /// No new attempts.
    case drain
    /// The sender closes the connection.
    case bye
    /// Something is wrong.
    case error
    /// Run a plan.
    case submit
    /// More nodes of a streamed plan.
    case nodes
    /// The run is taken on.
    case accepted
    /// Send the events of a run.
    case watch
    /// Something happened in a run.
    case event
    /// Stop a run.
    case cancelRun = "cancel_run"
    /// Approve or deny nodes that wait for it.
    case approve
    /// Keep a plan that reached its goal, to show it to planners.
    case remember
    /// Do not keep a plan any more.
    case forget
    /// The state of a launch.
    case launch
    /// A question.
    case get
    /// The answer to a question.
    case reply

    /// Whether that sender may send messages of this kind at all.
    ///
    /// The state of the connection may forbid it nevertheless.
    public func mayBeSent(by sender: Sender) -> Bool {
        switch self {
        case .hello, .auth:
            sender != .coordinator
        case .challenge, .welcome, .registered, .dispatch, .ack, .cancel, .accepted, .event,
            .reply:
            sender == .coordinator
        case .register, .offer, .started, .reject, .progress, .result:
            sender == .worker
        case .chunk, .window:
            sender == .worker || sender == .coordinator
        case .submit, .nodes, .cancelRun, .approve, .remember, .forget, .launch:
            sender == .client
        case .watch, .get:
            sender == .client || sender == .viewer
        case .drain:
            sender != .viewer
        case .ping, .pong, .bye, .error:
            true
        }
    }
}

extension MessageKind {
    /// Finds the kind by the bytes between the quotes of a `type` field, without making a String.
    init?(typeName bytes: ArraySlice<UInt8>) {
        guard let packed = Self.pack(bytes) else { return nil }
        for (key, kind) in Self.packedNames where key == packed {
            self = kind
            return
        }
        return nil
    }

    private static let packedNames: [(UInt64, MessageKind)] = allCases.map { kind in
        (pack(Array(kind.rawValue.utf8)[...]) ?? 0, kind)
    }

    /// Five bits a character, so that names of up to twelve of `[a-z_]` map one to one to a word.
    private static func pack(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        guard bytes.count <= 12 else { return nil }
        var packed: UInt64 = 0
        for byte in bytes {
            switch byte {
            case 0x61...0x7A: packed = packed << 5 | UInt64(byte - 0x60)
            case 0x5F: packed = packed << 5 | 27
            default: return nil
            }
        }
        return packed
    }
}
