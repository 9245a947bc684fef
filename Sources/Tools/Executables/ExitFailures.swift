// Converts the end of a process to the failure of its invocation.
internal import Core
internal import Glibc
internal import JSON
internal import UVLoop
internal import Wire

extension Failure {
    /// The failure for a process that ended with a code that is not a success, or by a signal.
    static func exit(
        _ status: ChildProcess.ExitStatus,
        of program: String,
        _ errors: OutputTail,
        _ circumstance: String = ""
    ) -> Failure {
        var message = "\(program) \(status.words)"
        if !circumstance.isEmpty { message += " " + circumstance }
        if let line = errors.lastLine { message += ": \(line)" }
        return Failure(
            code: .toolError,
            message: message,
            isRetryable: true,
            exitCode: status.signal == 0 ? status.code : nil,
            signal: status.signal == 0 ? nil : status.signal,
            stderrTail: errors.text
        )
    }
}

extension ChildProcess.ExitStatus {
    /// Whether a signal ended it that others send: the tool did not report a failure of its own.
    var wasEndedByOthers: Bool {
        [SIGKILL, SIGTERM, SIGINT, SIGQUIT, SIGHUP].contains(Int32(truncatingIfNeeded: signal))
    }

    /// `exited with code 2` or `was killed by SIGSEGV`.
    var words: String {
        signal == 0 ? "exited with code \(code)" : "was killed by \(signalName(signal))"
    }
}

/// The name of a signal, or `signal 40`.
func signalName(_ number: Int) -> String {
    let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL",
        SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE",
        SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1", SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2",
        SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM", SIGXCPU: "SIGXCPU",
        SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
    ]
    return names[Int32(truncatingIfNeeded: number)] ?? "signal \(number)"
}

/// Which exit codes are worth another attempt: `retry_on_exit` and `fail_on_exit`.
struct ExitRetries: Sendable, Equatable {
    /// The only codes that are; nil for all but the failing ones.
    var retried: Set<Int>?
    /// The codes that are not.
    var failing: Set<Int> = []

    func allows(_ code: Int) -> Bool {
        (retried?.contains(code) ?? true) && !failing.contains(code)
    }
}

extension ManifestTool {
    /// Whether an attempt whose outcome is unknown may be repeated.
    var mayRunTwice: Bool { description.isIdempotent }

    /// The name of the program without its folder, for messages.
    var program: String {
        let path = command.elements.first?.literal ?? ""
        return path.split(separator: "/").last.map(String.init) ?? path
    }

    /// Whether the program gets something on its standard input.
    var hasInput: Bool { input != nil || !command.takesArguments }

    /// What the program gets on its standard input; nil for nothing.
    func standardInput(_ arguments: RawJSON) -> [UInt8]? {
        if let input { return Array(input.plainText(CallArguments(arguments)).utf8) }
        return command.takesArguments ? nil : arguments.bytes + [UInt8(ascii: "\n")]
    }

    /// The environment for the tool's processes.
    func processEnvironment(_ worker: [String: String]) -> ProcessEnvironment {
        ProcessEnvironment(
            worker: worker,
            passing: passedVariables,
            setting: variables.map { ($0.key, $0.value) }
        )
    }

    /// The program and its arguments for a call.
    func commandLine(_ arguments: RawJSON) throws(StartProblem) -> [String] {
        do {
            return try command.render(arguments)
        } catch {
            throw .failed(error)
        }
    }

    /// A new working folder, or `spawn_failed`.
    func makeFolder(of keeper: ProcessKeeper) throws(StartProblem) -> WorkingFolder {
        do {
            return try WorkingFolder(of: keeper)
        } catch {
            let advice =
                error.isShortage
                ? UVError.shortageAdvice
                : "Check that the worker may write there, or set TMPDIR."
            let failure = Failure(
                code: .spawnFailed,
                message: "\(program) needs a working folder and none could be made in"
                    + " \(keeper.base): \(error.explanation). \(advice)",
                isRetryable: true
            )
            throw .refused(failure, isShortage: error.isShortage)
        }
    }

    /// The failure when it is not known whether the process was started.
    func uncertainStart() -> StartProblem {
        .failed(
            Failure(
                code: .outcomeUnknown,
                message: "\(program) may have been started: the process keeper of the worker gave"
                    + " no answer and was replaced.",
                isRetryable: description.isIdempotent
            )
        )
    }

    /// The failure of a process that could not be started; `command` is the program and its
    /// arguments.
    func spawnFailure(_ error: UVError, words: [String] = []) -> StartProblem {
        if error.isTooLarge, command.takesArguments {
            let bytes = words.dropFirst().reduce(0) { $0 + $1.utf8.count + 1 }
            return .failed(
                Failure(
                    code: .badArguments,
                    message: "\(program) could not be started: its arguments have \(bytes) bytes,"
                        + " more than the system allows in total. \(CommandTemplate.sizeAdvice)"
                )
            )
        }
        if error.isShortage {
            let failure = Failure(
                code: .spawnFailed,
                message: "\(program) could not be started: \(error.explanation)."
                    + " \(UVError.shortageAdvice)",
                isRetryable: true
            )
            return .refused(failure, isShortage: true)
        }
        let path = command.elements.first?.literal ?? ""
        let check =
            path.contains("/")
            ? "Check that \(path) exists on this worker and may be executed."
            : "Check that \(path) is installed on this worker and in its PATH."
        let failure = Failure(
            code: .spawnFailed,
            message: "\(program) could not be started: \(error.explanation). \(check)",
            isRetryable: true
        )
        return .refused(failure, isShortage: false)
    }
}
