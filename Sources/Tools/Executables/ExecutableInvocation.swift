// One process of an executable tool, from its start to its outcome.
internal import Core
internal import JSON
internal import UVLoop
internal import Wire

/// A running invocation of an executable tool.
final class ExecutableInvocation: RunningInvocation {
    /// Why we end the process.
    private enum Ending {
        case cancelled
        case outputTooLarge
    }

    // The runner lives as long as its processes, which live until they have ended.
    private let runner: ExecutableRunner
    private let folder: WorkingFolder
    private let outputLimit: Int
    private var report: ((ToolReport) -> Void)?
    private var child: ChildProcess?
    private var output: [UInt8] = []
    private var errors = OutputTail()
    private var ending: Ending?
    private var killing: GroupKilling?

    init(
        runner: ExecutableRunner,
        folder: WorkingFolder,
        outputLimit: Int,
        report: @escaping (ToolReport) -> Void
    ) {
        self.runner = runner
        self.folder = folder
        self.outputLimit = outputLimit
        self.report = report
    }

    func spawn(_ options: ChildProcess.Options) throws(UVError) {
        child = try ChildProcess.spawn(
            loop: runner.loop,
            options: options,
            keeper: runner.keeper
        ) {
            self.received($1, from: $0)
        } onExit: {
            self.exited($0)
        }
    }

    func cancel(grace: Duration) {
        if ending == nil { ending = .cancelled }
        kill(grace: grace)
    }

    private func kill(grace: Duration) {
        guard let child else { return }
        let killing = killing ?? GroupKilling(loop: runner.loop, child: child)
        self.killing = killing
        killing.kill(grace: grace)
    }

    private func received(_ bytes: [UInt8], from stream: ChildProcess.Stream) {
        switch stream {
        case .standardError:
            errors.append(bytes)
            report?(.output(.standardError, bytes))
        case .standardOutput:
            // Output of a process that is being ended does not count.
            guard ending == nil else { return }
            guard bytes.count <= outputLimit - output.count else {
                ending = .outputTooLarge
                output = []
                kill(grace: .zero)
                return
            }
            // One read is the whole output of most tools; it is used without a copy.
            if output.isEmpty { output = bytes } else { output += bytes }
            report?(.output(.standardOutput, bytes))
        }
    }

    private func exited(_ status: ChildProcess.ExitStatus) {
        killing?.end()
        killing = nil
        child = nil
        folder.remove(runner.loop)
        runner.ended(self)
        let last = report
        report = nil
        last?(.finished(outcome(status), isTruncated: false))
    }

    private func outcome(_ status: ChildProcess.ExitStatus) -> Result<RawJSON, Failure> {
        let tool = runner.tool
        switch ending {
        case .cancelled:
            var failure = Failure.cancelled(tool.description.name)
            failure.stderrTail = errors.text
            return .failure(failure)
        case .outputTooLarge:
            var failure = Failure.outputTooLarge(tool.description.name, limit: outputLimit)
            failure.stderrTail = errors.text
            return .failure(failure)
        case nil:
            if status.signal == 0, tool.successExitCodes.contains(status.code) {
                let name = tool.description.name
                return (tool.output.format ?? .text).read(output, of: name)
                    .flatMap { tool.output.output(of: $0, name) }
                    .mapError { failure in
                        var failure = failure
                        failure.exitCode = status.code
                        failure.stderrTail = errors.text
                        return failure
                    }
            }
            return .failure(runner.confinement.failure(status, of: tool, errors))
        }
    }
}
