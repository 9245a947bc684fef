// When a lost connection is tried again: which errors pass, and the pauses between attempts. Pure.
internal import Wire

extension ClientError {
    /// Whether the coordinator may be there again later, so that a request can be asked again.
    var isPassing: Bool {
        guard kind == .lost else { return false }
        switch code {
        case nil, .shuttingDown?, .busy?, .internal?, .encryption?: return true
        // The other side, or this one, breaks the protocol; or the key is not accepted any more.
        default: return false
        }
    }

    /// Whether connecting again can succeed later.
    var mayConnectLater: Bool { kind == .unreachable || code == .authTimeout }

    /// A coordinator that was not back in time.
    static func gone(_ cause: ClientError, for limit: Duration) -> ClientError {
        ClientError(
            kind: .lost,
            code: cause.code,
            message: "\(cause.message) The coordinator was not back within "
                + "\(limit.components.seconds) s."
        )
    }

    /// A coordinator that does not take the key which one at the same place took before.
    static func replaced(_ refusal: ClientError) -> ClientError {
        guard refusal.code == .authFailed else { return refusal }
        return ClientError(
            kind: .refused,
            code: .authFailed,
            message: "\(refusal.message) The key was accepted before: it was revoked, or another "
                + "coordinator is there now, as one with --ephemeral that was started again; the "
                + "runs of the one before are lost with it."
        )
    }

    /// A run that is not known to a coordinator that was connected to again.
    package static func forgotten(_ run: String) -> ClientError {
        ClientError(
            kind: .lost,
            code: .unknownRun,
            message: "The coordinator was started again and does not know run \(run): it keeps no "
                + "journal, or has forgotten the run. Run it again."
        )
    }
}

/// Pauses between attempts to connect: from 50 ms, twice as long each time, up to 1 s.
struct ReconnectPauses {
    private var next = Duration.milliseconds(50)
    private static let longest = Duration.seconds(1)

    /// The next pause, up to half of it shorter, so that many clients do not come at the same time.
    mutating func nextPause(using generator: inout some RandomNumberGenerator) -> Duration {
        let pause = next * Double.random(in: 0.5...1, using: &generator)
        next = min(next * 2, Self.longest)
        return pause
    }
}
