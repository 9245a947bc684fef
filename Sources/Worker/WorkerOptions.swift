// How a worker runs: the coordinator's address, the worker's tools, its identity.

public import OrderedCollections
public import Tools
internal import UVLoop
public import Wire
public import WorkerCore

/// The options of a worker.
///
/// Confined to the loop of its toolbox.
public struct WorkerOptions {
    /// The coordinator's host: a name or an address.
    public var host: String
    /// The coordinator's port.
    public var port: Int
    /// Other coordinators, tried in turn when there is no connection to the first one.
    public var alternatives: [(host: String, port: Int)] = [] {
        didSet { configuration.coordinators = 1 + alternatives.count }
    }
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
        host: String,
        port: Int,
        name: String,
        slots: Int,
        labels: OrderedDictionary<String, String> = [:],
        key: HandshakeKey,
        toolbox: Toolbox,
        hostName: String? = nil,
        processID: Int? = nil,
        software: String? = nil,
        exitAfter: Duration? = nil
    ) {
        self.host = host
        self.port = port
        self.key = key
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
        configuration.hasChangingTools = toolbox.hasPrograms
    }
}
