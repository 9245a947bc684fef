// One command of a launch, run to its end: its lines of output, and the reason if it failed.
internal import UVLoop

/// How a command ended.
struct CommandEnd {
    var status: Int
    /// The last line of its standard error.
    var lastLine: String
    /// The first lines of its standard output, unless they were reported as they came.
    var lines: [String] = []

    var isSuccess: Bool { status == 0 }

    /// Why it failed, in a line for people.
    var reason: String { lastLine.isEmpty ? "it ended with status \(status)" : lastLine }
}

/// A running command.
///
/// Lives until its end is reported.
final class RunningCommand {
    private var child: ChildProcess?
    private static let mostLines = 10_000
    private var output = LineSplitter()
    private var errors = LineSplitter()
    private var lastLine = ""
    private var lines: [String] = []
    private let onLine: ((String) -> Void)?
    private let onErrorLine: (String) -> Void
    private let onEnd: (CommandEnd) -> Void

    /// Starts a command; `onEnd` is called once, in a later turn.
    init(
        _ context: LaunchContext,
        _ arguments: [String],
        environment: [(String, String)]? = nil,
        input: ChildProcess.Options.Input = .none,
        onLine: ((String) -> Void)? = nil,
        onErrorLine: @escaping (String) -> Void = { _ in },
        onEnd: @escaping (CommandEnd) -> Void
    ) {
        self.onLine = onLine
        self.onErrorLine = onErrorLine
        self.onEnd = onEnd
        do throws(UVError) {
            child = try ChildProcess.spawn(
                loop: context.loop,
                options: ChildProcess.Options(
                    arguments: arguments,
                    environment: environment ?? context.environment,
                    standardInput: input
                ),
                onOutput: { [self] stream, bytes in handle(stream, bytes) },
                onExit: { [self] status in end(status) }
            )
        } catch {
            let program = arguments.first ?? ""
            let reason =
                error.isNotFound ? "the program \(program) is not there" : "\(error)"
            context.loop.nextTurn { onEnd(CommandEnd(status: 127, lastLine: reason)) }
        }
    }

    func write(_ line: String) { child?.writeInput(Array("\(line)\n".utf8)) }

    func closeInput() { child?.closeInput() }

    func signal(_ number: Int32) { child?.signalGroup(number) }

    private func handle(_ stream: ChildProcess.Stream, _ bytes: [UInt8]) {
        switch stream {
        case .standardOutput:
            for line in output.lines(adding: bytes) { handleLine(line) }
        case .standardError:
            for line in errors.lines(adding: bytes) { handleErrorLine(line) }
        }
    }

    private func handleLine(_ line: String) {
        if let onLine { return onLine(line) }
        if lines.count < Self.mostLines { lines.append(line) }
    }

    private func handleErrorLine(_ line: String) {
        guard line.contains(where: { !$0.isWhitespace }) else { return }
        lastLine = line
        onErrorLine(line)
    }

    private func end(_ status: ChildProcess.ExitStatus) {
        if let line = output.last() { handleLine(line) }
        if let line = errors.last() { handleErrorLine(line) }
        child = nil
        let code = status.signal == 0 ? status.code : 128 + status.signal
        onEnd(CommandEnd(status: code, lastLine: lastLine, lines: lines))
    }
}
