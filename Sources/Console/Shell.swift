// Functions for all commands that run a loop: loop, log, messages for people.

internal import Core
internal import FoundationEssentials
internal import Glibc
package import Logging
package import UVLoop

package enum Shell {
    /// A loop on this thread, with the process prepared for sockets.
    package static func makeLoop() throws(CommandFailure) -> EventLoop {
        ProcessTable.ignoreSIGPIPE()
        _ = ProcessTable.raiseFileLimit()
        do {
            return try EventLoop()
        } catch {
            throw CommandFailure(.usage, "The event loop cannot be made: \(error).")
        }
    }

    /// A log on standard error.
    package static func logger(_ label: String, level: Logger.Level) -> Logger {
        let isSeen = Terminal.of(.error).isTerminal
        let isJSON = LogFormat.current == .json
        var logger = Logger(label: label) { label -> any LogHandler in
            if isJSON { return JSONLogHandler(label: label) }
            if isSeen { return PrintableLogHandler(label: label) }
            return StreamLogHandler.standardError(label: label)
        }
        logger.logLevel = level
        return logger
    }

    /// Calls back for each signal that asks this process to end: SIGINT, SIGTERM and SIGHUP, and,
    /// as urgent, SIGQUIT.
    ///
    /// A SIGHUP that is ignored, as by `nohup`, stays ignored.
    package static func onEndingSignals(
        _ loop: EventLoop,
        _ body: @escaping (_ isUrgent: Bool) -> Void
    ) throws -> [SignalSource] {
        let signals =
            ProcessTable.isIgnored(SIGHUP) ? [SIGINT, SIGTERM] : [SIGINT, SIGTERM, SIGHUP]
        return try signals.map { try SignalSource(loop: loop, signal: $0) { body(false) } }
            + [SignalSource(loop: loop, signal: SIGQUIT) { body(true) }]
    }

    /// The path of this program, for starting other processes of it.
    package static var ownPath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }

    /// The environment of another process of this program that ends when this one has ended.
    package static func environmentOfOwnProcess(
        without names: Set<String> = []
    ) -> [(String, String)] {
        var variables = ProcessInfo.processInfo.environment.filter { !names.contains($0.key) }
        variables[parentVariable] = "\(ProcessTable.pid)"
        return variables.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Makes this process end with its parent, if the parent asked for it.
    package static func endWithParent() {
        guard let parent = ProcessInfo.processInfo.environment[parentVariable].flatMap(Int32.init)
        else { return }
        unsetenv(parentVariable)
        if !ProcessTable.endWithParent(parent) { exit(ExitStatus.failed.rawValue) }
    }

    private static let parentVariable = "WEFT_PARENT"

    /// One line of output, on standard output.
    package static func output(_ line: String) {
        Output.standard.writeNow("\(line)\n")
    }

    /// One line for people, on standard error.
    package static func tell(_ line: String) {
        guard LogFormat.current == .text else {
            return JSONLogLine.write(line, level: "notice", component: "weft")
        }
        let isSeen = Terminal.of(.error).isTerminal
        Output.error.writeNow("\(isSeen ? Text.printable(line) : line)\n")
    }
}

/// The version of all modules of this package.
package enum WeftlineVersion {
    package static let current = Release.version

    /// Name and version, as sent to peers.
    package static let software = "weft/\(current)"
}
