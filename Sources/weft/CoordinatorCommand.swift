// `weft coordinator`: runs a coordinator until it is told to stop.

internal import ArgumentParser
internal import Client
internal import Configuration
internal import Console
internal import Coordinator
internal import CoordinatorCore
internal import Core
internal import Glibc
internal import Journal
internal import LanguageModels
internal import Logging
internal import Pages
internal import Transport
internal import UVLoop
internal import Wire

struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Runs a coordinator: it takes plans and sends nodes to workers.",
        discussion: """
            Runs until SIGINT, SIGTERM or SIGHUP: then it accepts no further run, and ends when workers \
            have finished what they have begun; a second signal ends it at once. The state folder holds \
            the key files that workers and clients need; they are made at the first start. Runs are kept \
            in a journal there, and go on after a restart.

            Examples:
              weft coordinator
              weft coordinator --listen 127.0.0.1:0 --ephemeral
            """
    )

    @Option(help: "The address to listen on; port 0 lets the system choose one.")
    var listen = "127.0.0.1:7420"

    @Option(help: "The state folder (default: WEFT_STATE_DIR, else the XDG state folder).")
    var state: String?

    @Flag(
        help:
            "Keep runs in memory only; without --state in a temporary state folder with fresh keys, too."
    )
    var ephemeral = false

    @Option(
        help: ArgumentHelp(
            "Keep runs in a database, postgresql://USER@HOST:PORT/DATABASE, which several coordinators "
                + "may share: one leads, the others stand by (default: WEFT_JOURNAL, else a file in "
                + "the state folder).",
            valueName: "url"
        )
    )
    var journal: String?

    @Option(help: "How long a run is kept after its end, such as 12h; 0s keeps none for long.")
    var keep = "7d"

    @Option(
        help: ArgumentHelp(
            "How many bytes of runs that have ended are kept, such as 20GiB; the oldest go first "
                + "(default: no limit).",
            valueName: "size"
        )
    )
    var keepBytes: String?

    @Option(
        help: ArgumentHelp(
            "How much memory runs may take, such as 512MiB; those that have ended leave it first and "
                + "are read from the journal (default: held_bytes of the configuration, 768MiB).",
            valueName: "size"
        )
    )
    var memoryBudget: String?

    @Option(
        help: ArgumentHelp(
            "How long workers may take at the end to finish what they have begun; 0s ends at once.",
            valueName: "duration"
        )
    )
    var drainTimeout = "10s"

    @Option(
        help: ArgumentHelp(
            "Encrypt connections always, never, or off-host: when listening beyond this host "
                + "(default: WEFT_TLS, else off-host).",
            valueName: "when"
        )
    )
    var tls: TLSPolicy?

    @Flag(help: "Listen beyond this host without encryption.")
    var insecurePlaintext = false

    @OptionGroup(title: "Page") var page: PageFlags

    @OptionGroup(title: "Configuration") var models: ModelOptions

    @Flag(name: .shortAndLong, help: "Log runs too, not only workers.")
    var verbose = false

    @OptionGroup(title: "Observing") var observing: ObservingOptions
    @OptionGroup(title: "Traces") var tracing: TraceOptions

    func validate() throws {
        let endpoint = try parsedListen()
        _ = try kept()
        _ = try page.address(besides: endpoint)
        if let budget = try memoryBytes(), budget < 1 << 20 {
            throw ValidationError("--memory-budget must be at least 1MiB.")
        }
        guard journal == nil || !ephemeral else {
            throw ValidationError("--ephemeral keeps no journal; drop it, or --journal.")
        }
        _ = try sharedJournal()
        _ = try duration(drainTimeout, of: "--drain-timeout")
        guard !insecurePlaintext || tls != .always else {
            throw ValidationError("--insecure-plaintext contradicts --tls always; drop one.")
        }
        let isOpen = try !encryption().encrypts(host: endpoint.host)
        guard TLSPolicy.isLoopback(endpoint.host) || !isOpen || insecurePlaintext else {
            throw ValidationError(
                """
                \(listen) can be reached from other hosts, and --tls never leaves it without \
                encryption. Drop --tls never, or accept the risk with --insecure-plaintext.
                """
            )
        }
    }

    private func encryption() throws -> TLSPolicy {
        insecurePlaintext ? .never : try EncryptionFlag.policy(tls)
    }

    func run() throws {
        observing.logFormat.use()
        let stateFolder = try StateFolder.open(state, isEphemeral: ephemeral && state == nil)
        defer { stateFolder.removeIfEphemeral() }
        let state = try Self.state(in: stateFolder)
        let endpoint = try parsedListen()
        let loop = try Shell.makeLoop()
        let keeper = try stateFolder.startRemover(on: loop)
        defer { keeper?.shutDown() }
        let configuration = try models.configuration()
        let shared = try sharedJournal()
        let keepsFile = !ephemeral && shared == nil
        let journal = keepsFile ? try openJournal(in: stateFolder.path, loop) : nil
        let memoryFile = PlanMemoryFile(in: stateFolder.path)
        let machine = try machine(configuration, state, journal, memoryFile)
        let models = try models.models(configuration, on: loop)
        var options = CoordinatorService.Options(
            host: endpoint.host,
            port: endpoint.port,
            machine: machine,
            memoryFile: memoryFile,
            tls: try encryption(),
            keys: (stateFolder.path, state.keys)
        )
        options.sharedJournal = shared
        options.build = VersionCommand.build
        options.traces = try tracing.settings()
        let service = CoordinatorService(
            loop: loop,
            options: options,
            models: models,
            journal: journal,
            kept: try kept(),
            logger: Shell.logger("coordinator", level: verbose ? .debug : .info)
        )
        var journalFailure: JournalError?
        var listener: MetricsListener?
        var closePage: (() -> Void)?
        service.onStopped = {
            models?.close()
            listener?.close()
            closePage?()
        }
        // Whether it leads at once, or has begun to stand by or to lead.
        var hasBegun = shared == nil
        service.onStanding = { standing in
            hasBegun = true
            Shell.tell(standing.sentence)
        }
        service.onJournalFailure = { problem in
            // Nothing that is promised from here on would hold.
            journalFailure = problem
            service.stop()
        }
        let address = try start(service)
        try tell(address, stateFolder.path)
        let page = try page.serve(service, at: address, besides: endpoint, on: loop)
        closePage = { page?.close() }
        listener = try observing.serve(on: loop) { service.metricsText(isOpenMetrics: $0) }
        let signals = try endOnSignals(service, loop)
        loop.run()
        for signal in signals { signal.close() }
        loop.close()
        if let journalFailure {
            throw CommandFailure(
                hasBegun ? .failed : journalFailure.kind == .unreachable ? .unreachable : .usage,
                "\(journalFailure)"
            )
        }
    }

    /// Drains the coordinator at the first signal, and stops it at the second.
    private func endOnSignals(
        _ service: CoordinatorService,
        _ loop: EventLoop
    ) throws -> [SignalSource] {
        let drainTime = try duration(drainTimeout, of: "--drain-timeout")
        return try Shell.onEndingSignals(loop) { isUrgent in
            if isUrgent || service.isDraining {
                service.stop()
            } else {
                service.drain(for: drainTime)
            }
        }
    }

    private static func state(in folder: StateFolder) throws(CommandFailure) -> CoordinatorState {
        do {
            return try CoordinatorState(path: folder.path)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }

    private func start(_ service: CoordinatorService) throws(CommandFailure) -> SocketAddress {
        do throws(UVError) {
            return try service.start()
        } catch {
            throw CommandFailure(
                .usage,
                "\(error). Choose another --listen address, or stop what uses this one."
            )
        }
    }

    private func machine(
        _ configuration: CoordinatorConfiguration,
        _ state: CoordinatorState,
        _ journal: CoordinatorJournal?,
        _ memoryFile: PlanMemoryFile
    ) throws -> CoordinatorMachine.Configuration {
        var machine = CoordinatorMachine.Configuration(
            limits: try limits(configuration),
            keyring: state.keys.keyring,
            // The higher one, so that no epoch comes twice if one of the files is removed.
            epoch: max(state.epoch, journal?.starts ?? 0),
            software: WeftlineVersion.software
        )
        machine.planExamples = configuration.plans
        machine.remembersPlans = configuration.remembersPlans
        do {
            machine.rememberedPlans = try memoryFile.load()
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        return machine
    }

    private func tell(_ address: SocketAddress, _ folder: String) throws {
        let endpoint = try parsedListen()
        let isEncrypted = try encryption().encrypts(host: endpoint.host)
        if !isEncrypted, !TLSPolicy.isLoopback(endpoint.host) {
            Shell.tell(
                "warning: connections are not encrypted (--insecure-plaintext); the "
                    + "network sees plans, arguments and results"
            )
        }
        Shell.tell(
            "coordinator listens on \(address)\(isEncrypted ? ", encrypted" : ""), state in "
                + folder
        )
    }

    private func openJournal(in folder: String, _ loop: EventLoop) throws -> CoordinatorJournal {
        do {
            return try CoordinatorJournal(in: folder, loop: loop)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }

    /// The database that has the journal; nil if that is a file, or there is none.
    private func sharedJournal() throws -> PostgresPlace? {
        let named = journal ?? ConnectionChoice.environment("WEFT_JOURNAL")
        guard !ephemeral, let named else { return nil }
        do throws(JournalError) {
            return try PostgresPlace(url: named)
        } catch {
            throw ValidationError("--journal: \(error)")
        }
    }

    /// The limits of the configuration, with what runs may hold in memory.
    private func limits(_ configuration: CoordinatorConfiguration) throws -> Limits {
        var limits = configuration.limits
        guard let budget = try memoryBytes() else { return limits }
        limits.heldBytes = budget
        limits.runBytes = min(limits.runBytes, budget)
        // Live runs need room without waiting for others to leave.
        limits.finishedBytes = min(limits.finishedBytes, budget / 3)
        return limits
    }

    private func memoryBytes() throws -> Int? {
        do throws(QuantityError) {
            guard let memoryBudget else { return nil }
            return try Quantities.parseSize(memoryBudget)
        } catch {
            throw ValidationError("--memory-budget: \(error)")
        }
    }

    /// Which runs that have ended are kept.
    private func kept() throws -> CoordinatorJournal.Kept {
        let duration = try duration(keep, of: "--keep")
        do {
            let bytes = try keepBytes.map { try Quantities.parseSize($0) }
            return CoordinatorJournal.Kept(
                milliseconds: duration.wholeMilliseconds,
                bytes: bytes
            )
        } catch {
            throw ValidationError("--keep-bytes: \(error)")
        }
    }

    private func duration(_ text: String, of option: String) throws -> Duration {
        do {
            return try Quantities.parseDuration(text)
        } catch {
            throw ValidationError("\(option): \(error)")
        }
    }

    /// Unlike a client's endpoint, this one may have port 0.
    private func parsedListen() throws -> Endpoint {
        do {
            guard listen.hasSuffix(":0") else { return try Endpoint.parse(listen) }
            let host = try Endpoint.parse("\(listen.dropLast())1").host
            return Endpoint(host: host, port: 0)
        } catch {
            throw ValidationError("--listen: \(error)")
        }
    }
}

extension CoordinatorService.Standing {
    /// What it means, for people.
    fileprivate var sentence: String {
        switch self {
        case .standby(let leader):
            "stands by" + (leader.map { ", the coordinator at \($0) leads" } ?? "")
        case .leading(let epoch): "leads (epoch \(epoch))"
        }
    }
}
