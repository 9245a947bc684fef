// Workers on this host: processes of this same program.
internal import LaunchCore
internal import Tools
internal import UVLoop

final class LocalSite: LaunchSite {
    let name = "this host"
    private let context: LaunchContext
    private var processes = MemberProcesses()

    init(_ context: LaunchContext) {
        self.context = context
    }

    func prepare(_ report: @escaping (SiteReport) -> Void) {
        context.loop.nextTurn { report(.ready) }
    }

    func release(_ then: @escaping () -> Void) { context.loop.nextTurn(then) }

    func start(_ plan: MemberPlan, _ report: @escaping (MemberReport) -> Void) {
        var environment = context.environment
        for (key, value) in plan.group.environment {
            environment.removeAll { $0.0 == key }
            environment.append((key, value))
        }
        context.withJoinLine(context.coordinator, report) { line in
            let process = MemberProcess(
                context,
                arguments(plan),
                environment: environment,
                joinLine: line,
                report: report
            )
            processes.add(process, plan.id)
        }
    }

    func drain(_ member: MemberID) { processes[member]?.drain() }
    func stop(_ member: MemberID) { processes[member]?.stop() }
    func kill(_ member: MemberID) { processes[member]?.kill() }

    func steps(for plans: [MemberPlan]) -> [SiteStep] {
        plans.map { plan in
            let variables = plan.group.environment.map { "\($0.key)=\($0.value)" }
            let words = variables.isEmpty ? arguments(plan) : ["env"] + variables + arguments(plan)
            return ("to start \(plan.name)", ShellWords.line(words))
        }
    }

    func removal(of member: MemberID) -> [String]? { nil }

    private func arguments(_ plan: MemberPlan) -> [String] {
        [context.program] + plan.arguments(manifest: plan.group.manifest?.path)
    }
}
