// Whether what the machine holds agrees with itself. For tests, simulations and debug builds.
internal import DequeModule
internal import Plans
internal import Wire

extension WorkerMachine {
    /// Two parts of the machine that do not agree.
    public struct Inconsistency: Error, Sendable, CustomStringConvertible {
        /// What does not agree.
        public let description: String
    }

    /// Checks every cross-reference; takes time in proportion to what is held.
    ///
    /// - Throws: `Inconsistency` for the first thing found that does not agree.
    public func validate() throws {
        if hasEnded { return }
        try validateTable()
        try validateCounts()
        try validateQueue()
        try validateSending()
        try expect(
            isReady == (offlineSince == nil) || isIdle,
            "offline since when is known iff offline"
        )
        try expect(
            isConnected || incoming.bytes == 0,
            "no arguments come in without a connection"
        )
    }

    private var isIdle: Bool {
        if case .idle = link { true } else { false }
    }

    private func validateTable() throws {
        for (index, attempt) in attempts.entries.enumerated() where !attempt.isVacant {
            try expect(
                attempts.index(of: attempt.id) == index,
                "\(attempt.id) is found by its id"
            )
            try expect(
                attempt.sequence < attempts.nextSequence,
                "\(attempt.id) has been counted"
            )
        }
        let held = attempts.entries.count { !$0.isVacant }
        try expect(held == attempts.count, "every id belongs to an attempt")
        try expect(
            attempts.vacancies.count == attempts.entries.count - held
                && attempts.vacancies.allSatisfy { attempts[$0].isVacant },
            "vacancies are vacant"
        )
    }

    private func validateCounts() throws {
        var kept = 0
        var runningByTool = configuration.tools.map { _ in 0 }
        for attempt in attempts.entries {
            switch attempt.state {
            case .running: runningByTool[attempt.tool] += 1
            case .done(let finished): kept += finished.keptBytes
            case .queued, .vacant: break
            }
        }
        let queuedNow = attempts.entries.count(where: \.isQueued)
        try expect(running == runningByTool.reduce(0, +), "running attempts are counted")
        try expect(queued == queuedNow, "queued attempts are counted")
        try expect(keptBytes == kept, "kept bytes are counted")
        try expect(running <= configuration.slots, "no more run than there are slots")
        for (tool, count) in runningByTool.enumerated() {
            let taken = queue.taken(tool: tool)
            try expect(taken.all == count + taken.released, "tool \(tool) is counted")
        }
    }

    private func validateQueue() throws {
        if let flaw = queue.flaw() { throw Inconsistency(description: flaw) }
        let tickets = queue.tickets
        try expect(tickets.count == queued, "every queued attempt waits once")
        for ticket in tickets {
            try expect(
                attempts.has(ticket.sequence, at: ticket.index)
                    && attempts[ticket.index].isQueued
                    && attempts[ticket.index].tool == ticket.tool,
                "who waits in the queue is queued"
            )
        }
        try expect(
            !isReady || running == configuration.slots || !queue.hasStartable,
            "no attempt waits that could run"
        )
        for tool in configuration.tools.indices {
            try expect(
                queue.isPaused(tool: tool) == stalls.isStalled(tool: tool),
                "tool \(tool) is paused iff it is stalled"
            )
        }
        try expect(
            !isReady || draining == nil || queued == 0,
            "a draining worker has nothing queued"
        )
    }

    private func validateSending() throws {
        var inTurn: Set<Int> = []
        for turn in sending.turns where attempts.has(turn.sequence, at: turn.index) {
            try expect(inTurn.insert(turn.index).inserted, "a value stands in line once")
        }
        for (index, attempt) in attempts.entries.enumerated() {
            guard case .done(let finished) = attempt.state, let outgoing = finished.outgoing
            else { continue }
            try expect(isReady, "\(attempt.id) is sent without a session")
            try expect(
                outgoing.isInTurn == inTurn.contains(index),
                "\(attempt.id) knows its turn"
            )
            try expect(
                outgoing.isInTurn || !outgoing.fits(into: attempt.window),
                "\(attempt.id) waits for its turn"
            )
        }
        try expect(
            sending.turns.isEmpty || sending.isAwaited,
            "values in line wait for the network"
        )
    }

    private func expect(_ condition: Bool, _ rule: String) throws {
        guard condition else {
            throw Inconsistency(
                description: "not so: \(rule) (worker \(configuration.name), \(link))"
            )
        }
    }
}
