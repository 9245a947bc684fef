// The workers of an embedded cluster as processes, usually of this same program. Their output is
// passed on line by line.
internal import Glibc
package import Transport
package import UVLoop
package import Wire

/// Processes that run `weft worker` for one cluster.
///
/// Confined to its loop.
package final class WorkerProcesses: ClusterWorkers {
    /// The options of the processes.
    package struct Options {
        /// The program and its first arguments, before those of `weft worker`.
        package var command: [String]
        /// The environment of each process.
        package var environment: [(String, String)]
        /// How many processes.
        package var count: Int
        /// Slots of each worker; nil for one a core.
        package var slots: Int?
        /// The path of the workers' manifest, if they have one.
        package var tools: String?
        /// Whether the workers also have the diagnostic tools.
        package var hasDiagnostics: Bool
        /// Whether the workers write warnings only.
        package var isQuiet: Bool

        /// Makes options.
        package init(
            command: [String],
            environment: [(String, String)],
            count: Int = 2,
            slots: Int? = nil,
            tools: String? = nil,
            hasDiagnostics: Bool = false,
            isQuiet: Bool = true
        ) {
            self.command = command
            self.environment = environment
            self.count = count
            self.slots = slots
            self.tools = tools
            self.hasDiagnostics = hasDiagnostics
            self.isQuiet = isQuiet
        }
    }

    /// Called with lines that workers write, and with lines about workers that end early.
    package var onLines: ([String]) -> Void

    private let loop: EventLoop
    private let options: Options
    private var processes: [ChildProcess] = []
    private var runningCount = 0
    private var hasAllJoined = false
    private var isStopping = false
    private var outputBeforeJoining = ""
    private var onFailure: ((String) -> Void)?
    private var onStopped: (() -> Void)?
    private var killTimer: Timer?

    /// How long workers may take to drain before they are killed.
    private static let grace = Duration.seconds(5)

    /// Prepares the processes; nothing happens before the cluster starts them.
    package init(
        loop: EventLoop,
        options: Options,
        onLines: @escaping ([String]) -> Void
    ) {
        self.loop = loop
        self.options = options
        self.onLines = onLines
    }

    package var count: Int { options.count }

    package func start(
        coordinator: Endpoint,
        key: HandshakeKey,
        onFailure: @escaping (String) -> Void
    ) throws {
        self.onFailure = onFailure
        for number in 1...options.count { try startWorker(number, coordinator, key) }
    }

    private func startWorker(
        _ number: Int,
        _ coordinator: Endpoint,
        _ key: HandshakeKey
    ) throws {
        var arguments =
            options.command + [
                "--coordinator", "\(coordinator)", "--key-file", "-", "--name", "worker-\(number)",
                "--exit-after", "3s",
                // No other worker could have a missing program: such calls fail with the reason
                // instead of waiting.
                "--offer-all",
            ]
        if options.isQuiet { arguments.append("--quiet") }
        if let tools = options.tools { arguments += ["--tools", tools] }
        if let slots = options.slots { arguments += ["--slots", "\(slots)"] }
        if options.hasDiagnostics { arguments.append("--diagnostics") }
        let process = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: arguments,
                environment: options.environment,
                standardInput: .bytes(Array("\(key.hex)\n".utf8))
            ),
            onOutput: { [weak self] _, bytes in self?.handleOutput(bytes, of: number) },
            onExit: { [weak self] status in self?.handleExit(of: number, status) }
        )
        processes.append(process)
        runningCount += 1
    }

    /// Output is passed on once all workers have joined; before, it is kept to explain why one
    /// failed, and only the failures of MCP servers are passed on, which are the same on all.
    private func handleOutput(_ bytes: [UInt8], of number: Int) {
        guard !isStopping else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        if !hasAllJoined { outputBeforeJoining += text }
        let lines = text.split(separator: "\n").map(String.init)
        if hasAllJoined || !options.isQuiet {
            onLines(lines)
        } else if number == 1 {
            let failures = lines.filter { $0.hasSuffix("MCP server failed; starting it again") }
            if !failures.isEmpty { onLines(failures) }
        }
    }

    private func handleExit(of number: Int, _ status: ChildProcess.ExitStatus) {
        runningCount -= 1
        if isStopping {
            finishIfStopped()
        } else if !hasAllJoined {
            isStopping = true
            let output = outputBeforeJoining.split(separator: "\n").joined(separator: "\n")
            onFailure?(
                output.isEmpty ? "Worker \(number) ended before it was ready (\(status))." : output
            )
        } else {
            onLines(["worker-\(number) ended (\(status)); its attempts go to other workers"])
        }
    }

    package func handleAllJoined() { hasAllJoined = true }

    /// Each worker logs it itself.
    package func handleRefusedTool(_ name: String, reason: String) {}

    package func stop(then: @escaping () -> Void) {
        isStopping = true
        onStopped = then
        for process in processes { process.signalGroup(SIGTERM) }
        let timer = Timer(loop: loop) { [weak self] in
            for process in self?.processes ?? [] { process.signalGroup(SIGKILL) }
        }
        timer.schedule(after: Self.grace)
        killTimer = timer
        finishIfStopped()
    }

    package func endAtOnce() {
        isStopping = true
        // A worker drains at the first signal and ends at the second.
        for process in processes {
            process.signalGroup(SIGTERM)
            process.signalGroup(SIGINT)
        }
    }

    private func finishIfStopped() {
        guard runningCount == 0, let then = onStopped else { return }
        onStopped = nil
        killTimer?.close()
        then()
    }
}

@available(*, unavailable)
extension WorkerProcesses: Sendable {}
