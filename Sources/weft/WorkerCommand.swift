// `weft worker`: runs tools for a coordinator until it is drained or stopped.

internal import ArgumentParser
internal import Bench
internal import Client
internal import Configuration
internal import Console
internal import Coordinator
internal import Glibc
internal import Logging
internal import OrderedCollections
internal import Tools
internal import Transport
internal import UVLoop
internal import Weftline
internal import Wire
internal import Worker
internal import WorkerCore

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Runs a worker: it offers tools to a coordinator and executes them.",
        discussion: """
            Reconnects when the coordinator goes away. The first SIGINT, SIGTERM or SIGHUP drains \
            it: what runs is finished, nothing new is taken. A second one, or SIGQUIT, ends it at \
            once. However it ends, nothing of its tools is left: no process and no folder.

            With --exit-with-stdin it ends with what started it: when its standard input ends it \
            takes nothing new, gives what runs 5 s, and has ended after 10 s. Until then the line \
            drain on it does what SIGTERM does, and the line stop what SIGQUIT does.

            In a batch of Slurm name, host and slots come from Slurm unless they are given.

            Examples:
              weft worker --tools tools.yaml
              weft worker --coordinator 10.0.0.5:7420 --tools tools.yaml --slots 8 \
            --label gpu=a100 --key-file worker.key
            """
    )

    @Option(
        help: """
            The coordinator, or several that are tried in turn, with commas (default: \
            WEFT_COORDINATOR, else 127.0.0.1:7420).
            """
    )
    var coordinator: String?

    @Option(
        help: """
            A file with a join line, which names coordinator and key; - for a line of standard \
            input (default: WEFT_JOIN).
            """
    )
    var join: String?

    @Option(help: EncryptionFlag.help)
    var tls: TLSPolicy?

    @Option(help: "The manifest of the tools to offer.")
    var tools: String?

    @Option(help: "How many tool calls to run at once (default: one for each core).")
    var slots: Int?

    @Option(help: "The worker's name, unique among workers (default: host name and process id).")
    var name: String?

    @Option(help: "A label that plans can require, as key=value. May be repeated.")
    var label: [String] = []

    @Flag(help: "Also offer the diagnostic tools noop, echo, sleep, fail and payload.")
    var diagnostics = false

    @Option(
        help: """
            The key file; - for a line of standard input (default: WEFT_KEY_FILE, else worker.key \
            in the state folder).
            """
    )
    var keyFile: String?

    @Option(help: "The state folder (default: WEFT_STATE_DIR, else the XDG state folder).")
    var state: String?

    @Flag(help: "Take the name over from a worker that is connected under it; that one ends.")
    var replace = false

    @Flag(help: ArgumentHelp("Also offer tools whose program does not exist.", visibility: .hidden))
    var offerAll = false

    @Flag(
        help: ArgumentHelp("End sleep to the microsecond, for weft bench.", visibility: .hidden)
    )
    var preciseTimers = false

    @Option(help: "End after this time without a coordinator, such as 30s (default: never).")
    var exitAfter: String?

    @Option(
        help: "Drain after this time without work while connected, such as 5m (default: never).",
        transform: positiveDuration
    )
    var idleTimeout: Duration?

    @Option(
        help: ArgumentHelp(
            """
            Have ended after this time, such as 2h: nothing new is taken in its last quarter, one \
            minute at most (default: no limit).
            """
        ),
        transform: positiveDuration
    )
    var timeLimit: Duration?

    @Flag(help: "End when standard input ends, as when what started the worker is gone.")
    var exitWithStdin = false

    @Flag(
        help: ArgumentHelp("Tell on standard output whether it is connected.", visibility: .hidden)
    )
    var tellState = false

    @Flag(name: .shortAndLong, help: "Log warnings only.")
    var quiet = false

    @OptionGroup(title: "Observing") var observing: ObservingOptions

    func validate() throws {
        _ = try parsedLabels()
        try JoinFlag.check(join, coordinator: coordinator, keyFile: keyFile, tls: tls)
        if let slots, !(1...Limits.largestSlots).contains(slots) {
            throw ValidationError("--slots must be from 1 to \(Limits.largestSlots).")
        }
        if let name, !PeerName.isValid(name) {
            throw ValidationError("--name must have \(PeerName.rule).")
        }
        if tools == nil, !diagnostics {
            throw ValidationError(
                "The worker would have no tools: give --tools FILE, or --diagnostics to try it."
            )
        }
        if exitWithStdin, keyFile == "-" {
            throw ValidationError(
                "--key-file - reads standard input to its end, so --exit-with-stdin would end the "
                    + "worker at once. Name a file, or leave one of them out."
            )
        }
        _ = try parsedExitAfter()
    }

    func run() throws {
        observing.logFormat.use()
        let manifest = try readManifest()
        let access = try WorkerDefaults.access(
            join: join,
            coordinator: coordinator,
            keyFile: keyFile,
            state: state,
            tls: tls
        )
        let labels = try parsedLabels()
        let slurm = SlurmDefaults()
        let loop = try Shell.makeLoop()
        let logger = Shell.logger("worker", level: quiet ? .warning : .info)
        let toolbox = try makeToolbox(manifest, loop: loop, logger: logger)
        var options = WorkerOptions(
            endpoints: access.endpoints,
            name: name ?? slurm.name ?? PeerName.ofProcess,
            slots: slots ?? slurm.slots ?? Computer.coreCount,
            labels: labels,
            key: access.key,
            tls: access.tls,
            toolbox: toolbox,
            hostName: slurm.host ?? Computer.hostName,
            processID: Int(ProcessTable.pid),
            software: WeftlineVersion.software,
            exitAfter: try parsedExitAfter()
        )
        options.configuration.idleTimeout = idleTimeout
        options.configuration.timeLimit = timeLimit
        options.configuration.replaces = replace
        if offerAll { options.configuration.hasChangingTools = false }
        let service = WorkerService(loop: loop, options: options, logger: logger)
        let listener = try serveMetrics(of: service, on: loop)
        var failure: CommandFailure?
        var hasExited = false
        service.onExit = { reason in
            listener?.close()
            failure = CommandFailure(reason)
            hasExited = true
            guard reason == .drained else { return loop.stop() }
            // The loop ends when the processes of persistent tools have ended; they get some time.
            let timer = Timer(loop: loop) { loop.stop() }
            timer.schedule(after: PersistentRunner.shutDownGrace + .seconds(1))
            timer.detachFromLoopLife()
        }
        if tellState {
            let slots = options.configuration.slots
            service.onNotice = { Self.tell($0, slots: slots) }
        }
        var signalCount = 0
        let end = { (isUrgent: Bool) in
            signalCount += 1
            if hasExited { return loop.stop() }
            if signalCount == 1, !isUrgent { service.drain() } else { service.stop() }
        }
        let signals = try Shell.onEndingSignals(loop) { [tellState] isUrgent in
            if tellState { Shell.output("weft-worker signalled") }
            end(isUrgent)
        }
        let input = exitWithStdin ? watchInput(loop, end, service.noteStarterGone) : nil
        service.start()
        loop.run()
        for signal in signals { signal.close() }
        input?.close()
        loop.close()
        if let failure { throw failure }
    }

    private func serveMetrics(
        of service: WorkerService,
        on loop: EventLoop
    ) throws -> MetricsListener? {
        let build = VersionCommand.build
        return try observing.serve(on: loop) {
            service.metricsText(isOpenMetrics: $0, commit: build.commit, swift: build.swift)
        }
    }

    /// Tells what started this process whether there is a coordinator.
    private static func tell(_ notice: WorkerMachine.Notice, slots: Int) {
        switch notice {
        case .registered: Shell.output("weft-worker ready \(slots)")
        case .connectFailed(let reason, _), .connectionLost(let reason, _):
            Shell.output("weft-worker waiting \(reason)")
        default: break
        }
    }

    /// Follows the orders of what started this process, and its end.
    private func watchInput(
        _ loop: EventLoop,
        _ end: @escaping (_ isUrgent: Bool) -> Void,
        _ onEnd: @escaping () -> Void
    ) -> StandardInput {
        StandardInput(
            loop: loop,
            onLine: { bytes in
                let line = String(decoding: bytes, as: UTF8.self)
                if line == "drain" || line == "stop" { end(line == "stop") }
            },
            onEnd: onEnd
        )
    }

    private func readManifest() throws -> Manifest? {
        do throws(ManifestError) {
            return try tools.map { (path) throws(ManifestError) in try Manifest.load(path: path) }
        } catch {
            throw CommandFailure(error)
        }
    }

    private func makeToolbox(
        _ manifest: Manifest?,
        loop: EventLoop,
        logger: Logger
    ) throws -> Toolbox {
        for warning in manifest?.warnings() ?? [] { logger.warning("\(warning)") }
        do {
            let toolbox =
                preciseTimers
                ? try Toolbox.make(
                    loop: loop,
                    manifest: manifest,
                    diagnostics: diagnostics,
                    makeTimer: PreciseTimer.make
                )
                : try Toolbox.make(loop: loop, manifest: manifest, diagnostics: diagnostics)
            if let means = toolbox.sandboxMeans { logger.info("\(means)") }
            return toolbox
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }

    private func parsedLabels() throws -> OrderedDictionary<String, String> {
        var labels = OrderedDictionary<String, String>()
        for text in label {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ValidationError("--label \(text): write it as key=value.")
            }
            labels[String(parts[0])] = String(parts[1])
        }
        return labels
    }

    private func parsedExitAfter() throws -> Duration? {
        do {
            return try exitAfter.map { try Quantities.parseDuration($0) }
        } catch {
            throw ValidationError("--exit-after: \(error)")
        }
    }
}
