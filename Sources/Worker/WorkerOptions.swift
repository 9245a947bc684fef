// How a worker runs: the coordinator's address, the worker's tools, its identity.

public import OrderedCollections
public import Tools
public import Transport
internal import UVLoop
public import Wire
public import WorkerCore

/// The options of a worker.
///
/// Confined to the loop of its toolbox.
public struct WorkerOptions {
    /// The coordinators, which are tried in turn; at least one.
    public let endpoints: [Endpoint]
    /// When the connection is encrypted.
    public var tls: TLSPolicy
    /// The key of the worker's role.
    public var key: HandshakeKey
    /// The tools that it runs.
    public var toolbox: Toolbox
    /// The configuration of the machine; the tools are those of the toolbox.
    public var configuration: WorkerConfiguration
    /// The requested slots; the configuration has fewer if there are not enough descriptors.
    public let wantedSlots: Int

    /// Describes a worker.
    ///
    /// The name is unique among the workers of a coordinator and must be valid for `PeerName`;
    /// slots are 1–4096; host name and process id are shown to people; `exitAfter` is how long it
    /// runs without a coordinator before it ends, nil for ever.
    public init(
        endpoints: [Endpoint],
        name: String,
        slots: Int,
        labels: OrderedDictionary<String, String> = [:],
        key: HandshakeKey,
        tls: TLSPolicy = .offHost,
        toolbox: Toolbox,
        hostName: String? = nil,
        processID: Int? = nil,
        software: String? = nil,
        exitAfter: Duration? = nil
    ) {
        precondition(!endpoints.isEmpty, "there is a coordinator to connect to")
        self.endpoints = endpoints
        self.key = key
        self.tls = tls
        self.toolbox = toolbox
        wantedSlots = slots
        let descriptors = ProcessTable.fileDescriptors()
        configuration = WorkerConfiguration(
            name: name,
            slots: toolbox.slots(upTo: slots, descriptors: descriptors.limit - descriptors.open),
            tools: toolbox.descriptions,
            labels: labels,
            host: hostName,
            pid: processID,
            software: software,
            exitAfter: exitAfter
        )
        configuration.coordinators = endpoints.count
        configuration.coordinatorAddresses = endpoints.map(\.description)
        configuration.hasChangingTools = toolbox.hasPrograms
    }
}
