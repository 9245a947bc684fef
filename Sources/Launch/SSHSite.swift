// A host that is reached by ssh: one shared connection, the program copied once, the files of the
// launch in a folder that goes with the connection, workers behind it.
internal import Glibc
internal import LaunchCore
internal import Tools
internal import Transport
internal import UVLoop

final class SSHSite: LaunchSite {
    let name: String
    private let context: LaunchContext
    private let commands: SSHCommands
    private let isTunnelled: Bool
    /// The manifests that workers here need, by the place of their group.
    private let manifests: [(group: Int, manifest: Manifest)]
    private var processes = MemberProcesses()
    private var anchor: RunningCommand?
    private var step: RunningCommand?
    private var report: ((SiteReport) -> Void)?
    private var onReleased: (() -> Void)?
    private var endTimer: Timer?
    /// Whether the next connection is made as soon as the last one has ended.
    private var isConnectionWanted = false
    /// How many connections there were; a step belongs to one.
    private var connections = 0
    /// The workers that use the shared connection.
    private var sharing: Set<MemberID> = []
    /// The workers that wait until a connection of their own may be opened.
    private var queued: [MemberID: (MemberReport) -> Void] = [:]
    /// The kind of host, as it says.
    private var system: String?
    private var hasProgram = false
    /// The coordinator as workers here find it.
    private var coordinator: Endpoint

    /// A connection that was asked to end is cut after this time.
    private static let endLimit = Duration.seconds(10)

    init(
        _ context: LaunchContext,
        host: String,
        entry: SSHEntry,
        number: Int,
        manifests: [(group: Int, manifest: Manifest)]
    ) {
        self.context = context
        self.manifests = manifests
        name = host
        isTunnelled = entry.isTunnelled
        coordinator = context.coordinator
        commands = SSHCommands(
            host: host,
            options: entry.options,
            socket: "\(context.folder)/\(number)",
            digest: context.digest,
            bytes: System.size(of: context.program),
            folder: "\(context.id)-\(number)"
        )
    }

    // MARK: - Preparing

    func prepare(_ report: @escaping (SiteReport) -> Void) {
        self.report = report
        report(.advanced("connects"))
        // Until the last connection has ended, it has the socket and the folder on the host.
        if anchor == nil { connect() } else { isConnectionWanted = true }
    }

    private func connect() {
        system = nil
        hasProgram = false
        connections += 1
        let connection = connections
        context.gate.enter { [weak self] pass in
            guard let self, connection == connections, report != nil else { return pass.end() }
            connect(pass)
        }
    }

    private func connect(_ pass: ConnectionGate.Pass) {
        anchor = RunningCommand(
            context,
            commands.anchor,
            input: .pipe,
            onLine: { [weak self] line in
                pass.end()
                self?.handleAnchorLine(line)
            },
            onEnd: { [weak self] end in
                pass.end()
                self?.anchorEnded(end)
            }
        )
    }

    private func handleAnchorLine(_ line: String) {
        if let system = line.suffix(after: "weft-system ") { self.system = system }
        if line == "weft-program there" { hasProgram = true }
        guard line.hasPrefix("weft-home "), let system else { return }
        guard system == System.description else {
            return fail(
                "it is \(system), and this weft is for \(System.description). Start the launch "
                    + "with a weft that was built for it, from a host of its kind.",
                isFinal: true
            )
        }
        hasProgram ? copyFiles(manifests[...]) : copyProgram()
    }

    private func copyProgram() {
        report?(.advanced("copies the program"))
        run(commands.copyProgram(context.program)) { [self] _ in
            copyFiles(manifests[...])
        }
    }

    private func copyFiles(_ rest: ArraySlice<(group: Int, manifest: Manifest)>) {
        guard let (group, manifest) = rest.first else { return forward() }
        report?(.advanced("copies the tools"))
        run(copyFilesCommand(group, manifest)) { [self] _ in
            copyFiles(rest.dropFirst())
        }
    }

    private func copyFilesCommand(_ group: Int, _ manifest: Manifest) -> [String] {
        let files = (try? manifest.filesBeside()) ?? []
        let others = context.privateNames(in: manifest.folder)
        return commands.copyFiles(manifest, files, group: group, without: others)
    }

    private func forward() {
        coordinator = context.coordinator
        guard isTunnelled else { return report?(.ready) ?? () }
        run(commands.forward(to: context.coordinator)) { [self] lines in
            // Only the number, or in words: Allocated port 40123 for …
            let words = lines.joined(separator: " ").split(separator: " ")
            guard let port = words.lazy.compactMap({ Int($0) }).first else {
                return fail("ssh does not tell the port of the tunnel", isFinal: true)
            }
            coordinator = Endpoint(host: "127.0.0.1", port: port)
            report?(.ready)
        }
    }

    /// Runs a step of the preparation; a failure is that of the site.
    private func run(_ arguments: [String], then: @escaping (_ lines: [String]) -> Void) {
        let connection = connections
        step = RunningCommand(context, arguments) { [weak self] end in
            guard let self, connection == connections else { return }
            step = nil
            guard anchor != nil, report != nil, !isConnectionWanted else { return }
            if end.isSuccess { return then(end.lines) }
            fail(end.reason, isFinal: Self.isFinal(end.reason))
        }
    }

    /// Ends the connection and reports the failure.
    private func fail(_ reason: String, isFinal: Bool) {
        let report = report
        self.report = nil
        endConnection()
        report?(.failed(reason: reason, isFinal: isFinal))
    }

    private func endConnection() {
        step?.signal(SIGTERM)
        anchor?.closeInput()
        guard endTimer == nil else { return }
        endTimer = Timer(loop: context.loop) { [weak self] in self?.anchor?.signal(SIGKILL) }
        endTimer?.schedule(after: Self.endLimit)
    }

    private func anchorEnded(_ end: CommandEnd) {
        anchor = nil
        step?.signal(SIGTERM)
        endTimer?.close()
        endTimer = nil
        if isConnectionWanted {
            isConnectionWanted = false
            return connect()
        }
        let report = report
        self.report = nil
        if let onReleased {
            self.onReleased = nil
            return onReleased()
        }
        let reason = end.lastLine.isEmpty ? "the connection ended" : end.lastLine
        report?(.failed(reason: reason, isFinal: Self.isFinal(reason)))
    }

    /// Whether another try would fail in the same way.
    private static func isFinal(_ reason: String) -> Bool {
        [
            "Permission denied", "Host key verification failed", "not found",
            SSHCommands.startAgain,
        ].contains { reason.contains($0) }
    }

    // MARK: - Releasing

    func release(_ then: @escaping () -> Void) {
        report = nil
        isConnectionWanted = false
        connections += 1
        guard anchor != nil else { return context.loop.nextTurn(then) }
        onReleased = then
        endConnection()
    }

    // MARK: - Workers

    func start(_ plan: MemberPlan, _ report: @escaping (MemberReport) -> Void) {
        let isSharing = sharing.count < SSHCommands.mostSharing
        if isSharing { sharing.insert(plan.id) }
        var isRefused = false
        let watch: (MemberReport) -> Void = { [weak self] told in
            var told = told
            if case .said(let line) = told, line.contains("Session open refused") {
                isRefused = true
            }
            if case .ended(var end) = told {
                self?.sharing.remove(plan.id)
                if isRefused { end.reason = Self.refusal }
                told = .ended(end)
            }
            report(told)
        }
        if isSharing { return start(plan, watch, isSharing: true) }
        queued[plan.id] = watch
        context.gate.enter { [weak self] pass in
            guard let self, queued.removeValue(forKey: plan.id) != nil else { return pass.end() }
            start(
                plan,
                { told in
                    pass.end()
                    watch(told)
                },
                isSharing: false
            )
        }
    }

    private func start(
        _ plan: MemberPlan,
        _ watch: @escaping (MemberReport) -> Void,
        isSharing: Bool
    ) {
        context.withJoinLine(coordinator, watch) { line in
            let process = MemberProcess(
                context,
                commands.worker(plan, group: plan.id.group, isSharing: isSharing),
                joinLine: line,
                report: watch
            )
            processes.add(process, plan.id)
        }
    }

    private static let refusal =
        "the host's sshd allows too few sessions on one connection. Set its MaxSessions to "
        + "\(SSHCommands.mostSharing + 1) or more."

    func drain(_ member: MemberID) { if !giveUp(member) { processes[member]?.drain() } }
    func stop(_ member: MemberID) { if !giveUp(member) { processes[member]?.stop() } }
    func kill(_ member: MemberID) { if !giveUp(member) { processes[member]?.kill() } }

    /// Ends a worker that has not been started yet; false if there is no such worker.
    private func giveUp(_ member: MemberID) -> Bool {
        guard let report = queued.removeValue(forKey: member) else { return false }
        context.loop.nextTurn { report(.ended(MemberEnd(status: 0, reason: ""))) }
        return true
    }

    func removal(of member: MemberID) -> [String]? { nil }

    func steps(for plans: [MemberPlan]) -> [SiteStep] {
        var steps: [SiteStep] = [
            ("before workers start", ShellWords.line(commands.anchor)),
            (
                "if the host does not have this program yet",
                ShellWords.line(commands.copyProgram(context.program))
            ),
        ]
        for (group, manifest) in manifests {
            let copy = ShellWords.line(copyFilesCommand(group, manifest))
            steps.append(("before workers start", copy))
        }
        if isTunnelled {
            let forward = ShellWords.line(commands.forward(to: context.coordinator))
            steps.append(("before workers start", forward))
        }
        for (number, plan) in plans.enumerated() {
            let isSharing = number < SSHCommands.mostSharing
            let words = commands.worker(plan, group: plan.id.group, isSharing: isSharing)
            steps.append(("to start \(plan.name)", ShellWords.line(words)))
        }
        return steps
    }
}
