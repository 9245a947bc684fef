// What `weft run` says when the run has ended: the answer or the document on standard output,
// failures on standard error.
internal import Client
internal import JSON
internal import Plans
internal import Wire

extension PlanRun {
    /// Tells how the run ended and ends the session.
    func tell(_ outcome: RunEnd, of run: RunID) {
        bar.show(outcome.counts)
        fetchAnswer(outcome, of: run) { [self] answer in
            if settings.printsJSON {
                writeDocument(outcome, answer, of: run)
            } else {
                if !shownAnswer.isEmpty { Output.standard.writeNow("\n") }
                sayFailures(outcome, of: run) { [self] in
                    if let answer, hasAnswer(outcome) { write(answer) }
                    finish(outcome)
                }
            }
        }
    }

    /// Writes the answer, unless it was shown while it was written.
    private func write(_ answer: RawJSON) {
        if let format = settings.planFormat {
            session.output.write(PlanCommand.text(of: Array(answer.bytes), as: format))
        } else if shownAnswer.isEmpty || answer.stringValue != shownAnswer {
            session.output.write(RunEnd.text(of: answer))
        }
    }

    /// A run of which nothing succeeded, or that was called off, has nothing to say.
    private func hasAnswer(_ outcome: RunEnd) -> Bool {
        switch outcome.status {
        case "succeeded": true
        case "failed": outcome.counts.succeeded > 0
        default: false
        }
    }

    private func fetchAnswer(
        _ outcome: RunEnd,
        of run: RunID,
        then: @escaping (RawJSON?) -> Void
    ) {
        guard outcome.answer == nil, settings.printsJSON || hasAnswer(outcome) else {
            return then(outcome.answer)
        }
        client?
            .get(.answer, id: run.text) { [self] result in
                switch result {
                case .success(let answer): then(answer)
                case .failure(let error): fail(error)
                }
            }
    }

    // MARK: - For programs

    private func writeDocument(_ outcome: RunEnd, _ answer: RawJSON?, of run: RunID) {
        var document = RunDocument()
        let output = session.output
        output.write(document.opening(run, outcome, answer: answer ?? .null))
        client?
            .forEachPage(of: run) { page, goOn in
                output.write(document.nodes(page))
                output.whenDrained { goOn(true) }
            } then: { [self] result in
                if case .failure(let error) = result { return fail(error) }
                output.write(document.closing(outcome))
                finish(outcome)
            }
    }

    // MARK: - For people

    private func sayFailures(_ outcome: RunEnd, of run: RunID, then: @escaping () -> Void) {
        var failures = FailureList(failed: outcome.counts.failed)
        guard !failures.isComplete else {
            say([], outcome, of: run)
            return then()
        }
        client?
            .forEachPage(of: run) { page, goOn in
                failures.read(page)
                goOn(!failures.isComplete)
            } then: { [self] result in
                if case .failure(let error) = result { return fail(error) }
                say(failures.shown, outcome, of: run)
                then()
            }
    }

    private func say(_ failures: [String], _ outcome: RunEnd, of run: RunID) {
        bar.end()
        var lines = failures.map { terminal.style.paint(Text.printable($0), .red) }
        let skipped = outcome.counts.skipped
        if skipped > 0 {
            let nodes = skipped == 1 ? "1 node was skipped" : "\(skipped) nodes were skipped"
            lines.append(
                terminal.style.paint("\(nodes): what they depend on did not succeed", .yellow)
            )
        }
        if let sentence = outcome.sentence {
            lines.append(Text.printable("run \(run) \(sentence)"))
        }
        if !failures.isEmpty, settings.isRemote {
            lines.append("More about a node: weft show \(run) NODE")
        }
        if terminal.isTerminal, settings.planFormat == nil {
            lines.append(terminal.style.paint(outcome.summary, .dim))
        }
        bar.say(lines)
    }

    private func finish(_ outcome: RunEnd) {
        let status = outcome.exitStatus
        guard status != .success else { return end(nil) }
        end(CommandFailure(isInterrupted ? .interrupted : status))
    }
}
