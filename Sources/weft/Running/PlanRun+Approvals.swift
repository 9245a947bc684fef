// Approvals during `weft run`: questions at a terminal, lines elsewhere, answers on their way.
internal import Client
internal import Console
internal import Core
internal import Glibc
internal import UVLoop
internal import Weftline
internal import Wire

extension PlanRun {
    /// An event that may concern a node that waits for approval.
    func noteApprovals(_ event: EventMessage) {
        guard let node = event.node else { return }
        switch event.kind {
        case .approvalAsked:
            guard case .approvalAsked(let asked) = try? EventData(of: event) else { return }
            ask(ApprovalPrompt.Question(node: node, asked: asked))
        case .approved, .nodeFailed, .nodeCancelled:
            if approvals.remove(node) { showQuestion() }
        default: break
        }
    }

    private func ask(_ question: ApprovalPrompt.Question) {
        guard !settings.approvesAll else {
            return send([question.node], isApproved: true, reason: "weft run --yes")
        }
        guard approvals.add(question) else { return }
        guard beginReading() else {
            _ = approvals.remove(question.node)
            guard let run = follower?.run else { return }
            let line = ApprovalPrompt.line(of: question, run: run, isRemote: settings.isRemote)
            return bar.say([line])
        }
        if approvals.questions.count == 1 { showQuestion() }
    }

    /// Whether a person can be asked: both ends are a terminal, and this process is in front.
    private var canAsk: Bool {
        guard terminal.isLive, !settings.readsInput, isatty(STDIN_FILENO) == 1 else { return false }
        // Reading in the background would stop the process; a terminal that does not control it
        // has no front.
        let front = tcgetpgrp(STDIN_FILENO)
        return front < 0 || front == getpgrp()
    }

    private func beginReading() -> Bool {
        if input != nil { return true }
        guard canAsk else { return false }
        input = StandardInput(loop: session.loop) { [weak self] line in
            self?.handleLine(String(decoding: line, as: UTF8.self))
        } onEnd: { [weak self] in
            self?.endInput()
        }
        return true
    }

    /// Shows the first question in place of the live lines, or these again if there is none.
    private func showQuestion() {
        guard let question = approvals.questions.first else { return bar.endPrompt() }
        let lines = ApprovalPrompt.lines(of: question, style: terminal.style)
        bar.ask(lines, ApprovalPrompt.prompt)
    }

    /// A line was typed.
    private func handleLine(_ line: String) {
        guard let question = approvals.questions.first else { return }
        bar.noteTyped()
        switch ApprovalPrompt.reply(line) {
        case .answer(let isApproved, let reason):
            send([question.node], isApproved: isApproved, reason: reason)
            _ = approvals.remove(question.node)
        case .approveAll:
            send(nil, isApproved: true, reason: nil)
            approvals.removeAll()
        case .later:
            _ = approvals.remove(question.node)
        case .unclear:
            return bar.ask([ApprovalPrompt.help], ApprovalPrompt.prompt)
        }
        showQuestion()
    }

    private func endInput() {
        approvals.removeAll()
        bar.endPrompt()
    }

    /// Stops asking: the run has ended.
    func endApprovals() {
        input?.close()
        input = nil
        approvals.removeAll()
        bar.endPrompt()
    }

    private func send(_ nodes: [NodeID]?, isApproved: Bool, reason: String?) {
        guard let follower, let run = follower.run else { return }
        let answer = Approve(run: run, nodes: nodes, isApproved: isApproved, reason: reason)
        follower.client.answer(answer) { [weak self] result in
            // It may have been answered elsewhere, or its time was over.
            guard case .failure(let error) = result, error.kind == .rejected else { return }
            self?.bar.say([Text.printable(error.message)])
        }
    }
}
