// How a worker offers itself: register, registered, and the description of a tool.
public import Core
public import JSON
public import OrderedCollections
public import Plans

/// A tool as a worker announces it.
public struct ToolDescription: Sendable, Equatable {
    /// The name plans use; 1–128 bytes.
    public var name: String
    /// What the tool does, for the planner and for people.
    public var description: String
    /// JSON Schema of the arguments.
    public var parameters: RawJSON
    /// JSON Schema of the output; nil if nothing is said of it.
    public var outputSchema: RawJSON?
    /// The version of the tool.
    public var version: String?
    /// Whether starting it twice does no harm.
    public var isIdempotent: Bool
    /// Whether it changes nothing.
    public var isReadOnly: Bool
    /// How long one attempt may take, in milliseconds.
    public var timeoutMilliseconds: Int?
    /// How many attempts a node of this tool gets.
    public var maxAttempts: Int?
    /// How many attempts of it one worker runs at the same time.
    public var concurrency: Int?
    /// Whether a person has to approve each node before it runs.
    public var needsApproval: Bool
    /// How long that may take, in milliseconds; nil leaves it to the coordinator.
    public var approvalMilliseconds: Int?
    /// Goals that it helps to reach, with the calls that reach them, for the planner.
    public var examples: [PlanExample]

    /// Whether starting it again after an attempt whose end is unknown does no harm.
    public var mayBeRepeated: Bool { isIdempotent || isReadOnly }

    /// Makes the description of its fields.
    public init(
        name: String,
        description: String,
        parameters: RawJSON = .emptyObject,
        outputSchema: RawJSON? = nil,
        version: String? = nil,
        isIdempotent: Bool = false,
        isReadOnly: Bool = false,
        timeoutMilliseconds: Int? = nil,
        maxAttempts: Int? = nil,
        concurrency: Int? = nil,
        needsApproval: Bool = false,
        approvalMilliseconds: Int? = nil,
        examples: [PlanExample] = []
    ) {
        self.examples = examples
        self.name = name
        self.description = description
        self.parameters = parameters
        self.outputSchema = outputSchema
        self.version = version
        self.isIdempotent = isIdempotent
        self.isReadOnly = isReadOnly
        self.timeoutMilliseconds = timeoutMilliseconds
        self.maxAttempts = maxAttempts
        self.concurrency = concurrency
        self.needsApproval = needsApproval
        self.approvalMilliseconds = approvalMilliseconds
    }
}

/// A tool of a worker that is not offered.
public struct WithheldTool: Sendable, Equatable {
    /// The name of the tool.
    public var name: String
    /// Why, in a sentence for a person.
    public var reason: String

    /// Makes the entry.
    public init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }
}

/// A worker offers other tools or slots than before; takes the place of what it registered with.
public struct Offer: Sendable, Equatable {
    /// How many attempts may run there at the same time; 1–4096.
    public var slots: Int
    /// What it can run.
    public var tools: [ToolDescription]
    /// What it has and cannot run for now.
    public var withheld: [WithheldTool]
    /// Tools whose descriptions could not be read; set by the reader of a line, and not written.
    public var unreadable: [WithheldTool]

    /// Makes the message of its fields.
    public init(
        slots: Int,
        tools: [ToolDescription],
        withheld: [WithheldTool] = [],
        unreadable: [WithheldTool] = []
    ) {
        self.slots = slots
        self.tools = tools
        self.withheld = withheld
        self.unreadable = unreadable
    }
}

/// An attempt a worker still holds when it registers.
public struct InFlight: Sendable, Hashable {
    /// Which attempt.
    public var attempt: AttemptID
    /// How far it is.
    public var state: State

    /// Makes the entry.
    public init(attempt: AttemptID, state: State) {
        self.attempt = attempt
        self.state = state
    }

    /// How far an attempt is that a worker still holds.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// It is running, or waits to be started.
        case running
        /// It ended; its result is not acknowledged yet.
        case done
    }
}

/// A worker offers its slots and tools; the first message of a worker after `welcome`.
public struct Register: Sendable, Equatable {
    /// How many attempts may run there at the same time; 1–4096.
    public var slots: Int
    /// How many further attempts it takes and lets wait for a slot; nil if it does not say.
    public var queue: Int?
    /// What it can run.
    public var tools: [ToolDescription]
    /// What it has and cannot run for now.
    public var withheld: [WithheldTool]
    /// Tools whose descriptions could not be read; set by the reader of a line, and not written.
    public var unreadable: [WithheldTool] = []
    /// Whether it takes the name over from a worker that is connected under it.
    public var isReplacing: Bool
    /// Labels a node may require.
    public var labels: OrderedDictionary<String, String>
    /// The attempts it still holds from before.
    public var inFlight: [InFlight]
    /// The name of its host.
    public var host: String?
    /// Its process id.
    public var pid: Int?
    /// Name and version of its software.
    public var software: String?

    /// Makes the message of its fields.
    public init(
        slots: Int,
        queue: Int? = nil,
        tools: [ToolDescription],
        labels: OrderedDictionary<String, String> = [:],
        inFlight: [InFlight] = [],
        host: String? = nil,
        pid: Int? = nil,
        software: String? = nil,
        withheld: [WithheldTool] = [],
        isReplacing: Bool = false
    ) {
        self.slots = slots
        self.queue = queue
        self.tools = tools
        self.withheld = withheld
        self.isReplacing = isReplacing
        self.labels = labels
        self.inFlight = inFlight
        self.host = host
        self.pid = pid
        self.software = software
    }
}

/// The worker is taken on; what happens to the attempts it still held.
public struct Registered: Sendable, Equatable {
    /// Attempts that go on; their results are sent (again).
    public var adopt: [AttemptID]
    /// Attempts nobody waits for; the worker cancels and forgets them.
    public var abandon: [AttemptID]
    /// The names of tools that the coordinator does not take in.
    public var conflicts: [String]
    /// The same tools with the reasons, in sentences for a person.
    public var refused: [WithheldTool]

    /// Makes the message of its fields.
    public init(
        adopt: [AttemptID] = [],
        abandon: [AttemptID] = [],
        conflicts: [String] = [],
        refused: [WithheldTool] = []
    ) {
        self.adopt = adopt
        self.abandon = abandon
        self.conflicts = conflicts
        self.refused = refused
    }
}
