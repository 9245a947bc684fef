// The cluster that a run starts for itself when no coordinator is named.
internal import ArgumentParser
internal import Client
internal import Console
internal import Coordinator
internal import FoundationEssentials
internal import Logging
internal import Tools
internal import Weftline
internal import Wire

/// The flags of a run's own cluster.
struct ClusterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The manifest of its tools.", valueName: "tools.yaml"))
    var tools: String?
    @Option(help: ArgumentHelp("How many workers it has (default: 2).", valueName: "number"))
    var workers: Int?
    @Option(
        help: ArgumentHelp(
            "How many nodes each worker runs at a time (default: 4, or the cores if more).",
            valueName: "number"
        )
    )
    var slots: Int?
    @Flag(help: "Offer the diagnostic tools too: noop, echo, sleep, fail, payload.")
    var diagnostics = false

    func validate() throws {
        if let workers, !(1...256).contains(workers) {
            throw ValidationError("--workers must be from 1 to 256.")
        }
        if let slots, !(1...4096).contains(slots) {
            throw ValidationError("--slots must be from 1 to 4096.")
        }
    }

    /// The flags that were given.
    var given: [String] {
        [
            tools.map { _ in "--tools" }, workers.map { _ in "--workers" },
            slots.map { _ in "--slots" }, diagnostics ? "--diagnostics" : nil,
        ].compactMap(\.self)
    }

    /// Checks that the flags fit a run with, or without, a named coordinator; `modelUser` is what
    /// needs a model, for messages.
    func check(isRemote: Bool, models: ModelOptions, modelUser: String?) throws {
        if let modelUser, !isRemote, models.path == nil {
            throw ValidationError(
                "\(modelUser) needs a language model: name one in a file and give it by --config or "
                    + "WEFT_CONFIG, or name a --coordinator that has one."
            )
        }
        if isRemote, models.config != nil || models.record != nil {
            throw ValidationError(
                "--config and --record are for a cluster that this command starts for itself; a "
                    + "coordinator has models of its own."
            )
        }
        if isRemote, let flag = given.first {
            throw ValidationError(
                "\(flag) is for a cluster that this command starts for itself, but a coordinator is "
                    + "named by --coordinator or WEFT_COORDINATOR. Leave one of them out."
            )
        }
        if !isRemote, tools == nil, !diagnostics {
            throw ValidationError(
                "Say where the tools are: --tools tools.yaml for a cluster of its own, or "
                    + "--coordinator HOST:PORT."
            )
        }
    }

    /// Checks of plans by the tools of the cluster; ends the command when the manifest is invalid,
    /// or when an allowed tool does not exist.
    ///
    /// MCP servers are started to know their tools if `asksServers`; otherwise any tool may be
    /// theirs.
    func check(
        owner: String = "this run's cluster",
        allowed: [String]? = nil,
        asksServers: Bool = false
    ) throws -> PlanCheck {
        var manifest: Manifest?
        if let tools {
            do throws(ManifestError) {
                manifest = try Manifest.load(path: tools)
            } catch {
                throw CommandFailure(error)
            }
        }
        let programs = manifest?.tools ?? []
        let hasServers = manifest?.servers.isEmpty == false
        var offered = programs.map(\.description)
        if let manifest, hasServers, asksServers {
            offered = try ServerQuestion.toolsOfAll(in: manifest)
        }
        if diagnostics { offered += DiagnosticTools.descriptions }
        let check = PlanCheck(
            offered,
            programs: programs,
            owner: owner,
            allowed: allowed,
            isOpen: hasServers && !asksServers
        )
        if let sentence = check.unknownTool(among: allowed ?? []) {
            throw CommandFailure(.usage, "--allow-tool names \(sentence)")
        }
        return check
    }

    /// Variables with keys of models, except those that a tool gets by name.
    private func withheld(_ keys: Set<String>) throws -> Set<String> {
        let passed = try tools.map { try Manifest.load(path: $0).passedVariables }
        return keys.subtracting(passed ?? [])
    }

    /// Starts the cluster, starts the run when the cluster is ready, and stops it with the session.
    ///
    /// With a folder it keeps its runs in the journal there.
    func start(for run: PlanRun, models: ModelOptions, keepingRunsIn folder: String? = nil) throws {
        try start(
            in: run.session,
            models: models,
            keepingRunsIn: folder,
            onLines: { [weak run] in run?.say($0) },
            onReady: { run.start($0) },
            onFailure: {
                run.end(CommandFailure(.failed, "The cluster of this run failed: \($0)"))
            }
        )
    }

    /// Starts the cluster and stops it with the session.
    ///
    /// - Parameters:
    ///   - session: The session of the command.
    ///   - models: The models for planning.
    ///   - folder: The state folder in whose journal runs are kept; nil keeps them in memory.
    ///   - onLines: Called with what workers write.
    ///   - onReady: Called with how to connect when the workers are there.
    ///   - onFailure: Called with why there will be no cluster, instead.
    /// - Throws: `CommandFailure` if it cannot start.
    func start(
        in session: Session,
        models: ModelOptions,
        keepingRunsIn folder: String?,
        onLines: @escaping ([String]) -> Void,
        onReady: @escaping (CoordinatorClient.Options) -> Void,
        onFailure: @escaping (String) -> Void
    ) throws {
        do {
            let configuration = try models.configuration()
            if configuration.remembersPlans {
                Shell.tell(
                    "warning: remember_plans is for a coordinator; without one, nothing is kept"
                )
            }
            let processes = WorkerProcesses(
                loop: session.loop,
                options: try workerOptions(withheld: configuration.keyVariables),
                onLines: onLines
            )
            let cluster = try EmbeddedCluster(
                loop: session.loop,
                workers: processes,
                models: try models.models(configuration, on: session.loop),
                limits: configuration.limits,
                plans: configuration.plans,
                keepingRunsIn: folder,
                software: WeftlineVersion.software,
                logger: Shell.logger("coordinator", level: .warning),
                onReady: { endpoint, key in onReady(.client(to: [endpoint], key: key)) },
                // The worker's message begins with the same word.
                onFailure: { onFailure($0.replacing("error: ", with: "")) }
            )
            session.onEnd = { then in cluster.stop(then: then) }
            session.onEndAtOnce = { cluster.endAtOnce() }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.failed, "The cluster of this command cannot start: \(error)")
        }
    }

    private func workerOptions(withheld keys: Set<String>) throws -> WorkerProcesses.Options {
        WorkerProcesses.Options(
            command: [Shell.ownPath, "worker"],
            environment: Shell.environmentOfOwnProcess(without: try withheld(keys)),
            count: workers ?? 2,
            slots: slots ?? max(4, ProcessInfo.processInfo.activeProcessorCount),
            tools: tools,
            hasDiagnostics: diagnostics
        )
    }
}
