// A client that submits one run (a plan whole or in batches, or a goal), watches it, may cancel it,
// and comes back with the same key when its connection breaks.

import Core
import JSON
import PlannerCore
import Plans
import TestKit
import Wire

final class SimulatedClient {
    /// What it wants to have done.
    enum Work {
        case plan(ModelPlan)
        case goal(ModelGoal)
    }

    let name: String
    let key: String
    let work: Work
    let isStreamed: Bool
    let watch: WatchLevel
    /// The tools that its run may use; nil for all.
    var allowed: [String]?
    var wallMilliseconds: Int?
    var join = JoinKind.json
    /// How many attempts of its run workers may hold at a time.
    var running: Int?
    var onMissingTool = MissingToolPolicy.wait
    /// The tools whose nodes need approval in its run, beside those that always do.
    var approve: [String] = []
    var approvalMilliseconds: Int?
    /// The client whose run it does again, with nodes that run again although they succeeded.
    var retry: (run: RunID, of: SimulatedClient, nodes: [NodeID])?
    private(set) var run: RunID?
    private(set) var end: EventKind?
    /// The client's own end of its connection.
    var link: SimulatedLink?
    private(set) var isWelcome = false
    private var initiator: HandshakeInitiator?
    private let handshakeKey: HandshakeKey
    /// How many nodes have been sent, of a streamed plan.
    private var sentNodes = 0
    private var mayStream = false
    /// After how many nodes its plan breaks off, if it does.
    var breaksOffAfter: Int?
    /// Terminal events on this connection, and the number of the newest event.
    private var endsHere = 0
    private var newest = -1
    /// The number of the snapshot of a late watcher, while earlier events are sent again under it.
    private var restated: Int?
    private var hasLost = false
    /// Whether it was told, by a snapshot, that events in between are not kept any more.
    private var hasGap = false
    /// Whether its submission was refused temporarily and not sent again since.
    private(set) var isRefused = false
    /// Whether it was refused for good, and does not try again.
    private var isRefusedForGood = false
    /// Nodes whose end it was told on this connection.
    private var settled: Set<NodeID> = []
    /// The text of the answer as it was written, on this connection.
    private var written = ""
    private var round = 1
    /// Questions asked on this connection, and those that wait for a reply.
    private var askedCount = 0
    private(set) var openQuestions: [Int] = []
    private var reply = ChunkAssembler(maximumBytes: 1 << 20)
    /// Set when a message arrived that no client should get.
    private(set) var problem: String?

    init(
        name: String,
        work: Work,
        isStreamed: Bool,
        watch: WatchLevel,
        handshakeKey: HandshakeKey
    ) {
        self.name = name
        key = "key-\(name)"
        self.work = work
        self.isStreamed = isStreamed
        self.watch = watch
        self.handshakeKey = handshakeKey
    }

    var isDone: Bool { end != nil }

    /// Whether another client does its run again.
    var isRetried = false

    /// Whether it is connected with a coordinator that does not lead, and which may not know its run.
    var isAstray = false

    /// Whether its run may be forgotten before it has asked for its end.
    var mayBeForgotten = false

    private var nodes: [ModelNode] {
        if case .plan(let plan) = work { plan.nodes } else { [] }
    }

    /// Whether its submission may be refused because no worker has the tool that joins, or one of
    /// those that a goal is allowed.
    var mayLackTool: Bool {
        if case .tool = join { return true }
        guard case .goal = work else { return false }
        return allowed != nil
    }

    /// The most attempts of its run at a time.
    var bound: Int {
        if case .goal(let goal) = work, goal.strategy == .sequential { return 1 }
        return running ?? .max
    }

    /// Whether nodes are still to be sent.
    var hasMore: Bool { isWelcome && mayStream && sentNodes <= nodes.count && !isDone }

    // MARK: - The connection

    func connected(_ link: SimulatedLink, nonce: [UInt8]) -> [Message] {
        self.link = link
        endsHere = 0
        newest = -1
        restated = nil
        settled = []
        written = ""
        round = 1
        askedCount = 0
        openQuestions = []
        reply = ChunkAssembler(maximumBytes: 1 << 20)
        let initiator = HandshakeInitiator(
            role: .client,
            name: name,
            key: handshakeKey,
            nonce: nonce
        )
        self.initiator = initiator
        return [.hello(initiator.hello())]
    }

    func disconnected() {
        link = nil
        isWelcome = false
        mayStream = false
        hasLost = true
    }

    func receive(_ message: Message) -> [Message] {
        switch message {
        case .challenge(let challenge):
            guard var initiator, let auth = try? initiator.answer(to: challenge) else {
                problem = "the coordinator did not prove itself"
                return []
            }
            self.initiator = initiator
            return [.auth(auth)]
        case .welcome:
            isWelcome = true
            isRefused = false
            return isRefusedForGood ? [] : [submission]
        case .accepted(let accepted):
            if let run, run != accepted.run {
                if !isStreamed, !mayBeForgotten {
                    problem = "the run of \(key) was \(run) and is \(accepted.run)"
                }
                if mayBeForgotten {
                    end = nil
                    sentNodes = 0
                }
            }
            run = accepted.run
            mayStream = isStreamed && !accepted.isExisting
            return []
        case .event(let event):
            take(event)
            return []
        case .ping(let ping): return [.pong(Pong(n: ping.n))]
        case .chunk(let chunk):
            do { try reply.append(chunk) } catch { problem = "a chunk of a reply: \(error)" }
            return []
        case .reply(let reply):
            take(reply)
            return []
        case .error(let error) where error.request != nil:
            if error.code == .unknownRun, mayBeForgotten || isAstray {
                openQuestions.removeAll { $0 == error.request }
                return []
            }
            problem = "a question was refused: \(error.message)"
            return []
        case .error(let error):
            if error.code == .limit, error.about == key {
                // It can never fit.
                leaveOff()
                return []
            }
            // It asks the leader again, when this one has ended.
            if isAstray { return [] }
            // The node that it answered for does not wait any more.
            if error.about == run?.text { return [] }
            if let retry, error.about == key, mayRefuse(retry.of, with: error.code) {
                leaveOff()
                return []
            }
            let isTemporary = error.code == .busy || error.code == .shuttingDown
            if isTemporary || error.code == .badPlan && mayLackTool {
                isRefused = true
                return []
            }
            if !hasLost, error.code == .badPlan || error.code == .conflict {
                problem = "\(error.code): \(error.message) \(error.problems)"
            }
            return []
        default: return []
        }
    }

    private func leaveOff() {
        isRefusedForGood = end == nil
        end = end ?? .runFailed
    }

    /// Whether the run of a client may be too incomplete to be done again, or forgotten.
    private func mayRefuse(_ client: SimulatedClient, with code: ErrorCode) -> Bool {
        switch code {
        case .badPlan: client.isStreamed
        case .unknownRun: mayBeForgotten
        default: false
        }
    }

    /// Asks about its run.
    func nextQuestion(_ what: GetKind) -> Message? {
        guard isWelcome, let run else { return nil }
        let isAboutNode = what == .story || what == .logs
        let node = isStreamed || !isAboutNode ? nil : nodes.last.flatMap { NodeID($0.id) }
        if isAboutNode, node == nil { return nil }
        askedCount += 1
        openQuestions.append(askedCount)
        return .get(Get(request: askedCount, what: what, id: run.text, node: node))
    }

    /// Questions are answered once, in order, each with a whole document.
    private func take(_ reply: Reply) {
        guard openQuestions.first == reply.request else {
            problem = "a reply to \(reply.request), but \(openQuestions) are open"
            return
        }
        openQuestions.removeFirst()
        do {
            _ = try self.reply.finish(reply.data)
        } catch {
            problem = "reply \(reply.request) is not whole: \(error)"
        }
    }

    /// Submits a refused run again, once.
    func resubmission() -> Message? {
        guard isWelcome, isRefused else { return nil }
        isRefused = false
        return submission
    }

    private var submission: Message {
        var submit = Submit(
            key: key,
            plan: nil,
            isStreamed: isStreamed,
            join: join,
            tools: allowed,
            approve: retry == nil ? approve : [],
            budget: Budget(
                wallMilliseconds: wallMilliseconds,
                running: running,
                approvalMilliseconds: approvalMilliseconds
            ),
            onMissingTool: onMissingTool,
            watch: watch
        )
        if let retry {
            submit.retry = RetriedRun(run: retry.run, nodes: retry.nodes)
            return .submit(submit)
        }
        switch work {
        case .plan where isStreamed: break
        case .plan(let plan): submit.plan = PlanText.plan(plan.nodes.map(\.text))
        case .goal(let goal):
            submit.goal = "Find the number."
            submit.planner = PlannerOptions(
                format: goal.format == .text ? .text : .json,
                repairs: goal.repairs,
                rounds: goal.rounds,
                onModelFailure: goal.finishesOnFailure ? .finish : .cancel,
                strategy: goal.strategy,
                isPlanOnly: goal.isPlanOnly
            )
            submit.budget.nodes = goal.maxNodes
            submit.budget.tokens = goal.tokens
            submit.budget.cost = goal.cost
        }
        return .submit(submit)
    }

    private func take(_ event: EventMessage) {
        if endsHere > 0 { problem = "\(event.kind) came after the last event of \(event.run)" }
        switch event.kind {
        case .progress where event.node == nil: break
        case .snapshot:
            restated = event.sequence
            // Events in the middle of the run are not kept any more, and it is told.
            if newest >= 0 { hasGap = true }
        // Events that a late watcher missed are sent again under the number of the snapshot.
        case _ where event.sequence == restated && newest <= event.sequence && isRestating(event):
            break
        default:
            if let number = restated, event.sequence > number { restated = nil }
            if event.sequence <= newest {
                problem = "event \(event.sequence) of \(event.run) follows event \(newest)"
            }
            newest = event.sequence
        }
        look(at: event)
        guard event.isTerminal else { return }
        endsHere += 1
        if let end, end != event.kind { problem = "\(event.run) ended as \(end) and \(event.kind)" }
        end = event.kind
    }

    private func isRestating(_ event: EventMessage) -> Bool {
        switch event.kind {
        case .nodeSucceeded, .nodeFailed, .nodeSkipped, .nodeCancelled, .dispatched, .started,
            .approvalAsked:
            true
        default: false
        }
    }

    /// Each node ends once, rounds rise by one, and the answer is the text that was shown.
    private func look(at event: EventMessage) {
        // A client that comes back gets only what is still kept.
        if hasLost || hasGap, event.kind == .answering || event.kind == .replanned { return }
        switch event.kind {
        case .nodeSucceeded, .nodeFailed, .nodeSkipped, .nodeCancelled:
            guard let node = event.node, !settled.insert(node).inserted else { return }
            problem = "node \(node) of \(event.run) ended again: \(event.kind)"
        case .answering:
            let text = event.data?.value(at: [.key("text")])
            written += text.flatMap { JSONValue($0).stringValue } ?? ""
        case .replanned:
            round += 1
            let number = event.data?.value(at: [.key("round")])?.text
            if number != "\(round)" { problem = "round \(number ?? "") follows \(round - 1)" }
        case .runSucceeded:
            // A client that reads slowly gets the last event alone when its run is forgotten before.
            guard !hasLost, !hasGap, !mayBeForgotten, !written.isEmpty,
                let answer = event.data?.value(at: [.key("answer")])
            else { return }
            if JSONValue(answer).stringValue != written {
                problem = "the answer is \(answer.text), but \(written) was shown"
            }
        default: break
        }
    }

    /// The next batch of a streamed plan; the last one is empty now and then.
    func nextBatch(of count: Int) -> Message? {
        guard hasMore else { return nil }
        if let limit = breaksOffAfter, sentNodes >= limit {
            mayStream = false
            return .nodes(Nodes(key: key, tasks: [], brokenOff: "the text ended"))
        }
        let batch = nodes[sentNodes...].prefix(count)
        sentNodes += batch.count
        let isLast = sentNodes == nodes.count
        if isLast { sentNodes += 1 }
        return .nodes(Nodes(key: key, tasks: batch.map(\.text.raw), isLast: isLast))
    }
}
