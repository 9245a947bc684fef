// The states of a connection to the coordinator.
internal import Core
internal import Wire

/// How far the connection is.
enum Link: Sendable {
    /// Not begun.
    case idle
    case waiting(until: Instant)
    case connecting
    /// Hello is sent; the challenge is awaited.
    case greeting(HandshakeInitiator, until: Instant)
    /// Auth is sent; the welcome is awaited.
    case authenticating(until: Instant)
    /// Register is sent; the answer is awaited.
    case registering(until: Instant)
    /// The worker is taken on.
    case ready
    /// After `exit`.
    case ended

    var isReady: Bool {
        if case .ready = self { true } else { false }
    }

    var hasEnded: Bool {
        if case .ended = self { true } else { false }
    }

    /// Whether the handshake is complete.
    var isWelcome: Bool {
        switch self {
        case .registering, .ready: true
        case .idle, .waiting, .connecting, .greeting, .authenticating, .ended: false
        }
    }

    /// Whether a connection is there, whatever is known of the other side.
    var isConnected: Bool {
        switch self {
        case .idle, .waiting, .connecting, .ended: false
        case .greeting, .authenticating, .registering, .ready: true
        }
    }

    /// When the state ends by itself.
    var deadline: Instant? {
        switch self {
        case .idle, .connecting, .ready, .ended: nil
        case .waiting(let instant): instant
        case .greeting(_, let instant): instant
        case .authenticating(let instant), .registering(let instant): instant
        }
    }

    /// Gives the handshake time until then.
    mutating func extendHandshake(until instant: Instant) {
        switch self {
        case .greeting(let initiator, _): self = .greeting(initiator, until: instant)
        case .authenticating: self = .authenticating(until: instant)
        case .registering: self = .registering(until: instant)
        case .idle, .waiting, .connecting, .ready, .ended: break
        }
    }
}
