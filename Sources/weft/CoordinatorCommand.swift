// `weft coordinator`: runs a coordinator until it is told to stop.

internal import ArgumentParser
internal import Client
internal import Console
internal import Coordinator
internal import CoordinatorCore
internal import Glibc
internal import LanguageModels
internal import Logging
internal import Transport
internal import UVLoop
internal import Wire

struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Runs a coordinator: it takes plans and sends nodes to workers.",
        discussion: """
            Runs until SIGINT, SIGTERM or SIGHUP. The state folder holds the key files that workers and \
            clients need; they are made at the first start. Runs are kept in memory.

            Examples:
              weft coordinator
              weft coordinator --listen 127.0.0.1:0 --ephemeral
            """
    )

    @Option(help: "The address to listen on; port 0 lets the system choose one.")
    var listen = "127.0.0.1:7420"

    @Option(help: "The state folder (default: WEFT_STATE_DIR, else the XDG state folder).")
    var state: String?

    @Flag(help: "Keep nothing: a temporary state folder with fresh keys, removed at the end.")
    var ephemeral = false

    @Flag(help: "Listen beyond this host although nothing is encrypted.")
    var insecurePlaintext = false

    @OptionGroup(title: "Configuration") var models: ModelOptions

    @Flag(name: .shortAndLong, help: "Log runs too, not only workers.")
    var verbose = false

    func validate() throws {
        let endpoint = try parsedListen()
        if ephemeral, state != nil {
            throw ValidationError("--ephemeral has a state folder of its own; drop --state.")
        }
        guard Self.isLoopback(endpoint.host) || insecurePlaintext else {
            throw ValidationError(
                """
                \(listen) can be reached from other hosts, and the connection is not encrypted. \
                Listen on 127.0.0.1 and let workers come through an encrypted tunnel \
                (ssh -N -L 7420:127.0.0.1:7420 HOST), or accept the risk with \
                --insecure-plaintext.
                """
            )
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    func run() throws {
        let stateFolder = try StateFolder.open(state, isEphemeral: ephemeral)
        defer { stateFolder.removeIfEphemeral() }
        let state: CoordinatorState
        do {
            state = try CoordinatorState(path: stateFolder.path)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        let endpoint = try parsedListen()
        let loop = try Shell.makeLoop()
        let keeper = try stateFolder.startRemover(on: loop)
        defer { keeper?.shutDown() }
        let configuration = try models.configuration()
        var machine = CoordinatorMachine.Configuration(
            limits: configuration.limits,
            keys: state.keys,
            epoch: state.epoch,
            software: WeftlineVersion.software
        )
        machine.planExamples = configuration.plans
        machine.remembersPlans = configuration.remembersPlans
        let memoryFile = PlanMemoryFile(in: stateFolder.path)
        do {
            machine.rememberedPlans = try memoryFile.load()
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        let models = try models.models(configuration, on: loop)
        let service = CoordinatorService(
            loop: loop,
            options: CoordinatorService.Options(
                host: endpoint.host,
                port: endpoint.port,
                machine: machine,
                memoryFile: memoryFile
            ),
            models: models,
            logger: Shell.logger("coordinator", level: verbose ? .debug : .info)
        )
        let address: SocketAddress
        do {
            address = try service.start()
        } catch {
            throw CommandFailure(
                .usage,
                "\(error). Choose another --listen address, or stop what uses this one."
            )
        }
        Shell.tell("coordinator listens on \(address), state in \(stateFolder.path)")
        let signals = try Shell.onEndingSignals(loop) { _ in
            service.stop()
            models?.close()
        }
        loop.run()
        for signal in signals { signal.close() }
        loop.close()
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
