// Runs a launch in this process, from its first worker to its last: the coordinator if it starts one,
// the service, orders of other commands, signals, and the end.
internal import Console
internal import Core
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Launch
internal import LaunchCore
internal import Transport
internal import UVLoop
internal import Wire

/// A launch in this process.
///
/// Confined to its loop.
final class LaunchUp {
    private let surroundings: LaunchSurroundings
    private let json: Bool
    /// The file that the outputs of this process go to, if it runs in the background.
    private let log: String?
    private let loop: EventLoop
    private let display: LaunchDisplay
    private var state: LaunchState?
    private var coordinator: CoordinatorProcess?
    private var service: LaunchService?
    private var link: LaunchLink?
    private var demand: LaunchDemand?
    private var teller: LaunchTeller?
    private var address: Endpoint
    private var failure: CommandFailure?
    private var interrupts = 0
    private var isAbandoned = false
    private var publishing: Timer?
    /// Changes in quick succession are written together.
    private static let publishPause = Duration.milliseconds(30)
    private var isEnding = false

    static let prefix = "weft-launch-"
    /// The longest path of a folder in which ssh can have a socket.
    private static let longestFolder = 70

    init(_ surroundings: LaunchSurroundings, json: Bool, log: String?) throws {
        self.surroundings = surroundings
        self.json = json
        self.log = log
        address = try surroundings.address()
        try surroundings.checkReach(of: address)
        loop = try Shell.makeLoop()
        display = LaunchDisplay(loop: loop, launch: surroundings.file.name, json: json)
    }

    /// Runs until nothing of the launch is left.
    func run() throws {
        // Before there is a state that others can see: without a handler their signal would end
        // this process.
        let orders = try SignalSource(loop: loop, signal: SIGUSR1) { [self] in followOrders() }
        let state = try takeState()
        self.state = state
        if let log { rename(log, surroundings.log) }
        // What is left is for the next launch.
        defer { isAbandoned ? state.leave() : state.remove() }
        let folder = try Self.temporaryFolder()
        defer { folder.remove() }
        let keeper = ProcessKeeper(loop: loop, folder: folder)
        try keeper.start()
        defer { keeper.shutDown() }
        try start(folder: folder.path)
        let signals =
            try Shell.onEndingSignals(loop) { [self] isUrgent in interrupt(isUrgent: isUrgent) }
            + [orders]
        loop.run()
        for signal in signals { signal.close() }
        display.end()
        if !isAbandoned { loop.close() }
        if let failure { throw failure }
    }

    // MARK: - Beginning

    private func takeState() throws -> LaunchState {
        let name = surroundings.file.name
        let folder = surroundings.stateFolder
        do throws(KeyFileError) {
            try StateDirectory.prepare(folder)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        LaunchLeftovers.sweep(folder)
        do throws(LaunchStateError) {
            if let state = try LaunchState(taking: name, in: folder) { return state }
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        throw CommandFailure(
            .usage,
            "The launch \(name) runs already. See it with weft launch --status, end it with weft "
                + "launch --down, or give this one another --name."
        )
    }

    private static func temporaryFolder() throws -> TemporaryFolder {
        let named = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        let base = named.utf8.count + prefix.utf8.count > longestFolder ? "/tmp" : named
        TemporaryFolder.sweep(base, prefix: prefix)
        do {
            return try TemporaryFolder(in: base, prefix: prefix)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }

    /// Starts the coordinator and then the workers, or the workers at once.
    private func start(folder: String) throws {
        guard let arguments = surroundings.coordinatorArguments() else {
            return try startWorkers(folder: folder)
        }
        coordinator = try CoordinatorProcess(
            loop: loop,
            arguments: [Shell.ownPath] + arguments,
            environment: Shell.environmentOfOwnProcess(without: ["WEFT_COORDINATOR", "WEFT_JOIN"]),
            onReady: { [self] found in
                address.port =
                    surroundings.file.coordinator?.address == nil
                    ? found.port : address.port
                display.say("the coordinator listens on \(found)")
                do {
                    try startWorkers(folder: folder)
                } catch {
                    end(error as? CommandFailure ?? CommandFailure(.failed, "\(error)"))
                }
            },
            onEnd: { [self] line in
                coordinator = nil
                let message = line.replacing("error: ", with: "")
                end(CommandFailure(.failed, "The coordinator ended: \(message)"))
            }
        )
    }

    private func startWorkers(folder: String) throws {
        let service = LaunchService(
            loop: loop,
            options: LaunchService.Options(
                file: surroundings.file,
                program: Shell.ownPath,
                id: Self.identity(of: surroundings.file),
                environment: LaunchSurroundings.environment,
                folder: folder,
                stateFolder: state?.folder ?? folder,
                privateFolders: surroundings.privateFolders,
                coordinator: address,
                joinLine: { [surroundings] in try surroundings.joinLine(at: $0) }
            )
        )
        service.onLine = { [self] in display.say($0) }
        service.onChange = { [self] in publishSoon() }
        service.onFinish = { [self] outcome in finish(outcome) }
        try connect(service)
        self.service = service
        service.start()
        followOrders()
    }

    /// Lets the coordinator know of the launch, and the launch of what waits there.
    private func connect(_ service: LaunchService) throws {
        guard let link = try surroundings.link(on: loop, to: address) else { return }
        self.link = link
        if surroundings.isElastic {
            demand = LaunchDemand(loop: loop, link: link) { [weak service] nodes in
                service?.noteDemand(nodes)
            }
        }
        let teller = LaunchTeller(loop: loop, link: link)
        self.teller = teller
        link.onConnected = { [weak teller] _ in teller?.begin() }
        link.start()
    }

    static func identity(of file: LaunchFile) -> String {
        "\(file.name)-\(Hex.encode(SecureRandom.bytes(4)))"
    }

    // MARK: - While it runs

    private func publishSoon() {
        let timer = publishing ?? Timer(loop: loop) { [weak self] in self?.publish() }
        publishing = timer
        if !timer.isScheduled { timer.schedule(after: Self.publishPause) }
    }

    private func publish() {
        guard let service, let state else { return }
        let document = LaunchStatus(
            name: surroundings.file.name,
            coordinator: "\(address)",
            groups: service.groups,
            workers: service.workers
        )
        state.publish(document.json(removals: service.removals))
        display.show(document)
        teller?.note(
            LaunchDocument(surroundings.file, groups: document.groups, workers: document.workers)
        )
    }

    private func followOrders() {
        guard let state else { return }
        for (order, remove) in state.orders() {
            switch order {
            case .scale(let group, let count):
                // Until there are groups it waits, and is read when there are.
                guard let service else { continue }
                _ = service.scale(group, to: count)
            case .down(let isUrgent): down(isUrgent: isUrgent)
            }
            publish()
            remove()
        }
    }

    private func interrupt(isUrgent: Bool) {
        interrupts += 1
        if failure?.status == .interrupted || interrupts > 2 { return abandon() }
        let isUrgent = isUrgent || interrupts > 1
        if isUrgent { failure = CommandFailure(.interrupted) }
        display.say(
            isUrgent
                ? "stopping; another Ctrl-C leaves what has not ended yet"
                : "draining; a second Ctrl-C stops at once"
        )
        down(isUrgent: isUrgent)
    }

    /// Ends this process: workers end by themselves, and the next launch removes what else is left.
    private func abandon() {
        publish()
        isAbandoned = true
        failure = CommandFailure(
            .interrupted,
            "Some workers may not have ended. They end by themselves within a minute."
        )
        loop.stop()
    }

    private func down(isUrgent: Bool) {
        if let service { return service.down(isUrgent: isUrgent) }
        end(nil)
    }

    // MARK: - Ending

    private func finish(_ outcome: LaunchMachine.Outcome) {
        publish()
        publishing?.close()
        switch outcome {
        case .down: break
        case .deserted: display.say("all workers have left")
        case .stopped:
            failure = failure ?? CommandFailure(.failed, "Some workers were stopped.")
        case .failed:
            failure = failure ?? CommandFailure(.failed, "No worker could be started.")
        }
        service = nil
        demand?.close()
        teller?.close()
        link?.close()
        end(nil)
    }

    /// Ends what is left of the launch, then the command.
    private func end(_ failure: CommandFailure?) {
        self.failure = self.failure ?? failure
        if let service, coordinator == nil || !isEnding {
            isEnding = true
            return service.down(isUrgent: coordinator == nil)
        }
        guard let coordinator else { return loop.stop() }
        coordinator.stop { [self] in
            self.coordinator = nil
            loop.stop()
        }
    }
}
