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
        let isSeen = Terminal.of(.error).isTerminal
        var logger = Logger(label: label) { label -> any LogHandler in
            if isSeen { return HarmlessLogHandler(label: label) }
            return StreamLogHandler.standardError(label: label)
        }
        logger.logLevel = level
        return logger
    }

    /// One line of output, on standard output.
    static func output(_ line: String) {
        Output.standard.writeNow("\(line)\n")
    }

    /// One line for a person, on standard error.
    static func tell(_ line: String) {
        let isSeen = Terminal.of(.error).isTerminal
        Output.error.writeNow("\(isSeen ? Text.printable(line) : line)\n")
    }
}

extension WeftlineVersion {
    /// Name and version, as peers are told.
    static let software = "weft/\(current)"
}
