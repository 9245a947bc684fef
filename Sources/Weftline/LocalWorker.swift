// The worker of a local cluster: it runs on the cluster's loop and offers the program's functions.
internal import Client
internal import Logging
internal import Tools
internal import Transport
internal import UVLoop
internal import Wire
internal import Worker
internal import WorkerCore

/// One worker on the loop of its cluster.
///
/// Confined to its loop.
final class LocalWorker: ClusterWorkers {
    let count = 1
    private let toolbox: Toolbox
    private let slots: Int
    private let logger: Logger
    private var service: WorkerService?
    private var refusals: [String] = []
    private var onFailure: ((String) -> Void)?

    init(toolbox: Toolbox, slots: Int, logger: Logger) {
        self.toolbox = toolbox
        self.slots = slots
        self.logger = logger
    }

    func start(
        coordinator: Endpoint,
        key: HandshakeKey,
        onFailure: @escaping (String) -> Void
    ) {
        self.onFailure = onFailure
        var options = WorkerOptions(
            endpoints: [coordinator],
            name: "local",
            slots: slots,
            key: key,
            toolbox: toolbox,
            hostName: Computer.hostName,
            processID: Int(ProcessTable.pid)
        )
        // No other worker could have a missing program: such calls fail with the reason instead of
        // waiting.
        options.configuration.hasChangingTools = false
        let service = WorkerService(loop: toolbox.loop, options: options, logger: logger)
        service.onExit = { reason in onFailure("The worker ended: \(reason)") }
        self.service = service
        service.start()
    }

    func handleRefusedTool(_ name: String, reason: String) {
        refusals.append("The tool \(name) cannot be offered: \(reason)")
    }

    func handleAllJoined() {
        if !refusals.isEmpty { onFailure?(refusals.joined(separator: "\n")) }
    }

    func stop(then: @escaping () -> Void) {
        endAtOnce()
        then()
    }

    func endAtOnce() {
        service?.onExit = nil
        service?.stop()
    }
}
