// One turn of the worker's machine, and what its parts add to it.
internal import Core
internal import Wire

/// One turn of the worker's machine.
typealias WorkerTurn = Turn<WorkerMachine.Action>

extension WorkerTurn {
    mutating func send(_ message: Message) { append(.send(message)) }

    mutating func report(_ notice: WorkerMachine.Notice) { append(.report(notice)) }

    /// Tells the coordinator that an attempt is not begun.
    mutating func reject(_ attempt: NamedAttempt, _ refusal: Refusal) {
        let reject = Reject(
            attempt: attempt.id,
            code: refusal.code,
            isShortage: refusal.isShortage,
            message: refusal.message
        )
        send(.reject(reject))
        report(.rejected(attempt, refusal.code))
    }
}

/// Why an attempt is not begun.
struct Refusal: Error, Sendable {
    let code: RejectCode
    let message: String?
    let isShortage: Bool

    init(_ code: RejectCode, _ message: String? = nil, isShortage: Bool = false) {
        self.code = code
        self.message = message
        self.isShortage = isShortage
    }
}

extension Instant? {
    /// The earlier one of two deadlines, either of which may be missing.
    func orEarlier(_ other: Instant?) -> Instant? {
        guard let self, let other else { return self ?? other }
        return min(self, other)
    }
}
