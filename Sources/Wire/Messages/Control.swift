// The upkeep of a connection: ping, pong, drain, bye, error.
public import Core
public import Plans

/// Asks whether the peer answers.
public struct Ping: Sendable, Equatable {
    /// Comes back in the pong.
    public var n: Int

    /// Makes the message of its field.
    public init(n: Int) {
        self.n = n
    }
}

/// The answer to a ping.
public struct Pong: Sendable, Equatable {
    /// The number of the ping.
    public var n: Int
    /// A worker's unfinished attempts and unacknowledged results; nil from anyone else.
    public var inFlight: [AttemptID]?

    /// Makes the message of its fields.
    public init(n: Int, inFlight: [AttemptID]? = nil) {
        self.n = n
        self.inFlight = inFlight
    }
}

/// No new attempts; running ones finish.
public struct Drain: Sendable, Equatable {
    /// Why, for a person.
    public var reason: String?
    /// How long running attempts may take, in milliseconds; nil for as long as they like.
    public var deadlineMilliseconds: Int?
    /// Which worker, when a client asks the coordinator for it.
    public var worker: String?

    /// Makes the message of its fields.
    public init(
        reason: String? = nil,
        deadlineMilliseconds: Int? = nil,
        worker: String? = nil
    ) {
        self.reason = reason
        self.deadlineMilliseconds = deadlineMilliseconds
        self.worker = worker
    }
}

/// The sender is done and closes the connection.
public struct Bye: Sendable, Equatable {
    /// Why, for a person.
    public var reason: String
    /// From a coordinator that ends: whether runs go on when it is started again, or are lost.
    public var keepsRuns: Bool?

    /// Makes the message of its fields.
    public init(reason: String, keepsRuns: Bool? = nil) {
        self.reason = reason
        self.keepsRuns = keepsRuns
    }
}

/// Something is wrong; the connection is closed after a fatal one.
public struct ErrorMessage: Sendable, Equatable {
    /// What kind of fault.
    public var code: ErrorCode
    /// A sentence for a person.
    public var message: String
    /// Whether the sender closes the connection now.
    public var isFatal: Bool
    /// What it is about: the key of a submission, the id of a run, the name of a worker.
    public var about: String?
    /// The `request` it answers.
    public var request: Int?
    /// What is wrong with a plan, with code `bad_plan`.
    public var problems: [PlanProblem]
    /// Where the coordinator is that leads, with code `not_leader`.
    public var leader: String?

    /// Makes the message of its fields.
    public init(
        code: ErrorCode,
        message: String,
        isFatal: Bool,
        about: String? = nil,
        request: Int? = nil,
        problems: [PlanProblem] = [],
        leader: String? = nil
    ) {
        self.code = code
        self.message = message
        self.isFatal = isFatal
        self.about = about
        self.request = request
        self.problems = problems
        self.leader = leader
    }
}
