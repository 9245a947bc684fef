// What can be wrong with a line, a message or a peer, as a stable code and a sentence.
// What is done about it (answer, close, ignore) is decided by the machine that owns the connection.

/// The stable code of a protocol error; unknown codes of newer peers are kept as they are.
public struct ErrorCode: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The code as it stands on the wire.
    public var rawValue: String

    /// Makes a code of its text on the wire.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The code as it stands on the wire.
    public var description: String { rawValue }

    /// The line is no JSON object (fatal).
    public static let badJSON = ErrorCode(rawValue: "bad_json")
    /// A field is missing, of the wrong type or out of range (fatal).
    public static let badMessage = ErrorCode(rawValue: "bad_message")
    /// The type of the message is not known here (not fatal until there are too many).
    public static let unknownType = ErrorCode(rawValue: "unknown_type")
    /// The line exceeds the limit of the connection (fatal).
    public static let lineTooLong = ErrorCode(rawValue: "line_too_long")
    /// No version is spoken by both sides (fatal).
    public static let unsupportedVersion = ErrorCode(rawValue: "unsupported_version")
    /// The key, the role or the name was not accepted; which of them is not said (fatal).
    public static let authFailed = ErrorCode(rawValue: "auth_failed")
    /// One side encrypts and the other one does not (fatal).
    public static let encryption = ErrorCode(rawValue: "encryption")
    /// The handshake took too long (fatal).
    public static let authTimeout = ErrorCode(rawValue: "auth_timeout")
    /// The role may not send this message (fatal).
    public static let forbidden = ErrorCode(rawValue: "forbidden")
    /// A newer session has taken over this name (fatal).
    public static let duplicateName = ErrorCode(rawValue: "duplicate_name")
    /// The message is legal only in a later state of the connection (fatal).
    public static let notReady = ErrorCode(rawValue: "not_ready")
    /// A limit of the coordinator is reached.
    public static let limit = ErrorCode(rawValue: "limit")
    /// The coordinator cannot take this now; trying later helps.
    public static let busy = ErrorCode(rawValue: "busy")
    /// No run has this id.
    public static let unknownRun = ErrorCode(rawValue: "unknown_run")
    /// The run has no node with this id.
    public static let unknownNode = ErrorCode(rawValue: "unknown_node")
    /// No connected worker has this name.
    public static let unknownWorker = ErrorCode(rawValue: "unknown_worker")
    /// No remembered plan has this name.
    public static let unknownPlan = ErrorCode(rawValue: "unknown_plan")
    /// The plan does not validate; the message carries the problems.
    public static let badPlan = ErrorCode(rawValue: "bad_plan")
    /// The key of a submission is taken by another content.
    public static let conflict = ErrorCode(rawValue: "conflict")
    /// The coordinator is going down and takes nothing new.
    public static let shuttingDown = ErrorCode(rawValue: "shutting_down")
    /// This coordinator stands by while another one leads; the message may name that one (fatal).
    public static let notLeader = ErrorCode(rawValue: "not_leader")
    /// A fault of the sender itself.
    public static let `internal` = ErrorCode(rawValue: "internal")
}

/// A breach of the protocol by the other side.
public struct WireError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of breach.
    public var code: ErrorCode
    /// A sentence that names what was wrong.
    public var message: String

    /// Makes an error of its code and sentence.
    public init(code: ErrorCode, message: String) {
        self.code = code
        self.message = message
    }

    /// The code and the sentence.
    public var description: String { "\(code.rawValue): \(message)" }
}

extension WireError {
    /// Every failed handshake looks like this one, whatever was wrong.
    package static let authFailed = WireError(
        code: .authFailed,
        message: "Not authenticated: the key, the role or the name is not accepted."
    )
}
