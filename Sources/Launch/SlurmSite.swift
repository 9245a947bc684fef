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
    private var killTimers: [Timer] = []
    private var startCount = 0

    /// The name of all batches of this site.
    ///
    /// It has a random part, so that the batches of a launch are found without their numbers.
    private var batchName: String { "\(context.id)-\(group.place)" }

    private struct Batch {
        var number = ""
        var report: (MemberReport) -> Void
        var joinFile: String
        /// Which start of the worker this is.
        var start: Int
        /// An order that came before the batch had a number.
        var isUnwanted = false
        var isRunning = false
        /// What its worker told last.
        var connection = SlurmLog.Connection.unknown
        /// Whether its worker is to drain and could not be told yet.
        var waitsForDrain = false
        /// Whether Slurm has told its end, and only its exit status is missing.
        var isOver = false

        var log: String { joinFile.dropLast(".join".count) + ".log" }
    }

    /// Slurm tells nothing by itself: it is asked so often.
    private static let pause = Duration.seconds(2)
    /// How long a batch that was killed may remain before the launch goes on without it.
    private static let killLimit = Duration.seconds(30)
    /// A worker without its coordinator ends after this time: nothing else ends the workers of a
    /// launch that was killed.
    private static let exitAfter = "60s"

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
            mkdir -p \(ShellWords.quoted(folder + "/tools")) || exit 1
            cp \(ShellWords.line([context.program, folder + "/weft"])) || exit 1
            """
        if let manifest = group.entry.manifest {
            let file = manifest.path.split(separator: "/").last.map(String.init) ?? ""
            let others = (try? manifest.filesBeside()) ?? []
            let names = others.contains(".") ? ["."] : [file] + others
            let packed = folder + "/tools.tar"
            let pack =
                ["tar", "-C", manifest.folder, "-chf", packed] + exclusions(from: manifest.folder)
                + names.map { "./" + $0 }
            // No pipe: of a pipe only the last status counts.
            for words in [
                pack, ["tar", "-xf", packed, "-C", folder + "/tools"], ["rm", "-f", packed],
            ] {
                script += "\n" + ShellWords.line(words) + " || exit 1"
            }
        }
        return ["/bin/sh", "-c", script]
    }

    /// What is never copied: keys, and the launches of the state folder.
    private func exclusions(from source: String) -> [String] {
        var words = ["--exclude=*.key", "--exclude=*.join"]
        let launch = folder.split(separator: "/").dropLast().joined(separator: "/")
        let launches = "/" + launch.split(separator: "/").dropLast().joined(separator: "/")
        let state = launches.hasSuffix("/launches") ? launches.dropLast("/launches".count) : ""
        if let inside = String(state).suffix(after: source + "/"), !inside.isEmpty {
            words += ["--anchored", "--no-wildcards", "--exclude=./\(inside)"]
        }
        return words
    }

    func release(_ then: @escaping () -> Void) {
        timer?.close()
        timer = nil
        for timer in killTimers { timer.close() }
        killTimers = []
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
        startCount += 1
        let start = startCount
        let batch = Batch(report: report, joinFile: file, start: start)
        batches[plan.id] = batch
        PrivateFile.remove(batch.log)
        guard PrivateFile.write(joinLine + "\n", to: file) else {
            let reason = "\(file) cannot be written"
            return context.loop.nextTurn { [weak self] in self?.end(plan.id, 1, reason) }
        }
        let script = Array(script(plan, joinFile: file).utf8)
        _ = RunningCommand(context, submission(plan), input: .bytes(script)) { [weak self] end in
            guard let self else { return }
            // Behind the number there may be the name of a cluster.
            let number = end.lines.last?.prefix { $0.isNumber }
            guard batches[plan.id]?.start == start else {
                // The launch went on without this batch.
                if let number, !number.isEmpty { run(["scancel", String(number)]) }
                return
            }
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

    /// How many seconds before its time limit a batch gets the signal to drain.
    private var margin: Int64 { min(60, (entry.time?.components.seconds ?? 240) / 4) }

    private func submission(_ plan: MemberPlan) -> [String] {
        var words = [
            "sbatch", "--parsable", "--no-requeue", "--nodes=1", "--ntasks=1", "--exclusive",
            "--job-name=\(batchName)", "--comment=\(plan.name)",
            "--output=\(folder)/\(plan.name).log",
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
            "\(folder)/tools/\($0)"
        }
        let words =
            plan.arguments(manifest: manifest, endsWithInput: false)
            + ["--exit-after", Self.exitAfter]
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
        // Without a worker there is nothing to drain, and nothing that a signal reaches.
        guard batch.isRunning, SlurmLog.connection(in: batch.log) != .unknown else {
            return cancel(member)
        }
        // Once only if it succeeds: a second signal would stop the worker.
        batches[member]?.waitsForDrain = false
        let words = ["scancel", "--signal=TERM", batch.number]
        _ = RunningCommand(context, words) { [weak self] end in
            guard let self else { return }
            if !end.isSuccess, batches[member]?.start == batch.start {
                batches[member]?.waitsForDrain = true
            }
            ask()
        }
    }

    func stop(_ member: MemberID) { cancel(member) }

    func kill(_ member: MemberID) {
        guard let start = batches[member]?.start else { return }
        cancel(member)
        let timer = Timer(loop: context.loop) { [weak self] in
            guard let self, batches[member]?.start == start else { return }
            end(member, 1, "Slurm has not ended the batch; see squeue --name=\(batchName)")
        }
        timer.schedule(after: Self.killLimit)
        killTimers.append(timer)
    }

    private func cancel(_ member: MemberID) {
        guard let number = batches[member]?.number, !number.isEmpty else {
            batches[member]?.isUnwanted = true
            return
        }
        run(["scancel", number])
    }

    /// By name, because a batch may have no number yet.
    func removal(of member: MemberID) -> [String]? {
        batches[member] == nil ? nil : ["scancel", "--me", "--name=\(batchName)"]
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
            // Not by number: that fails as a whole when Slurm has forgotten one of them.
            "squeue", "--noheader", "--states=all", "--format=%i|%T|%r", "--me",
            "--name=\(batchName)",
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
            if end.isSuccess { update(states, numbers) }
            let timer = timer ?? Timer(loop: context.loop) { [weak self] in self?.ask() }
            self.timer = timer
            timer.schedule(after: Self.pause)
        }
    }

    private func update(
        _ states: [String: (state: String, reason: String)],
        _ asked: [String]
    ) {
        for (member, batch) in batches where asked.contains(batch.number) && !batch.isOver {
            guard let (state, reason) = states[batch.number] else {
                end(member, 1, "Slurm does not know batch \(batch.number) any more")
                continue
            }
            switch state {
            case "PENDING", "CONFIGURING": batch.report(.pending("\(reason) (\(batch.number))"))
            case "RUNNING": updateRunning(member, batch)
            case "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING": break
            case "COMPLETED": end(member, 0, "")
            default: endFailed(member, batch, state, reason)
            }
        }
    }

    /// A batch that runs is ready only when its worker has found the coordinator.
    private func updateRunning(_ member: MemberID, _ batch: Batch) {
        let connection = SlurmLog.connection(in: batch.log)
        if !batch.isRunning || batch.connection != connection {
            switch connection {
            case .unknown: batch.report(.unconnected("batch \(batch.number) runs"))
            case .ready(let slots): batch.report(.ready(slots: slots))
            case .waiting(let reason): batch.report(.unconnected(reason))
            }
        }
        batches[member]?.isRunning = true
        batches[member]?.connection = connection
        if batch.waitsForDrain { drain(member) }
    }

    /// Asks for the exit status of a batch that failed: some say that another try is useless.
    private func endFailed(_ member: MemberID, _ batch: Batch, _ state: String, _ reason: String) {
        batches[member]?.isOver = true
        let words = ["scontrol", "--oneliner", "show", "job", batch.number]
        _ = RunningCommand(context, words) { [weak self] answer in
            guard let self, batches[member]?.start == batch.start else { return }
            let status = SlurmLog.exitStatus(in: answer.lines.joined(separator: " "))
            // The last line that the worker wrote for people, or Slurm's reason.
            let line =
                PrivateFile.text(of: batch.log).flatMap { SlurmLog($0).lastLine }
                ?? (reason == "None" ? nil : reason)
            end(member, status, "Slurm: \(state)" + (line.map { ", \($0)" } ?? ""))
        }
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
