// Workers in containers on this host, by podman or docker. The manifest's folder is mounted
// read-only; the join line goes over the standard input of the container.
internal import Glibc
internal import LaunchCore
internal import Tools
internal import UVLoop

final class ContainerSite: LaunchSite {
    let name: String
    private let context: LaunchContext
    private let entry: ContainerEntry
    private var runtime: String
    private var processes = MemberProcesses()
    private var names: [MemberID: String] = [:]
    private var checks: RunningCommand?
    private var startCount = 0

    /// Where a container sees the folder of its manifest.
    private static let mount = "/launch/tools"
    private static let runtimes = ["podman", "docker"]

    init(_ context: LaunchContext, entry: ContainerEntry) {
        self.context = context
        self.entry = entry
        name = entry.image
        runtime = entry.runtime ?? Self.runtimes[0]
    }

    /// Looks for the runtime: the named one, or the first that is there.
    func prepare(_ report: @escaping (SiteReport) -> Void) {
        check((entry.runtime.map { [$0] } ?? Self.runtimes)[...], report)
    }

    private func check(_ runtimes: ArraySlice<String>, _ report: @escaping (SiteReport) -> Void) {
        guard let runtime = runtimes.first else {
            let names = entry.runtime ?? Self.runtimes.joined(separator: " nor ")
            let reason = "there is no \(names) on this host that works. Install one."
            return report(.failed(reason: reason, isFinal: true))
        }
        checks = RunningCommand(context, [runtime, "--version"]) { [weak self] end in
            guard let self else { return }
            checks = nil
            guard end.isSuccess else { return check(runtimes.dropFirst(), report) }
            self.runtime = runtime
            report(.ready)
        }
    }

    func release(_ then: @escaping () -> Void) { context.loop.nextTurn(then) }

    func start(_ plan: MemberPlan, _ report: @escaping (MemberReport) -> Void) {
        // The name of an earlier start may still be taken, and may still be about to be removed.
        startCount += 1
        let name = containerName(plan, start: startCount)
        names[plan.id] = name
        context.withJoinLine(context.coordinator, report) { line in
            let words = arguments(plan, name: name)
            let process = MemberProcess(context, words, joinLine: line, report: report)
            processes.add(process, plan.id)
        }
    }

    func drain(_ member: MemberID) { processes[member]?.drain() }
    func stop(_ member: MemberID) { processes[member]?.stop() }

    func kill(_ member: MemberID) {
        if let removal = removal(of: member) {
            _ = RunningCommand(context, removal, onEnd: { _ in })
        }
        processes[member]?.kill()
    }

    func removal(of member: MemberID) -> [String]? {
        names[member].map(removal)
    }

    private func removal(_ container: String) -> [String] {
        [runtime, "rm", "--force", container]
    }

    func steps(for plans: [MemberPlan]) -> [SiteStep] {
        let runtimes = entry.runtime.map { [$0] } ?? Self.runtimes
        var steps: [SiteStep] = runtimes.map {
            ("before workers start, to find the runtime", ShellWords.line([$0, "--version"]))
        }
        for (number, plan) in plans.enumerated() {
            let name = containerName(plan, start: number + 1)
            steps += [
                ("to start \(plan.name)", ShellWords.line(arguments(plan, name: name))),
                (
                    "if \(plan.name) does not end, or by the next launch if this one is killed",
                    ShellWords.line(removal(name))
                ),
            ]
        }
        return steps
    }

    /// The launch's identity is in the name, so that two launches have different containers.
    private func containerName(_ plan: MemberPlan, start: Int) -> String {
        "\(plan.name)-\(context.id)-\(start)"
    }

    private func arguments(_ plan: MemberPlan, name: String) -> [String] {
        var words = [runtime, "run", "--rm", "--interactive", "--name", name]
        var manifest: String?
        if let path = plan.group.manifest?.path, let folder = plan.group.manifest?.folder {
            words += ["--volume", "\(folder):\(Self.mount):ro"]
            manifest = Self.mount + "/" + (path.split(separator: "/").last.map(String.init) ?? "")
        }
        for (key, value) in plan.group.environment { words += ["--env", "\(key)=\(value)"] }
        return words + entry.options + [entry.image] + plan.arguments(manifest: manifest)
    }
}
