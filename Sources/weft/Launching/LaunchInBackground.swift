// Starts a launch as a process in the background, and waits until its workers have started.
internal import Configuration
internal import Console
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Launch
internal import Transport
internal import UVLoop

struct LaunchInBackground {
    private let surroundings: LaunchSurroundings

    init(_ surroundings: LaunchSurroundings) {
        self.surroundings = surroundings
    }

    /// The log of the process in the background; beside the launch's folder, which it removes.
    private var log: String { surroundings.log }

    /// The log of a process that has not begun, because a launch of the same name may run and have
    /// the log.
    var draft: String { "\(log).\(getpid())" }

    /// Starts the process and shows its workers when each runs or has failed, or the limit is over.
    func run(arguments: [String], limit: Duration, json: Bool) throws {
        do throws(KeyFileError) {
            try StateDirectory.prepare(LaunchState.base(surroundings.stateFolder))
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        let loop = try Shell.makeLoop()
        var ending: ChildProcess.ExitStatus?
        // The shell gives the process a log in place of our pipes, which end with this command.
        let child = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: ["/bin/sh", "-c", "exec \"$@\" > \"$0\" 2>&1", draft, Shell.ownPath]
                    + arguments,
                environment: ProcessInfo.processInfo.environment.sorted { $0.key < $1.key }
                    .map { ($0.key, $0.value) }
            ),
            onOutput: { _, _ in },
            onExit: {
                ending = $0
                loop.stop()
            }
        )
        let check = RepeatedCheck(loop: loop, limit: limit) {
            document(of: child.pid)?.isSettled ?? false
        }
        check.start()
        var isInterrupted = false
        let signals = try Shell.onEndingSignals(loop) { _ in
            isInterrupted = true
            loop.stop()
        }
        loop.run()
        for signal in signals { signal.close() }
        if ending != nil { throw failure() }
        if isInterrupted {
            throw CommandFailure(
                .interrupted,
                "The launch goes on in the background. \(orders)"
            )
        }
        try show(document(of: child.pid), limit, json: json)
    }

    /// The state that the process has written; nil before it has begun with workers.
    private func document(of process: Int32) -> LaunchStatus? {
        let (name, folder) = (surroundings.file.name, surroundings.stateFolder)
        guard LaunchState.owner(of: name, in: folder) == .process(process) else { return nil }
        return LaunchState.document(of: name, in: folder).flatMap(LaunchStatus.init)
    }

    /// How to follow it, for messages.
    private var orders: String {
        "See weft launch --status, and end it with weft launch --down; its log is \(log)"
    }

    private func show(_ document: LaunchStatus?, _ limit: Duration, json: Bool) throws {
        guard let document else {
            throw CommandFailure(
                .failed,
                "After \(Quantities.text(limit)) the launch has not begun with its workers. It goes on "
                    + "in the background. \(orders)"
            )
        }
        let name = surroundings.file.name
        try LaunchOrders(stateFolder: surroundings.stateFolder, name: name).showStatus(json: json)
        guard document.isSettled else {
            let rest = document.workers.count - document.settledCount
            return Shell.tell(
                "after \(Quantities.text(limit)) \(rest) of \(document.workers.count) workers do not "
                    + "run yet; the launch goes on in the background and keeps trying. \(orders)"
            )
        }
        if !json { Shell.tell("goes on in the background; its log is \(log)") }
    }

    /// What a line of the log says, whatever its format.
    private static func message(_ line: String) -> String {
        (try? JSONValue(parsing: line))?["message"]?.stringValue ?? line
    }

    /// What the process said last.
    private func failure() -> CommandFailure {
        defer { unlink(draft) }
        let data =
            FileManager.default.contents(atPath: draft)
            ?? FileManager.default.contents(atPath: log)
        let text = data.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let lines = text.split(separator: "\n").suffix(5).map { Self.message(String($0)) }
        return CommandFailure(
            .failed,
            lines.isEmpty ? ["error: The launch ended before its workers had started."] : lines
        )
    }
}

/// Checks a condition again and again until it holds or the time is over, then stops the loop.
private final class RepeatedCheck {
    private let loop: EventLoop
    private let limit: Duration
    private let condition: () -> Bool
    private var timer: Timer?
    private var end: Timer?

    init(loop: EventLoop, limit: Duration, condition: @escaping () -> Bool) {
        self.loop = loop
        self.limit = limit
        self.condition = condition
    }

    func start() {
        timer = Timer(loop: loop) { [self] in
            if condition() { return loop.stop() }
            timer?.schedule(after: .milliseconds(50))
        }
        timer?.schedule(after: .milliseconds(50))
        end = Timer(loop: loop) { [loop] in loop.stop() }
        end?.schedule(after: limit)
    }
}
