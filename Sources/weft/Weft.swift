// The command `weft`: its subcommands, and the exit code of each ending. Each command is in a
// separate file.
internal import ArgumentParser
internal import Bench
internal import Console
internal import Glibc
internal import UVLoop

@main
struct Weft: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft",
        abstract: "Runs plans of tool calls across machines.",
        discussion: """
            Try it without any setup, on a cluster that lives as long as the run:

              weft run --plan plan.json --tools tools.yaml

            Across machines: start a coordinator once, workers wherever the tools are, and send \
            plans to it.

              weft coordinator
              weft worker --tools tools.yaml
              weft run --plan plan.json --coordinator 127.0.0.1:7420

            Where a command needs a coordinator it takes --coordinator, else WEFT_COORDINATOR, \
            else 127.0.0.1:7420. It proves itself by the key file client.key in the state folder \
            (--state, WEFT_STATE_DIR), by --key-file or WEFT_KEY_FILE; or a join line of weft keys \
            export names both: --join or WEFT_JOIN.

            Exit codes: 0 success, 1 the run failed or was cancelled, 2 a bad command line, plan \
            or manifest, 3 no coordinator, 4 refused by it, 130 interrupted.
            """,
        version: "weft \(WeftlineVersion.current)",
        subcommands: [
            RunCommand.self, PlanCommand.self, CoordinatorCommand.self, WorkerCommand.self,
            StatusCommand.self, WorkersCommand.self, ToolsCommand.self, RunsCommand.self,
            ShowCommand.self, LogsCommand.self, ReportCommand.self, AnalyseCommand.self,
            WatchCommand.self, TopCommand.self,
            CancelCommand.self, ApprovalsCommand.self, ApproveCommand.self, DenyCommand.self,
            RetryCommand.self, ForgetCommand.self, DrainCommand.self,
            LaunchCommand.self, ExplainCommand.self, BenchCommand.self,
            BenchEchoCommand.self, BenchSpawnCommand.self, ModelsCommand.self, ConfigCommand.self,
            PlansCommand.self, KeysCommand.self, JournalCommand.self, MCPCommand.self,
            DashboardCommand.self, VersionCommand.self,
        ]
    )

    static func main() {
        guard ProcessTable.openStandardDescriptors() else { Glibc.exit(ExitStatus.failed.rawValue) }
        ProcessTable.ignoreSIGXFSZ()
        ProcessTable.protectMemory()
        Shell.endWithParent()
        ProcessTable.keepFreedBuffers()
        var status = ExitStatus.success
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as CommandFailure {
            failure.report()
            status = failure.status
        } catch {
            status = report(error)
        }
        Glibc.exit(afterWriteFailures(status).rawValue)
    }

    /// The status of a command whose output may be lost: then it failed in any case.
    private static func afterWriteFailures(_ status: ExitStatus) -> ExitStatus {
        if let failure = Output.standard.lost() {
            failure.report()
            return failure.status
        }
        if WriteFailures.areReported { return .failed }
        // Standard error itself is lost, so only the status can tell; a more precise one is kept.
        guard status == .success, let failure = Output.error.lost() else { return status }
        return failure.status
    }

    /// Prints the parser's message: help and versions, or an error in the arguments.
    ///
    /// An unknown argument is reported first: the parser finds it last, after the checks of the
    /// command, and shows the help of `weft` for an unknown command.
    private static func report(_ error: any Error) -> ExitStatus {
        let wantsHelp = exitCode(for: error).isSuccess
        if let problem = unknownArgument(wantsHelp: wantsHelp) {
            problem.failure.report()
            return .usage
        }
        guard wantsHelp else {
            usageError(error).failure.report()
            return .usage
        }
        Output.standard.writeNow("\(fullMessage(for: error))\n")
        return .success
    }

    private static var arguments: [String] { Array(CommandLine.arguments.dropFirst()) }

    /// Whether the arguments are commands and then a wish for help, or only `--version`.
    ///
    /// Then none is unknown. The description of all commands, in which the others are looked up,
    /// takes more time than the rest of the program's start.
    static func asksOnlyForHelp(_ arguments: [String]) -> Bool {
        guard let last = arguments.last else { return true }
        // For shells and manuals; the parser alone knows what follows.
        let pseudo = [
            "---completion", "--generate-completion-script", "--experimental-dump-help",
        ]
        if let first = arguments.first, pseudo.contains(first) { return true }
        var command: any ParsableCommand.Type = Weft.self
        for argument in arguments.dropLast() {
            let next = command.configuration.subcommands.first {
                $0.configuration.commandName == argument
            }
            guard let next else { return false }
            command = next
        }
        return ["--help", "-h"].contains(last) || arguments == ["--version"]
    }

    private static func usageError(_ error: any Error) -> UsageError {
        let message = message(for: error)
        guard let shape = CommandShape.weft else {
            return UsageError(sentence: message, command: "weft")
        }
        return UsageError(message: message, arguments: arguments, shape: shape)
    }

    private static func unknownArgument(wantsHelp: Bool) -> UsageError? {
        guard !asksOnlyForHelp(arguments), let shape = CommandShape.weft else { return nil }
        return CommandLineCheck(shape, checksOptions: !wantsHelp, entry: Files.entry(at:))
            .problem(in: arguments)
            .map { UsageError(sentence: $0.sentence, command: $0.command) }
    }
}
