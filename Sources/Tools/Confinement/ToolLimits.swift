// The limits that a manifest sets for a tool's processes, and the failures of tools that reach them.
// Not here: reading them (ManifestReader), how they are applied (UVLoop).
internal import Configuration
internal import Core
internal import UVLoop

/// What the processes of a tool may use.
struct ToolLimits: Sendable, Equatable {
    /// The processor time of each process, in whole seconds.
    var cpu: Duration?
    /// The bytes of memory.
    var memory: Int?
    /// How many files each process may have open.
    var files: Int?
    /// How many processes and threads there may be at a time.
    var processes: Int?
    /// The bytes of each file that is written.
    var fileSize: Int?

    /// The limits as the system gets them.
    var confinement: Confinement {
        var confinement = Confinement()
        confinement.cpuSeconds = cpu.map { Int($0.components.seconds) }
        confinement.memoryBytes = memory
        confinement.openFiles = files
        confinement.processes = processes
        confinement.fileBytes = fileSize
        return confinement
    }

    /// The limit that ended a process, as its name and value in the manifest; nil if none did.
    ///
    /// The system knows it of most. Without a control group a tool that gets no memory ends as it
    /// likes, and some catch the signal for large files, so that only their words tell.
    func ending(_ reached: Confinement.Reached, errors: String?) -> String? {
        let words = errors?.lowercased() ?? ""
        func isSaid(_ phrases: [String]) -> Bool { phrases.contains { words.contains($0) } }
        if let cpu, reached.contains(.cpu) { return "cpu: \(Quantities.text(cpu))" }
        if let memory, reached.contains(.memory) || isSaid(Self.memoryPhrases) {
            return "memory: \(Quantities.text(bytes: memory))"
        }
        if let fileSize, reached.contains(.fileSize) || isSaid(["file too large"]) {
            return "file_size: \(Quantities.text(bytes: fileSize))"
        }
        if let files, isSaid(["too many open files"]) { return "files: \(files)" }
        return nil
    }

    private static let memoryPhrases = [
        "memoryerror", "cannot allocate memory", "out of memory", "outofmemory", "bad_alloc",
        "memory exhausted", "memory allocation",
    ]

    /// A limit that a process had reached before it ended for another reason, or nil.
    func circumstance(_ reached: Confinement.Reached, errors: String?) -> String? {
        let words = errors?.lowercased() ?? ""
        let isSaid = words.contains("resource temporarily unavailable")
        guard let processes, reached.contains(.processes) || isSaid else { return nil }
        return "at its limit of processes: \(processes)"
    }
}

extension ToolConfinement {
    /// The failure of a process that ended with a code that is not a success, or by a signal.
    ///
    /// `circumstance` says when it ended; `hasServed` if it has served other calls before.
    func failure(
        _ status: ChildProcess.ExitStatus,
        of tool: ManifestTool,
        _ errors: OutputTail,
        _ circumstance: String = "",
        hasServed: Bool = false
    ) -> Failure {
        let status = isWrapped ? status.unwrapped : status
        if isWrapped, status.code == 1, let text = errors.text, text.hasPrefix("bwrap: ") {
            return tool.noSandboxMade(errors)
        }
        guard let limit = tool.limits.ending(status.reached, errors: errors.text) else {
            let more =
                tool.limits.circumstance(status.reached, errors: errors.text)
                .map { [$0] } ?? []
            let circumstances = ([circumstance] + more).filter { !$0.isEmpty }
            var failure = Failure.exit(
                status,
                of: tool.program,
                errors,
                circumstances.joined(separator: " ")
            )
            // It may have taken effect, and nothing it said allows another start.
            if status.wasEndedByOthers, !tool.mayRunTwice {
                failure.code = .outcomeUnknown
                failure.isRetryable = false
            }
            if status.signal == 0, !tool.exitRetries.allows(status.code) {
                failure.isRetryable = false
            }
            return failure
        }
        let cause =
            status.signal == 0
            ? "exited with code \(status.code) at its limit of \(limit)"
            : "was ended by its limit of \(limit)"
        var failure = Failure.exit(status, of: tool.program, errors)
        failure.code = .toolLimit
        failure.message = "\(tool.program) \(cause)"
        if status.signal == 0, let line = errors.lastLine { failure.message += ": \(line)" }
        // Other calls have used a part of it, so this one may do in a new process.
        failure.isRetryable = hasServed
        return failure
    }
}

extension ManifestTool {
    /// The refusal of a tool whose sandbox this worker cannot make.
    func lacksSandbox(_ obstacle: String) -> StartProblem {
        .refused(
            Failure(
                code: .spawnFailed,
                message: "\(program) was not started: \(obstacle).",
                isRetryable: true
            ),
            isShortage: false
        )
    }

    /// The failure when bubblewrap ended without having started the program.
    fileprivate func noSandboxMade(_ errors: OutputTail) -> Failure {
        Failure(
            code: .spawnFailed,
            message: "\(program) was not started, as its sandbox could not be made:"
                + " \(errors.lastLine ?? "")",
            isRetryable: true,
            stderrTail: errors.text
        )
    }
}

extension ChildProcess.ExitStatus {
    /// The status of a tool whose wrapper passes it on as a shell does: 128 and the signal.
    var unwrapped: ChildProcess.ExitStatus {
        guard signal == 0, (129...159).contains(code) else { return self }
        return ChildProcess.ExitStatus(code: 0, signal: code - 128, reached: reached)
    }
}
