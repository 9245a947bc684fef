// What language models were asked for a run and what they wrote, as an answer in pages.

internal import Core
internal import JSON
internal import PlannerCore
internal import Runs
internal import Wire

extension CoordinatorMachine {
    /// The calls of models from a position on; one at least, and no more than the work allows.
    func conversationPage(
        _ run: Int,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        let calls = runs[run].conversation.calls
        var position = min(from, calls.count)
        var work = PageWork()
        var bytes = 0
        var page = ConversationPage(run: runs[run].id, calls: [], total: calls.count)
        while position < calls.count, page.calls.count < max(limit, 1), !work.isUsedUp,
            bytes < limits.maxValue / 8
        {
            let document = ConversationPage.Call(calls[position], number: position + 1)
            let written = document.prompt.reduce(document.reply.utf8.count) {
                $0 + $1.text.utf8.count
            }
            work.write(bytes: written)
            bytes += written
            page.calls.append(document)
            position += 1
        }
        return (JSONPieces(page.json), position < calls.count ? position : nil)
    }
}

extension ConversationPage.Call {
    fileprivate init(_ call: Conversation.Call, number: Int) {
        self.init(
            number: number,
            purpose: ConversationPage.Purpose(call.purpose),
            isRepair: call.isRepair,
            startedAt: call.startedAt,
            sharedMessages: call.sharedMessages,
            prompt: call.prompt.map {
                ConversationPage.Text(role: $0.role.rawValue, text: $0.text, isCut: $0.isCut)
            },
            reply: call.reply
        )
        isReplyCut = !call.isLeftOut && call.isReplyCut
        isLeftOut = call.isLeftOut
        usage = call.usage
        took = call.endedAt.map { $0 - call.startedAt }
        switch call.end {
        case nil: break
        case .stopped(let stop): end = stop.rawValue
        // The planner cancels a call when it needs nothing more of it.
        case .failed(let failure) where failure.code == .cancelled: end = Self.abandoned
        case .failed(let failure):
            end = Self.failed
            problem = failure.description
        case .abandoned: end = Self.abandoned
        }
    }
}

extension ConversationPage.Purpose {
    fileprivate init(_ purpose: PlannerMachine.Purpose) {
        switch purpose {
        case .planner: self = .planner
        case .joiner: self = .joiner
        }
    }
}
