// A worker's process: the real machine, with tools that take random time and fail at random.

import Core
import JSON
import Wire
import WorkerCore

final class SimulatedWorker {
    let name: String
    /// Distinguishes processes of one name.
    let incarnation: Int
    var machine: WorkerMachine
    var link: SimulatedLink?
    var isAlive = true
    var isConnecting = false
    /// The result of its machine's `nextDeadline()` after the latest change.
    var due: Instant?
    let slots: Int
    /// What it has when nothing is wrong.
    let allTools: [ToolDescription]
    /// The names of what it has now.
    var toolNames: Set<String>
    /// Running tools, by attempt; each with the number of its end event.
    var running: [AttemptID: RunningTool] = [:]
    /// The attempts whose tools were told to end.
    var told: Set<AttemptID> = []

    struct RunningTool {
        var start: WorkerMachine.AttemptStart
        var begunAt: Instant
        /// Counts re-planned ends; only the latest one counts.
        var version: Int
        var isStubborn: Bool
        var outcome: Result<RawJSON, Failure>
        /// How many bytes it has written to each stream.
        var written: [ChunkStream: Int] = [:]
    }

    init(
        name: String,
        incarnation: Int,
        slots: Int,
        tools: [ToolDescription],
        limits: Limits,
        key: HandshakeKey,
        replaces: Bool,
        coordinators: [String],
        seed: UInt64
    ) {
        self.name = name
        self.incarnation = incarnation
        self.slots = slots
        allTools = tools
        toolNames = Set(tools.map(\.name))
        var configuration = WorkerConfiguration(
            name: name,
            slots: slots,
            tools: tools,
            limits: limits
        )
        configuration.hasChangingTools = true
        configuration.replaces = replaces
        configuration.coordinators = max(coordinators.count, 1)
        configuration.coordinatorAddresses = coordinators
        // Some queue little or nothing; more is refused.
        configuration.queueLimit = [0, 1, 3, 1_024][Int(seed % 4)]
        machine = WorkerMachine(configuration: configuration, key: key, seed: seed)
    }

    /// For the trace.
    var label: String { "\(name).\(incarnation)" }
}
