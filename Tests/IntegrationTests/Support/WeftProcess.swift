// A real process in a group of its own, with its outputs in files. It does not use the modules of
// the project: the tests see what a user sees.
import Foundation
import Glibc
import TestKit
import Testing

/// How a process ended.
struct Ending: Equatable, CustomStringConvertible {
    /// The exit code, or -1 if a signal ended it.
    var code: Int32
    /// The signal that ended it, or 0.
    var signal: Int32

    init(status: Int32) {
        let number = status & 0x7F
        signal = number
        code = number == 0 ? (status >> 8) & 0xFF : -1
    }

    var description: String { signal == 0 ? "exit code \(code)" : "signal \(signal)" }
}

/// The output of a process, and its end.
struct Outcome {
    var code: Int32
    var output: String
    var errors: String

    /// The output as JSON.
    var document: Document {
        get throws { try Document(parsing: output) }
    }
}

/// An expected event that did not happen; contains what was seen instead.
struct Missing: Error, CustomStringConvertible {
    var description: String
}

/// Waits until the condition holds; fails with its name when the time is over.
func eventually(
    _ what: @autoclosure () -> String,
    within limit: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit * Patience.factor
    while try await !condition() {
        guard clock.now < deadline else { throw Missing(description: "never: \(what())") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// A process that was started by a test.
final class WeftProcess {
    /// The name of the process in messages.
    let name: String
    let pid: pid_t
    private let outputPath: String
    private let errorPath: String
    private var ending: Ending?

    /// Starts a program; its outputs go to files in the folder.
    init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String],
        input: String? = nil,
        folder: String,
        number: Int
    ) throws {
        name = "\(number) \((program as NSString).lastPathComponent) \(arguments.first ?? "")"
        outputPath = "\(folder)/\(number).out"
        errorPath = "\(folder)/\(number).err"
        var inputPath = "/dev/null"
        if let input {
            inputPath = "\(folder)/\(number).in"
            try input.write(toFile: inputPath, atomically: false, encoding: .utf8)
        }
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        let create = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&files, 0, inputPath, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, outputPath, create, 0o600)
        posix_spawn_file_actions_addopen(&files, 2, errorPath, create, 0o600)
        // Open files of the tests must not count against limits.
        for number in Int32(3)..<100 { posix_spawn_file_actions_addclose(&files, number) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        var allSignals = sigset_t()
        sigfillset(&allSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setsigdefault(&attributes, &allSignals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let words = ([program] + arguments).map { strdup($0) }
        let variables = environment.map { strdup("\($0.key)=\($0.value)") }
        defer { for pointer in words + variables { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawnp(
            &pid,
            program,
            &files,
            &attributes,
            words + [nil],
            variables + [nil]
        )
        guard error == 0 else {
            throw Missing(description: "\(name) cannot start: \(String(cString: strerror(error)))")
        }
        self.pid = pid
    }

    // MARK: - What it says

    var output: String { Self.text(of: outputPath) }
    var errors: String { Self.text(of: errorPath) }

    private static func text(of path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    /// The first whole line of standard error that contains the text.
    @discardableResult
    func line(with text: String) async throws -> String {
        try await line(with: text, in: { $0.errors })
    }

    /// The first whole line of standard output that contains the text.
    @discardableResult
    func outputLine(with text: String) async throws -> String {
        try await line(with: text, in: { $0.output })
    }

    private func line(
        with text: String,
        in source: (WeftProcess) -> String
    ) async throws -> String {
        var found: Substring?
        try await eventually("\(name) says \"\(text)\"; it said:\n\(source(self))") {
            let said = source(self)
            found = said.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first { $0.contains(text) }
            if found == nil, !isRunning {
                throw Missing(description: "\(name) ended without \"\(text)\":\n\(errors)")
            }
            return found != nil
        }
        return String(found ?? "")
    }

    // MARK: - Its life

    var isRunning: Bool {
        reap(WNOHANG)
        return ending == nil
    }

    private func reap(_ options: Int32) {
        guard ending == nil else { return }
        var status: Int32 = 0
        if waitpid(pid, &status, options) == pid { ending = Ending(status: status) }
    }

    /// Sends a signal to the process alone.
    func signal(_ number: Int32) {
        if isRunning { kill(pid, number) }
    }

    /// Waits for its end and returns the exit code; a signal is a failure.
    @discardableResult
    func end(within limit: Duration = .seconds(20)) async throws -> Outcome {
        try await eventually("\(name) ends", within: limit) { !isRunning }
        guard let ending, ending.signal == 0 else {
            throw Missing(description: "\(name) was ended by a signal: \(errors)")
        }
        return Outcome(code: ending.code, output: output, errors: errors)
    }

    /// Kills the rest of its group.
    func killGroup() {
        if ending == nil || kill(-pid, 0) == 0 { kill(-pid, SIGKILL) }
        reap(0)
    }
}
