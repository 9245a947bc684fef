// What a worker is told before it starts: its name, its slots, its tools and its limits.
internal import JSON
public import OrderedCollections
public import Wire

/// What a worker is and what it keeps to; fixed for its life.
public struct WorkerConfiguration: Sendable {
    /// The name it connects with; keeps the rule of `PeerName`.
    public var name: String
    /// The attempts it runs at the same time; 1–4096.
    public var slots: Int
    /// What it can run; the names are all different.
    public var tools: [ToolDescription]
    /// Labels a node may require.
    public var labels: OrderedDictionary<String, String>
    /// The name of its host.
    public var host: String?
    /// Its process id.
    public var pid: Int?
    /// Name and version of its software.
    public var software: String?
    /// The limits it keeps; those the coordinator announces replace them while connected.
    public var limits: Limits
    /// How long it does without a coordinator before it gives up; nil for as long as it takes.
    public var exitAfter: Duration?
    /// Whether it takes its name over from a worker that is connected under it.
    public var replaces = false
    /// Whether its tools may come and go, so that `checkTools` makes sense.
    public var hasChangingTools = false
    /// How many coordinators it may connect to; it tries one after the other.
    public var coordinators = 1
    /// Their addresses, in their order, by which one names another one; may be left out.
    public var coordinatorAddresses: [String] = []
    /// How long it runs nothing while it is connected before it drains; nil for as long as it takes.
    public var idleTimeout: Duration?
    /// How long it runs at all: it drains before, and has ended by then; nil for no limit.
    public var timeLimit: Duration?
    /// Attempts beyond its slots that it takes on before they can run, in all.
    public var queueLimit = 1_024

    /// Makes a configuration of its parts.
    public init(
        name: String,
        slots: Int,
        tools: [ToolDescription],
        labels: OrderedDictionary<String, String> = [:],
        host: String? = nil,
        pid: Int? = nil,
        software: String? = nil,
        limits: Limits = Limits(),
        exitAfter: Duration? = nil
    ) {
        self.name = name
        self.slots = slots
        self.tools = tools
        self.labels = labels
        self.host = host
        self.pid = pid
        self.software = software
        self.limits = limits
        self.exitAfter = exitAfter
    }
}

extension WorkerConfiguration {
    /// How long a coordinator may take to answer: with others, one that is stopped is not waited for.
    public var answerTime: Duration {
        coordinators > 1 ? min(limits.handshake, .seconds(2)) : limits.handshake
    }

    /// The part of `register` that is the same for the whole life of the worker.
    func registration(isReplacing: Bool) -> Register {
        Register(
            slots: slots,
            tools: [],
            labels: labels,
            host: host,
            pid: pid,
            software: software,
            isReplacing: isReplacing
        )
    }
}

extension [ToolDescription] {
    /// An upper bound of the bytes that announcing the tools takes in a line.
    var announcementBytes: Int {
        reduce(0) { sum, tool in
            sum + 256 + tool.parameters.count + (tool.outputSchema?.count ?? 0)
                + 2 * (tool.name.utf8.count + tool.description.utf8.count)
        }
    }
}
