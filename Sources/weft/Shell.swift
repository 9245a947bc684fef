// What the commands that run a loop share: loop, log, messages to people.

internal import Client
internal import Logging
internal import UVLoop
internal import Wire

enum Shell {
    /// A loop on this thread, with the process prepared for sockets.
    static func makeLoop() throws(CommandFailure) -> EventLoop {
        ProcessTable.ignoreSIGPIPE()
        _ = ProcessTable.raiseFileLimit()
        do {
            return try EventLoop()
        } catch {
            throw CommandFailure(.usage, "The event loop cannot be made: \(error).")
        }
    }

    /// A log on standard error.
    static func logger(_ label: String, level: Logger.Level) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }

    /// One line of output, on standard output.
    static func output(_ line: String) {
        Output.standard.writeNow("\(line)\n")
    }

    /// One line for a person, on standard error.
    static func tell(_ line: String) {
        Output.error.writeNow("\(line)\n")
    }
}

extension WeftlineVersion {
    /// Name and version, as peers are told.
    static let software = "weft/\(current)"
}
