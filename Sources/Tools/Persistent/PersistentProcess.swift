// One process of a persistent tool: one line out for each call, one line in for its reply. Not
// here: which process serves which call (PersistentRunner), the meaning of a reply
// (PersistentReply).
internal import Core
internal import JSON
internal import UVLoop
internal import Wire

/// A process that serves one call at a time.
final class PersistentProcess {
    /// Why we end the process, and the failure of its call after that.
    private enum Ending {
        case cancelled
        case misbehaved(Failure)
    }

    /// The most bytes of a reply line in addition to its output.
    private static let replyOverhead = 1024
    /// How many bytes a process may print without a call before it is ended.
    private static let unaskedLimit = 4096

    private let runner: PersistentRunner
    private let folder: WorkingFolder
    private var child: ChildProcess?
    private var reader = LineReader(maximumLine: PersistentProcess.unaskedLimit)
    /// The end of the standard error output since the call began.
    private var errors = OutputTail()
    private var call: PersistentInvocation?
    /// The length of the call's line.
    private var callBytes = 0
    private var ending: Ending?
    private var killing: GroupKilling?
    private var hasAnswered = false
    private var isShuttingDown = false

    init(runner: PersistentRunner, folder: WorkingFolder) {
        self.runner = runner
        self.folder = folder
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

    /// Sends a call to the process, which must have none.
    func serve(_ call: PersistentInvocation) {
        // Waiting errors were written before the call and do not belong to it, unless the process
        // was started for it.
        if hasAnswered {
            child?.readErrorsNow()
            errors = OutputTail()
        }
        self.call = call
        call.process = self
        reader.maximumLine = outputLimit(call) &+ Self.replyOverhead
        var writer = JSONWriter(reserving: call.invocation.arguments.count + 40)
        writer.beginObject()
        writer.field("id", call.number)
        writer.field("args", call.invocation.arguments)
        writer.endObject()
        writer.newline()
        callBytes = writer.bytes.count
        child?.writeInput(writer.bytes)
        call.begin()
    }

    /// Ends the process if it still serves that call.
    func cancel(_ call: PersistentInvocation, grace: Duration) {
        guard self.call === call else { return }
        if ending == nil { ending = .cancelled }
        kill(grace: grace)
    }

    /// Gives the process time to end by itself; a reply still counts.
    func shutDown() {
        isShuttingDown = true
        runner.retire(self)
        child?.closeInput()
        groupKilling?.killUnlessEnded(within: PersistentRunner.shutDownGrace)
    }

    private func outputLimit(_ call: PersistentInvocation) -> Int {
        min(runner.tool.maxOutput ?? .max, call.invocation.maxOutput, .max / 2)
    }

    private var groupKilling: GroupKilling? {
        guard killing == nil, let child else { return killing }
        killing = GroupKilling(loop: runner.loop, child: child)
        return killing
    }

    private func kill(grace: Duration) {
        groupKilling?.kill(grace: grace)
    }

    // MARK: - Output

    private func received(_ bytes: [UInt8], from stream: ChildProcess.Stream) {
        switch stream {
        case .standardError:
            errors.append(bytes)
            call?.send(.output(.standardError, bytes))
        case .standardOutput:
            guard ending == nil else { return }
            reader.feed(bytes)
            readLines()
        }
    }

    private func readLines() {
        var answered: (call: PersistentInvocation, outcome: Result<RawJSON, Failure>)?
        do throws(Failure) {
            while let line = try nextLine() {
                // Errors that were written before the answer belong to this call.
                child?.readErrorsNow()
                guard let call else {
                    throw .badReply(
                        runner.tool,
                        "printed a line without a call",
                        line
                    )
                }
                let outcome = try PersistentReply.read(line, to: call.number, of: runner.tool)
                answered = (call, checked(outcome, of: call))
                self.call = nil
                hasAnswered = true
            }
        } catch {
            ending = .misbehaved(error)
            runner.retire(self)
            kill(grace: .zero)
        }
        guard let answered else { return }
        // Before the outcome is reported, because that may start the next call.
        if ending == nil, !isShuttingDown {
            reader.maximumLine = Self.unaskedLimit
            runner.becameIdle(self)
        }
        answered.call.finish(answered.outcome)
    }

    private func nextLine() throws(Failure) -> ArraySlice<UInt8>? {
        do {
            return try reader.next()
        } catch {
            guard let call else {
                throw .badReply(runner.tool, "printed a long line without a call", [])
            }
            throw .outputTooLarge(runner.tool.description.name, limit: outputLimit(call))
        }
    }

    private func checked(
        _ outcome: Result<RawJSON, Failure>,
        of call: PersistentInvocation
    ) -> Result<RawJSON, Failure> {
        guard case .success(let output) = outcome, output.count > outputLimit(call) else {
            return outcome
        }
        return .failure(
            .outputTooLarge(runner.tool.description.name, limit: outputLimit(call))
        )
    }

    // MARK: - The end

    private func exited(_ status: ChildProcess.ExitStatus) {
        let hasReadCall = child.map { $0.unreadInputBytes < callBytes } ?? true
        killing?.end()
        killing = nil
        child = nil
        folder.remove(runner.loop)
        let isCancelled = if case .cancelled = ending { true } else { false }
        runner.ended(self, isDeath: !hasAnswered && !isCancelled)
        guard let unanswered = call else { return }
        call = nil
        if !hasReadCall, ending == nil, !isShuttingDown {
            if hasAnswered {
                // It ended by itself after another call and had not read this one.
                runner.reassign(unanswered)
            } else {
                runner.didNotComeUp(unanswered, status, errors)
            }
        } else {
            unanswered.finish(.failure(failure(status)))
        }
    }

    private func failure(_ status: ChildProcess.ExitStatus) -> Failure {
        let tool = runner.tool
        var failure: Failure
        switch ending {
        case .cancelled: failure = .cancelled(tool.description.name)
        case .misbehaved(let reason): failure = reason
        case nil where isShuttingDown: failure = .shutDown(tool.description.name)
        case nil:
            return runner.confinement.failure(
                status,
                of: tool,
                errors,
                "before it answered",
                hasServed: hasAnswered
            )
        }
        failure.stderrTail = errors.text
        return failure
    }
}
