// What the models of one run were asked and what they wrote, kept for people. Not here: what follows
// from a reply (PlannerMachine), which never reads this.
public import Core

/// The calls of models for one run, each with its prompt and its reply, within bounds.
///
/// A function of what the planner was told and asked for, so that it is made again with the planner
/// when a run is read from its records. Each call keeps only those messages of its prompt that the
/// one before did not have.
public struct Conversation: Sendable, Equatable {
    /// How a call ended.
    public enum End: Sendable, Equatable {
        /// The model stopped for this reason.
        case stopped(ModelStop)
        /// The call failed.
        case failed(ModelFailure)
        /// The coordinator that made the call was lost, or needed nothing more of it.
        case abandoned
    }

    /// A text of a prompt.
    public struct Text: Sendable, Equatable {
        /// Its author.
        public let role: ModelMessage.Role
        /// The text, or the first part of it.
        public let text: String
        /// Whether a part of it is not kept.
        public let isCut: Bool
    }

    /// One call of a model.
    public struct Call: Sendable, Equatable {
        /// What the call was for.
        public let purpose: PlannerMachine.Purpose
        /// Whether it asked the model to repair its reply.
        public let isRepair: Bool
        /// When it was made, in microseconds after the run was accepted.
        public let startedAt: Int
        /// How many messages at the beginning of its prompt are those of the call before.
        public let sharedMessages: Int
        /// The other messages of its prompt.
        public fileprivate(set) var prompt: [Text]
        /// What the model wrote so far, or the first part of it.
        public fileprivate(set) var reply = ""
        /// Bytes that the model wrote.
        public fileprivate(set) var replyBytes = 0
        /// The tokens that it used, if that was reported.
        public fileprivate(set) var usage: TokenUsage?
        /// How it ended; nil while it goes on.
        public fileprivate(set) var end: End?
        /// When it ended, in microseconds after the run was accepted; nil if that is not known.
        public fileprivate(set) var endedAt: Int?
        /// Whether its texts are not kept any more, because later calls needed the room.
        public fileprivate(set) var isLeftOut = false

        /// Whether a part of the reply is not kept.
        public var isReplyCut: Bool { replyBytes > reply.utf8.count }

        fileprivate var textBytes: Int {
            prompt.reduce(reply.utf8.count) { $0 + $1.text.utf8.count }
        }
    }

    /// The calls, the oldest first.
    public private(set) var calls: [Call] = []
    /// The whole prompt of the latest call, to compare the next one with.
    private var latest: [ModelMessage] = []
    private var textBytes = 0
    /// The first call whose texts are kept.
    private var firstKept = 0

    /// A conversation without calls.
    public init() {}

    /// The approximate memory of it; the latest prompt is the planner's.
    public var heldBytes: Int { textBytes + calls.count * Self.callBytes }

    /// `heldBytes`, computed again from all parts; for checks.
    public var countedBytes: Int {
        calls.reduce(0) { $0 + $1.textBytes + Self.callBytes }
    }

    private static let callBytes = 256

    /// Keeps an event of the planner and its time, in microseconds after the run was accepted.
    public mutating func note(_ event: PlannerMachine.Event, at time: Int) {
        switch event {
        case .modelReported(let report): note(report, at: time)
        case .callLost: close(at: time)
        case .started, .planGiven, .nodeSettled, .roundSettled, .toolJoined, .cancelRequested: break
        }
    }

    /// Keeps what the planner asks for.
    public mutating func note(_ action: PlannerMachine.Action, at time: Int) {
        guard case .callModel(let request, let purpose) = action else { return }
        close(at: time)
        let shared = zip(latest, request.messages).prefix { $0 == $1 }.count
        let call = Call(
            purpose: purpose,
            isRepair: request.isRepair,
            startedAt: time,
            sharedMessages: shared,
            prompt: request.messages.dropFirst(shared).map { message in
                let text = shortened(message.text, to: PlannerLimits.keptTextBytes)
                return Text(role: message.role, text: text, isCut: text != message.text)
            }
        )
        latest = request.messages
        textBytes += call.textBytes
        calls.append(call)
        leaveOutOldest()
    }

    /// Nothing more is asked, and no open call is waited for.
    public mutating func finish() {
        close(at: nil)
        latest = []
    }

    private mutating func note(_ report: ModelEvent, at time: Int) {
        guard let last = calls.indices.last, calls[last].end == nil else { return }
        switch report {
        case .delta(let text):
            let room = PlannerLimits.keptTextBytes - calls[last].reply.utf8.count
            calls[last].replyBytes += text.utf8.count
            // What is kept is the beginning, without a gap.
            guard room > 0, calls[last].replyBytes - text.utf8.count == calls[last].reply.utf8.count
            else { return }
            let kept = shortened(text, to: room)
            calls[last].reply += kept
            textBytes += kept.utf8.count
            leaveOutOldest()
        case .usage(let usage): calls[last].usage = usage
        case .ended(let stop): end(last, .stopped(stop), at: time)
        case .failed(let failure): end(last, .failed(failure), at: time)
        case .charged, .formatLowered: break
        }
    }

    private mutating func close(at time: Int?) {
        guard let last = calls.indices.last, calls[last].end == nil else { return }
        end(last, .abandoned, at: time)
    }

    private mutating func end(_ call: Int, _ end: End, at time: Int?) {
        calls[call].end = end
        calls[call].endedAt = time
    }

    /// Gives up the texts of the oldest calls until the rest fits; the latest ones stay.
    private mutating func leaveOutOldest() {
        while textBytes > PlannerLimits.keptConversationBytes, firstKept < calls.count - 1 {
            textBytes -= calls[firstKept].textBytes
            calls[firstKept].prompt = []
            calls[firstKept].reply = ""
            calls[firstKept].isLeftOut = true
            firstKept += 1
        }
    }
}
