// The output of `weft run` at the end of the run: the answer or the document on standard output,
// failures on standard error.
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Plans
internal import Weftline
internal import Wire

extension PlanRun {
    /// Reports the end of the run and ends the session.
    func tell(_ outcome: RunEnd) {
        bar.show(RunProgress(outcome.outcome))
        if settings.printsJSON { return writeReport(outcome) }
        if isLaidOut, hasAnswer(outcome) {
            return sayFailures(outcome) { [self] in writeParts(outcome) }
        }
        fetchAnswer(outcome) { [self] answer in
            if !shownAnswer.isEmpty { Output.standard.writeNow("\n") }
            sayFailures(outcome) { [self] in
                if let answer, hasAnswer(outcome) { write(answer) }
                finish(outcome)
            }
        }
    }

    /// Writes the answer, unless it was shown while it was written.
    private func write(_ answer: RawJSON) {
        let isSeen = Terminal.of(.standard).isTerminal
        var bytes: [UInt8] = []
        if let format = settings.planFormat {
            bytes = PlanCommand.text(of: Array(answer.bytes), as: format)
        } else if shownAnswer.isEmpty || answer.stringValue != shownAnswer {
            bytes = RunEnd.text(of: answer)
        }
        if isSeen { bytes = Array(Text.harmless(String(decoding: bytes, as: UTF8.self)).utf8) }
        session.output.write(bytes)
    }

    // MARK: - Outputs for a terminal

    /// Whether the answer is a list of the outputs, and a person reads it.
    ///
    /// Programs get the classic form, `[tool] output` and the join instruction.
    private var isLaidOut: Bool {
        settings.submission.join == .concat && !settings.printsJSON && settings.planFormat == nil
            && Terminal.of(.standard).isTerminal
    }

    /// Writes the outputs page by page, each under the name of its node and tool.
    private func writeParts(_ outcome: RunEnd) {
        let style = Terminal.of(.standard).style
        let output = session.output
        var isFirst = true
        follower?
            .forEachPage { (page, goOn) throws(WireError) in
                let parts = try Self.parts(page, style)
                if !parts.isEmpty {
                    output.write(Array(((isFirst ? "" : "\n") + parts).utf8))
                    isFirst = false
                }
                output.whenDrained { goOn(true) }
            } then: { [self] result in
                if case .failure(let error) = result { return fail(error) }
                finish(outcome)
            }
    }

    /// `t1 (grep)`, then its output, for each node of a page that has one.
    static func parts(_ page: NodesPage, _ style: Style) throws(WireError) -> String {
        var parts: [String] = []
        try page.forEachNode { id, node in
            guard let output = node.output else { return true }
            let text = String(decoding: RunEnd.text(of: output), as: UTF8.self)
            let name = Text.printable("\(id) (\(node.tool))")
            parts.append("\(style.paint(name, .cyan))\n\(Text.harmless(text))")
            return true
        }
        return parts.joined(separator: "\n")
    }

    /// Whether there is an answer to print: not if nothing succeeded or the run was cancelled.
    private func hasAnswer(_ outcome: RunEnd) -> Bool {
        switch outcome.status {
        case .succeeded: true
        case .failed: outcome.outcome.counts.succeeded > 0
        case .cancelled: false
        }
    }

    private func fetchAnswer(
        _ outcome: RunEnd,
        then: @escaping (RawJSON?) -> Void
    ) {
        guard outcome.outcome.answer == nil, hasAnswer(outcome) else {
            return then(outcome.outcome.answer)
        }
        follower?
            .fetchAnswer(of: outcome) { [self] result in
                switch result {
                case .success(let answer): then(answer)
                case .failure(let error) where error.code == .limit:
                    let hint = "weft run --json prints every node, without the answer."
                    end(CommandFailure(.failed, [error.message.asError, hint]))
                case .failure(let error): fail(error)
                }
            }
    }

    // MARK: - For programs

    private func writeReport(_ outcome: RunEnd) {
        guard let client = follower?.client else { return }
        let report = RunReport(client, outcome.run, session.output)
        report.write(answer: outcome.outcome.answer) { [self] result in
            switch result {
            case .success(let omission):
                answerFailure = omission
                finish(outcome)
            case .failure(let error): fail(error)
            }
        }
    }

    // MARK: - For people

    private func sayFailures(_ outcome: RunEnd, then: @escaping () -> Void) {
        // Failures that the terminal shows already are not printed again.
        var failures = FailureList(failed: outcome.outcome.counts.failed, told: toldFailures)
        guard !failures.isComplete else {
            say(failures, outcome)
            return then()
        }
        follower?
            .forEachPage { (page, goOn) throws(WireError) in
                try failures.read(page)
                goOn(!failures.isComplete)
            } then: { [self] result in
                if case .failure(let error) = result { return fail(error) }
                say(failures, outcome)
                then()
            }
    }

    private func say(_ failures: FailureList, _ outcome: RunEnd) {
        bar.end()
        var lines = failures.shown.map { terminal.style.paint(Text.printable($0), .red) }
        let skipped = outcome.outcome.counts.skipped
        if skipped > 0 {
            let nodes = skipped == 1 ? "1 node was skipped" : "\(skipped) nodes were skipped"
            lines.append(
                terminal.style.paint("\(nodes): what they depend on did not succeed", .yellow)
            )
        }
        if let sentence = outcome.sentence {
            lines.append(Text.printable("run \(outcome.run) \(sentence)"))
        }
        if let hint = failures.hint(settings.isRemote ? outcome.run : nil) { lines.append(hint) }
        if terminal.isTerminal, settings.planFormat == nil {
            lines.append(terminal.style.paint(outcome.summary, .dim))
            if let models = outcome.modelsLine {
                lines.append(terminal.style.paint("models: \(models)", .dim))
            }
        }
        bar.say(lines)
    }

    private func finish(_ outcome: RunEnd) {
        let status = outcome.exitStatus
        guard status != .success else { return end(answerFailure) }
        end(CommandFailure(isInterrupted ? .interrupted : status))
    }
}
