// The command `weft`: its subcommands, and how each ending becomes an exit code.
internal import ArgumentParser
internal import Glibc

/// The version of everything in this package.
enum WeftlineVersion {
    static let current = "0.1.0"
}

@main
struct Weft: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft",
        abstract: "Runs plans of tool calls across machines.",
        version: "weft \(WeftlineVersion.current)",
        subcommands: [
            CoordinatorCommand.self, WorkerCommand.self, BenchCommand.self, BenchEchoCommand.self,
        ]
    )

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as CommandFailure {
            for line in failure.lines { Shell.tell(line) }
            Glibc.exit(failure.status.rawValue)
        } catch {
            Shell.tell(fullMessage(for: error))
            Glibc.exit(exitCode(for: error).isSuccess ? 0 : 2)
        }
    }
}
