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
    private var releaseTimer: Timer?
    /// The kind of host, as it says.
    private var system: String?
    private var hasProgram = false
    /// The coordinator as workers here find it.
    private var coordinator: Endpoint

    /// A host that is released ends by itself; after this time the connection is cut.
    private static let releaseLimit = Duration.seconds(10)

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
            launch: context.id
        )
    }

    // MARK: - Preparing

    func prepare(_ report: @escaping (SiteReport) -> Void) {
        self.report = report
        system = nil
        hasProgram = false
        report(.advanced("connects"))
        anchor = RunningCommand(
            context,
            commands.anchor,
            input: .pipe,
            onLine: { [weak self] in self?.handleAnchorLine($0) },
            onEnd: { [weak self] in self?.anchorEnded($0) }
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
        let size = System.size(of: context.program)
        run(commands.copyProgram(context.program, bytes: size)) { [self] _ in
            copyFiles(manifests[...])
        }
    }

    private func copyFiles(_ rest: ArraySlice<(group: Int, manifest: Manifest)>) {
        guard let (group, manifest) = rest.first else { return forward() }
        report?(.advanced("copies the tools"))
        let files = (try? manifest.filesBeside()) ?? []
        run(commands.copyFiles(manifest, files, group: group)) { [self] _ in
            copyFiles(rest.dropFirst())
        }
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
        step = RunningCommand(context, arguments) { [weak self] end in
            guard let self, anchor != nil, report != nil else { return }
            step = nil
            if end.isSuccess { then(end.lines) } else { fail(end.reason, isFinal: false) }
        }
    }

    /// Ends the connection and reports the failure.
    private func fail(_ reason: String, isFinal: Bool) {
        let report = report
        self.report = nil
        anchor?.closeInput()
        step?.signal(SIGTERM)
        report?(.failed(reason: reason, isFinal: isFinal))
    }

    private func anchorEnded(_ end: CommandEnd) {
        anchor = nil
        step?.signal(SIGTERM)
        releaseTimer?.close()
        releaseTimer = nil
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
        ["Permission denied", "Host key verification failed", "not found"].contains {
            reason.contains($0)
        }
    }

    // MARK: - Releasing

    func release(_ then: @escaping () -> Void) {
        report = nil
        guard anchor != nil else { return context.loop.nextTurn(then) }
        onReleased = then
        step?.signal(SIGTERM)
        anchor?.closeInput()
        releaseTimer = Timer(loop: context.loop) { [weak self] in self?.anchor?.signal(SIGKILL) }
        releaseTimer?.schedule(after: Self.releaseLimit)
    }

    // MARK: - Workers

    func start(_ plan: MemberPlan, _ report: @escaping (MemberReport) -> Void) {
        context.withJoinLine(coordinator, report) { line in
            let process = MemberProcess(
                context,
                commands.worker(plan, group: plan.id.group),
                joinLine: line,
                report: report
            )
            processes.add(process, plan.id)
        }
    }

    func drain(_ member: MemberID) { processes[member]?.drain() }
    func stop(_ member: MemberID) { processes[member]?.stop() }
    func kill(_ member: MemberID) { processes[member]?.kill() }

    func removal(of member: MemberID) -> [String]? { nil }

    func commands(for plans: [MemberPlan]) -> [String] {
        var lines = [ShellWords.line(commands.anchor)]
        let size = System.size(of: context.program)
        lines.append("# if the host does not have this program yet:")
        lines.append(ShellWords.line(commands.copyProgram(context.program, bytes: size)))
        for (group, manifest) in manifests {
            let files = (try? manifest.filesBeside()) ?? []
            lines.append(ShellWords.line(commands.copyFiles(manifest, files, group: group)))
        }
        if isTunnelled {
            lines.append(ShellWords.line(commands.forward(to: context.coordinator)))
        }
        return lines + plans.map { ShellWords.line(commands.worker($0, group: $0.id.group)) }
    }
}
