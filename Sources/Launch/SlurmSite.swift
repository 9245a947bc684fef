// Workers as batches of a Slurm cluster, one a batch. The files of the launch are in a folder that
// all nodes of the cluster see; a batch reads the join line from a file there and removes the file
// before its worker starts.
internal import Glibc
internal import LaunchCore
internal import Tools
internal import UVLoop

final class SlurmSite: LaunchSite {
    let name: String
    private let context: LaunchContext
    private let commands: SlurmCommands
    private let manifest: Manifest?
    private var batches: [MemberID: Batch] = [:]
    private var step: RunningCommand?
    private var query: RunningCommand?
    private var timer: Timer?
    private var killTimers: [Timer] = []
    private var startCount = 0

    private struct Batch {
        var number = ""
        var report: (MemberReport) -> Void
        var joinFile: String
        /// Which start of the worker this is.
        var start: Int
        /// An order that came before the batch had a number.
        var isUnwanted = false
        /// When it was first seen to run.
        var runningSince: Int64?
        /// What its worker told last.
        var connection = SlurmLog.Connection.unknown
        /// Whether it is to be withdrawn, or its worker to drain, and that was not possible yet.
        var waitsForDrain = false
        /// Whether Slurm has told its end, and only its exit status is missing.
        var isOver = false

        var log: String
    }

    /// Slurm tells nothing by itself: it is asked so often.
    private static let pause = Duration.seconds(2)
    /// How long a batch that was killed may remain before the launch goes on without it.
    private static let killLimit = Duration.seconds(30)
    /// A batch that has run for so long without a word of its worker has none that could drain.
    private static let silentLimit = Duration.seconds(30)

    /// The folder has to be one that all nodes of the cluster see.
    init(_ context: LaunchContext, entry: SlurmEntry, group: (Int, GroupEntry), folder: String) {
        self.context = context
        commands = SlurmCommands(entry: entry, name: "\(context.id)-\(group.0)", folder: folder)
        manifest = group.1.manifest
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
        let tools = manifest.map { manifest in
            ToolPackage(
                manifest,
                (try? manifest.filesBeside()) ?? [],
                without: context.privateNames(in: manifest.folder)
            )
        }
        return commands.preparation(context.program, tools)
    }

    func release(_ then: @escaping () -> Void) {
        timer?.close()
        timer = nil
        for timer in killTimers { timer.close() }
        killTimers = []
        step?.signal(SIGTERM)
        step = RunningCommand(context, commands.removal, onEnd: { _ in then() })
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
        let file = commands.joinFile(plan.name)
        startCount += 1
        let start = startCount
        let batch = Batch(
            report: report,
            joinFile: file,
            start: start,
            log: commands.log(plan.name)
        )
        batches[plan.id] = batch
        PrivateFile.remove(batch.log)
        guard PrivateFile.write(joinLine + "\n", to: file) else {
            let reason = "\(file) cannot be written"
            return context.loop.nextTurn { [weak self] in self?.end(plan.id, 1, reason) }
        }
        let script = Array(commands.script(plan).utf8)
        _ = RunningCommand(context, commands.submission(plan), input: .bytes(script)) {
            [weak self] end in
            guard let self else { return }
            // Behind the number there may be the name of a cluster.
            let number = end.lines.last?.prefix { $0.isNumber }
            guard batches[plan.id]?.start == start else {
                // The launch went on without this batch.
                if let number, !number.isEmpty { run(commands.cancel(String(number))) }
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

    func drain(_ member: MemberID) { drain(member, isAgain: false) }

    /// A batch that has not begun is withdrawn; one that has, by what was last seen or meanwhile, is
    /// signalled as soon as its worker is there.
    ///
    /// - Parameters:
    ///   - member: The worker.
    ///   - isAgain: Whether it was tried before: then Slurm is not asked for the result at once.
    private func drain(_ member: MemberID, isAgain: Bool) {
        guard let batch = batches[member] else { return }
        guard !batch.number.isEmpty else { return cancel(member) }
        batches[member]?.waitsForDrain = true
        guard let since = batch.runningSince else {
            return run(commands.withdraw(batch.number), asks: !isAgain)
        }
        guard SlurmLog.connection(in: batch.log) != .unknown else {
            let silence = Duration.nanoseconds(context.loop.nowNanoseconds - since)
            if silence >= Self.silentLimit { run(commands.cancel(batch.number), asks: !isAgain) }
            return
        }
        // Once only if it succeeds: a second signal would stop the worker.
        batches[member]?.waitsForDrain = false
        _ = RunningCommand(context, commands.drain(batch.number)) { [weak self] end in
            guard let self else { return }
            if end.isSuccess { return ask() }
            if batches[member]?.start == batch.start { batches[member]?.waitsForDrain = true }
        }
    }

    func stop(_ member: MemberID) { cancel(member) }

    func kill(_ member: MemberID) {
        guard let start = batches[member]?.start else { return }
        cancel(member)
        let timer = Timer(loop: context.loop) { [weak self] in
            guard let self, batches[member]?.start == start else { return }
            end(member, 1, "Slurm has not ended the batch; see squeue --name=\(commands.name)")
        }
        timer.schedule(after: Self.killLimit)
        killTimers.append(timer)
    }

    private func cancel(_ member: MemberID) {
        guard let number = batches[member]?.number, !number.isEmpty else {
            batches[member]?.isUnwanted = true
            return
        }
        run(commands.cancel(number))
    }

    func removal(of member: MemberID) -> [String]? {
        batches[member] == nil ? nil : commands.cancelAll
    }

    /// Runs a command, and asks Slurm for the result, now or when it is asked anyway.
    private func run(_ words: [String], asks: Bool = true) {
        _ = RunningCommand(context, words) { [weak self] _ in if asks { self?.ask() } }
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
        query = RunningCommand(context, commands.query) { [weak self] end in
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
            case "PENDING", "CONFIGURING":
                batch.report(.pending("\(reason) (\(batch.number))"))
                if batch.waitsForDrain { drain(member, isAgain: true) }
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
        if batch.runningSince == nil || batch.connection != connection {
            switch connection {
            case .unknown: batch.report(.unconnected("batch \(batch.number) runs"))
            case .ready(let slots): batch.report(.ready(slots: slots))
            case .waiting(let reason): batch.report(.unconnected(reason))
            }
        }
        batches[member]?.runningSince = batch.runningSince ?? context.loop.nowNanoseconds
        batches[member]?.connection = connection
        if batch.waitsForDrain { drain(member, isAgain: true) }
    }

    /// Asks for the exit status of a batch that failed: some say that another try is useless.
    private func endFailed(_ member: MemberID, _ batch: Batch, _ state: String, _ reason: String) {
        batches[member]?.isOver = true
        let question = commands.description(of: batch.number)
        _ = RunningCommand(context, question) { [weak self] answer in
            guard let self, batches[member]?.start == batch.start else { return }
            let status = SlurmLog.exitStatus(in: answer.lines.joined(separator: " "))
            // The last line that the worker wrote for people, or Slurm's reason.
            let line =
                PrivateFile.text(of: batch.log).flatMap { SlurmLog($0).lastLine }
                ?? (reason == "None" ? nil : reason)
            end(member, status, "Slurm: \(state)" + (line.map { ", \($0)" } ?? ""))
        }
    }

    func steps(for plans: [MemberPlan]) -> [SiteStep] { commands.steps(preparation, plans) }
}
