// Workers as batches of a Slurm cluster, one a batch. The files of the launch are in a folder that
// all nodes of the cluster see; a batch reads the join line from a file there and removes the file
// before its worker starts.
internal import Configuration
internal import Glibc
internal import LaunchCore
internal import Tools
internal import UVLoop

final class SlurmSite: LaunchSite {
    let name: String
    private let context: LaunchContext
    private let entry: SlurmEntry
    private let group: (place: Int, entry: GroupEntry)
    private let folder: String
    private var batches: [MemberID: Batch] = [:]
    private var step: RunningCommand?
    private var query: RunningCommand?
    private var timer: Timer?

    private struct Batch {
        var number = ""
        var report: (MemberReport) -> Void
        var joinFile: String
        /// An order that came before the batch had a number.
        var isUnwanted = false
        var isRunning = false
    }

    /// Slurm tells nothing by itself: it is asked so often.
    private static let pause = Duration.seconds(2)

    /// The folder has to be one that all nodes of the cluster see.
    init(_ context: LaunchContext, entry: SlurmEntry, group: (Int, GroupEntry), folder: String) {
        self.context = context
        self.entry = entry
        self.group = group
        self.folder = folder
        name = "slurm" + (entry.partition.map { " \($0)" } ?? "")
    }

    // MARK: - Preparing

    func prepare(_ report: @escaping (SiteReport) -> Void) {
        report(.advanced("copies the program and the tools"))
        step = RunningCommand(context, preparation) { [weak self] end in
            self?.step = nil
            if end.isSuccess {
                report(.ready)
            } else {
                report(.failed(reason: end.reason, isFinal: end.reason.contains("not found")))
            }
        }
    }

    private var preparation: [String] {
        var script = """
            umask 077
            command -v sbatch > /dev/null || { echo 'sbatch was not found; \
            is Slurm installed here?' >&2; exit 1; }
            mkdir -p \(ShellWords.quoted(folder)) || exit 1
            cp \(ShellWords.line([context.program, folder + "/weft"])) || exit 1
            """
        if let manifest = group.entry.manifest {
            let file = manifest.path.split(separator: "/").last.map(String.init) ?? ""
            let others = (try? manifest.filesBeside()) ?? []
            let names = others.contains(".") ? ["."] : [file] + others
            let pack = ["tar", "-C", manifest.folder, "-chf", "-"] + names.map { "./" + $0 }
            script +=
                "\n" + ShellWords.line(pack) + " | "
                + ShellWords.line(["tar", "-xf", "-", "-C", folder])
        }
        return ["/bin/sh", "-c", script]
    }

    func release(_ then: @escaping () -> Void) {
        timer?.close()
        timer = nil
        step?.signal(SIGTERM)
        step = RunningCommand(context, ["rm", "-rf", folder], onEnd: { _ in then() })
    }

    // MARK: - Workers

    func start(_ plan: MemberPlan, _ report: @escaping (MemberReport) -> Void) {
        context.withJoinLine(context.coordinator, report) { start(plan, $0, report) }
    }

    private func start(
        _ plan: MemberPlan,
        _ joinLine: String,
        _ report: @escaping (MemberReport) -> Void
    ) {
        let file = "\(folder)/\(plan.name).join"
        batches[plan.id] = Batch(report: report, joinFile: file)
        guard PrivateFile.write(joinLine + "\n", to: file) else {
            let reason = "\(file) cannot be written"
            return context.loop.nextTurn { [weak self] in self?.end(plan.id, 1, reason) }
        }
        let script = Array(script(plan, joinFile: file).utf8)
        _ = RunningCommand(context, submission(plan), input: .bytes(script)) { [weak self] end in
            guard let self else { return }
            // Behind the number there may be the name of a cluster.
            let number = end.lines.last?.prefix { $0.isNumber }
            guard end.isSuccess, let number, !number.isEmpty else {
                return self.end(plan.id, 1, end.reason)
            }
            let name = String(number)
            batches[plan.id]?.number = name
            report(.pending("batch \(name)"))
            if batches[plan.id]?.isUnwanted ?? false { cancel(plan.id) }
            ask()
        }
    }

    /// How many seconds before its time limit a batch is told to drain.
    private var margin: Int64 { min(60, (entry.time?.components.seconds ?? 240) / 4) }

    private func submission(_ plan: MemberPlan) -> [String] {
        var words = [
            "sbatch", "--parsable", "--no-requeue", "--nodes=1", "--ntasks=1", "--exclusive",
            "--job-name=\(plan.name)", "--output=\(folder)/\(plan.name).log",
            // Without B: the signal goes to the worker, which drains.
            "--signal=TERM@\(margin)", "--export=ALL",
        ]
        if let partition = entry.partition { words.append("--partition=\(partition)") }
        if let time = entry.time {
            let minutes = (time.components.seconds + 59) / 60
            words.append("--time=\(minutes)")
        }
        return words + entry.options
    }

    private func script(_ plan: MemberPlan, joinFile: String) -> String {
        let manifest = plan.group.manifest?.path.split(separator: "/").last.map {
            "\(folder)/\($0)"
        }
        let words = plan.arguments(manifest: manifest, endsWithInput: false)
        let variables = plan.group.environment.map { "\($0.key)=\($0.value)" }
        let file = ShellWords.quoted(joinFile)
        let worker =
            ["srun", "--kill-on-bad-exit=0"] + (variables.isEmpty ? [] : ["env"] + variables)
            + ["\(folder)/weft"] + words
        return """
            #!/bin/sh
            exec < \(file) || exit 1
            rm -f \(file)
            exec \(ShellWords.line(worker))

            """
    }

    func drain(_ member: MemberID) {
        guard let batch = batches[member] else { return }
        guard batch.isRunning else { return cancel(member) }
        run(["scancel", "--signal=TERM", batch.number])
    }

    func stop(_ member: MemberID) { cancel(member) }

    func kill(_ member: MemberID) { cancel(member) }

    private func cancel(_ member: MemberID) {
        guard let number = batches[member]?.number, !number.isEmpty else {
            batches[member]?.isUnwanted = true
            return
        }
        run(["scancel", number])
    }

    func removal(of member: MemberID) -> [String]? {
        guard let number = batches[member]?.number, !number.isEmpty else { return nil }
        return ["scancel", number]
    }

    private func run(_ words: [String]) {
        _ = RunningCommand(context, words) { [weak self] _ in self?.ask() }
    }

    private func end(_ member: MemberID, _ status: Int, _ reason: String) {
        guard let batch = batches.removeValue(forKey: member) else { return }
        PrivateFile.remove(batch.joinFile)
        batch.report(.ended(MemberEnd(status: status, reason: reason)))
    }

    // MARK: - Asking Slurm

    /// Asks for the states of all batches, now and then again after a pause.
    private func ask() {
        let numbers = batches.values.map(\.number).filter { !$0.isEmpty }
        guard query == nil, !numbers.isEmpty else { return }
        let question = [
            "squeue", "--noheader", "--states=all", "--format=%i|%T|%r",
            "--jobs=" + numbers.sorted().joined(separator: ","),
        ]
        query = RunningCommand(context, question) { [weak self] end in
            guard let self else { return }
            query = nil
            var states: [String: (state: String, reason: String)] = [:]
            for line in end.lines {
                let parts = line.split(separator: "|").map(String.init)
                if parts.count >= 3 { states[parts[0]] = (parts[1], parts[2]) }
            }
            // A controller that does not answer is asked again.
            if end.isSuccess || !states.isEmpty { update(states, numbers) }
            let timer = timer ?? Timer(loop: context.loop) { [weak self] in self?.ask() }
            self.timer = timer
            timer.schedule(after: Self.pause)
        }
    }

    private func update(
        _ states: [String: (state: String, reason: String)],
        _ asked: [String]
    ) {
        for (member, batch) in batches where asked.contains(batch.number) {
            guard let (state, reason) = states[batch.number] else {
                end(member, 1, "Slurm does not know batch \(batch.number) any more")
                continue
            }
            switch state {
            case "PENDING", "CONFIGURING": batch.report(.pending("\(reason) (\(batch.number))"))
            case "RUNNING":
                if !batch.isRunning { batch.report(.ready) }
                batches[member]?.isRunning = true
            case "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING": break
            case "COMPLETED": end(member, 0, "")
            default: end(member, 1, "Slurm: \(state)" + logLine(batch, reason))
            }
        }
    }

    /// The last line that the worker of a batch wrote, or Slurm's reason.
    private func logLine(_ batch: Batch, _ reason: String) -> String {
        let log = batch.joinFile.dropLast(".join".count) + ".log"
        let text = PrivateFile.lastLine(of: String(log)) ?? (reason == "None" ? nil : reason)
        return text.map { ", \($0)" } ?? ""
    }

    func commands(for plans: [MemberPlan]) -> [String] {
        [ShellWords.line(preparation)]
            + plans.flatMap { plan -> [String] in
                let file = "\(folder)/\(plan.name).join"
                return [ShellWords.line(submission(plan)) + " <<'END'"]
                    + script(plan, joinFile: file).split(separator: "\n").map(String.init)
                    + ["END"]
            }
    }
}
