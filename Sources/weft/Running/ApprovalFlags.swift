// Which nodes of a run a person approves, as flags of `weft run`.
internal import ArgumentParser
internal import Console
internal import Core
internal import Wire

/// The flags about approval.
struct ApprovalFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A tool whose nodes a person approves, beside those that always need it; may be "
                + "repeated, and * is all.",
            valueName: "tool"
        ),
        completion: Completions.tools
    )
    var approve: [String] = []
    @Option(
        help: ArgumentHelp(
            "Time for each approval (default: that of the tool, else of the coordinator: 1h).",
            valueName: "duration"
        ),
        transform: positiveDuration
    )
    var approvalTimeout: Duration?
    @Flag(help: "Approve whatever needs it, without asking.")
    var yes = false

    /// The time for each approval, in milliseconds.
    var milliseconds: Int? { approvalTimeout.map { max($0.millisecondsRoundedUp, 1) } }

    /// Whether the flags fit a command that waits for the run or leaves.
    func check(isDetached: Bool) throws {
        guard yes, isDetached else { return }
        throw ValidationError("--yes answers while the command runs, so not with --detach.")
    }

    func validate() throws {
        for tool in approve where !(1...Limits.toolNameLength).contains(tool.utf8.count) {
            throw ValidationError(
                "The name of a tool has from 1 to \(Limits.toolNameLength) bytes."
            )
        }
    }
}
