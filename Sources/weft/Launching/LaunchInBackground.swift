// Starts a launch as a process in the background, and waits until its workers have started.
internal import Console
internal import FoundationEssentials
internal import Glibc
internal import Launch
internal import Transport
internal import UVLoop

struct LaunchInBackground {
    private let surroundings: LaunchSurroundings

    init(_ surroundings: LaunchSurroundings) {
        self.surroundings = surroundings
    }

    /// The log of the process in the background; beside the launch's folder, which it removes.
    private var log: String {
        "\(LaunchState.base(surroundings.stateFolder))/\(surroundings.file.name).log"
    }

    /// Starts the process and shows its workers when each runs or has failed.
    func run(arguments: [String], json: Bool) throws {
        let name = surroundings.file.name
        let folder = surroundings.stateFolder
        do throws(KeyFileError) {
            try StateDirectory.prepare(LaunchState.base(folder))
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        let loop = try Shell.makeLoop()
        var ending: ChildProcess.ExitStatus?
        // The shell gives the process a log in place of our pipes, which end with this command.
        let child = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: ["/bin/sh", "-c", "exec \"$@\" > \"$0\" 2>&1", log, Shell.ownPath]
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
        let check = RepeatedCheck(loop: loop) {
            guard LaunchState.owner(of: name, in: folder) == child.pid,
                let value = LaunchState.document(of: name, in: folder),
                let document = LaunchDocument(value)
            else { return false }
            return !document.workers.isEmpty && document.isSettled
        }
        check.start()
        loop.run()
        if ending != nil { throw failure() }
        try LaunchOrders(stateFolder: folder, name: name).showStatus(json: json)
        if !json { Shell.tell("goes on in the background; its log is \(log)") }
    }

    /// What the process said last.
    private func failure() -> CommandFailure {
        let text =
            FileManager.default.contents(atPath: log)
            .map { String(decoding: $0, as: UTF8.self) } ?? ""
        let lines = text.split(separator: "\n").suffix(5).map(String.init)
        return CommandFailure(.failed, lines.isEmpty ? ["error: The launch ended."] : lines)
    }
}

/// Checks a condition again and again until it holds, then stops the loop.
private final class RepeatedCheck {
    private let loop: EventLoop
    private let condition: () -> Bool
    private var timer: Timer?

    init(loop: EventLoop, condition: @escaping () -> Bool) {
        self.loop = loop
        self.condition = condition
    }

    func start() {
        timer = Timer(loop: loop) { [self] in
            if condition() { return loop.stop() }
            timer?.schedule(after: .milliseconds(50))
        }
        timer?.schedule(after: .milliseconds(50))
    }
}
