// How a command ends when it does not end well: an exit code and what is said on standard error.

/// The exit codes of every command.
enum ExitStatus: Int32 {
    case success = 0
    case failed = 1
    case usage = 2
    case unreachable = 3
    case refused = 4
    case interrupted = 130
}

/// A command that did not succeed; lines go to standard error as they are.
struct CommandFailure: Error, Equatable {
    var status: ExitStatus
    var lines: [String]

    init(_ status: ExitStatus, _ lines: [String] = []) {
        self.status = status
        self.lines = lines
    }

    init(_ status: ExitStatus, _ message: String) {
        self.init(status, ["error: \(message)"])
    }
}
