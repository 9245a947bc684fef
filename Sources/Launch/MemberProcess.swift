// A worker as a process of this host, be it the worker itself or what carries it: ssh, a container.
// The join line and all orders go over its standard input; what it tells comes over its outputs.
internal import Glibc
internal import LaunchCore
internal import UVLoop

/// A worker's process.
///
/// Lives until its end is reported.
final class MemberProcess {
    private var command: RunningCommand?
    private let report: (MemberReport) -> Void
    private var wasSignalled = false

    /// Starts a worker, which reads the join line first.
    init(
        _ context: LaunchContext,
        _ arguments: [String],
        environment: [(String, String)]? = nil,
        joinLine: String,
        report: @escaping (MemberReport) -> Void
    ) {
        self.report = report
        command = RunningCommand(
            context,
            arguments,
            environment: environment,
            input: .pipe,
            onLine: { [self] in handleLine($0) },
            onErrorLine: { [self] in self.report(.said($0)) },
            onEnd: { [self] end in
                command = nil
                let reason =
                    wasSignalled && end.isSuccess
                    ? "a signal told it to drain" : Self.words(of: end.reason)
                self.report(
                    .ended(
                        MemberEnd(status: end.status, reason: reason, wasSignalled: wasSignalled)
                    )
                )
            }
        )
        command?.write(joinLine)
    }

    func drain() { command?.write("drain") }

    func stop() {
        command?.write("stop")
        command?.closeInput()
    }

    func kill() { command?.signal(SIGKILL) }

    private func handleLine(_ line: String) {
        switch WorkerWord(line) {
        case .ready(let slots): report(.ready(slots: slots))
        case .waiting(let reason): report(.unconnected(reason))
        case .signalled: wasSignalled = true
        case nil: break
        }
    }

    /// A worker's message begins with a word that the launch's has already.
    private static func words(of reason: String) -> String {
        reason.suffix(after: "error: ") ?? reason
    }
}

/// The workers of a site, when each is a process.
struct MemberProcesses {
    private var processes: [MemberID: MemberProcess] = [:]

    mutating func add(_ process: MemberProcess, _ id: MemberID) { processes[id] = process }

    subscript(id: MemberID) -> MemberProcess? { processes[id] }
}

extension String {
    /// What follows the beginning; nil if the text begins otherwise.
    func suffix(after beginning: String) -> String? {
        hasPrefix(beginning) ? String(dropFirst(beginning.count)) : nil
    }
}
