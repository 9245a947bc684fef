// Why a connection or a request of a client failed. Not here: why nodes fail.
public import Core
public import Plans
public import Transport
public import UVLoop
public import Wire

/// Why a connection or a request failed.
public struct ClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Who can fix it.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// No coordinator answers at the endpoint, or it accepts no connections now.
        case unreachable
        /// The coordinator, or this side, refused the other's proof.
        case refused
        /// The connection broke; runs may continue without it.
        case lost
        /// The coordinator refused the request; the connection is still usable.
        case rejected
    }

    /// Who can fix it.
    public var kind: Kind
    /// The coordinator's own code, if it gave one.
    public var code: ErrorCode?
    /// What happened, as a sentence for a person.
    public var message: String
    /// What is wrong with the plan, with code `bad_plan`.
    public var problems: [PlanProblem]
    /// Why a connection was lost, without its address.
    package private(set) var cause: String?
    /// Whether the coordinator did not answer any more, though the connection was there.
    package var isSilence = false

    /// Makes an error.
    public init(
        kind: Kind,
        code: ErrorCode? = nil,
        message: String,
        problems: [PlanProblem] = []
    ) {
        self.kind = kind
        self.code = code
        self.message = message
        self.problems = problems
    }

    /// The message.
    public var description: String { message }
}

extension ClientError {
    /// A request that the coordinator answered with an error.
    init(rejecting error: ErrorMessage) {
        self.init(
            kind: .rejected,
            code: error.code,
            message: error.message,
            problems: error.problems
        )
    }

    /// A plan that cannot be sent to the coordinator.
    init(_ problems: PlanProblems) {
        self.init(
            kind: .rejected,
            code: .badPlan,
            message: "The plan cannot be sent.",
            problems: problems.problems
        )
    }

    /// An error before the handshake was over.
    init(
        atHandshake error: ErrorMessage,
        with endpoint: Endpoint,
        _ options: CoordinatorClient.Options
    ) {
        switch error.code {
        case .authFailed:
            self = .notAuthenticated(error.message, by: endpoint, options)
        case .encryption:
            self.init(
                kind: .refused,
                code: error.code,
                message: "\(endpoint): \(error.message)"
            )
        case .authTimeout, .unsupportedVersion, .forbidden, .duplicateName:
            self.init(
                kind: .refused,
                code: error.code,
                message: "The coordinator at \(endpoint) refused the connection: \(error.message)"
            )
        default:
            self.init(
                kind: .unreachable,
                code: error.code,
                message: "The coordinator at \(endpoint) accepts no connection: \(error.message)"
            )
        }
    }

    /// An error with which the coordinator ended an established connection.
    init(atEnd error: ErrorMessage, of endpoint: Endpoint) {
        self.init(
            kind: error.code == .forbidden ? .refused : .lost,
            code: error.code,
            message: "The coordinator at \(endpoint) closed the connection: \(error.message)"
        )
        cause = error.message
    }

    static func notAuthenticated(
        _ cause: String,
        by endpoint: Endpoint,
        _ options: CoordinatorClient.Options
    ) -> ClientError {
        let advice =
            options.isJoining
            ? "Get a new join line: weft keys export, on the coordinator's host."
            : "Use the key file of that coordinator: --key-file or --state."
        return ClientError(
            kind: .refused,
            code: .authFailed,
            message: "\(endpoint): \(cause) \(advice)"
        )
    }

    /// The connection could not be opened, for a reason of the system.
    public static func unreachable(_ endpoint: Endpoint, _ error: UVError) -> ClientError {
        if error.isConnectionRefused {
            return ClientError(
                kind: .unreachable,
                message: "no coordinator at \(endpoint): nothing listens there; start `weft "
                    + "coordinator`, or name where one runs by --coordinator HOST:PORT."
            )
        }
        let cause = error.isTimeout ? "no answer in time" : error.explanation
        return ClientError(
            kind: .unreachable,
            message: "No coordinator can be reached at \(endpoint): \(cause)."
        )
    }

    /// What happens to a run whose coordinator cannot be reached any more, in words for people.
    ///
    /// Nil if the message says it. With the number of an event the command goes on there.
    public func hint(about run: RunID, from event: Int? = nil) -> String? {
        if code == .unknownRun { return nil }
        let command = "weft watch \(run)\(event.map { " --from \($0)" } ?? "")"
        if code == .authFailed {
            return "Run \(run) goes on there; with a key that is accepted: \(command)"
        }
        return "Run \(run) goes on there, also when the coordinator is started again, unless that "
            + "keeps no journal: \(command)"
    }

    /// An answer that is not what the protocol says.
    package static func unreadable(_ error: WireError) -> ClientError {
        ClientError(
            kind: .rejected,
            code: error.code,
            message: "The coordinator's answer cannot be used: \(error.message)"
        )
    }

    static func lost(_ endpoint: Endpoint, _ cause: String) -> ClientError {
        var error = ClientError(
            kind: .lost,
            message: "The connection to the coordinator at \(endpoint) is lost: \(cause)."
        )
        error.cause = cause
        return error
    }
}
