// The model calls of a run: one at a time, a limited number, and none after the end of the run.

import Core

@testable import CoordinatorCore
@testable import PlannerCore

/// At most one call of a run is open; when the run has ended, every call has ended or was cancelled.
struct ModelCallChecker {
    struct Bounds {
        var rounds: Int
        var repairs: Int
        var tokens: Int?
        var cost: Double?
        /// How many calls of tools there may be, each after a call of the model.
        var steps: Int?
    }

    private struct Book {
        var bounds: Bounds
        var latest = 0
        /// The call that has not ended, and whether it was cancelled.
        var open: (call: ModelCallID, isCancelled: Bool)?
        /// The call that ended last, and when.
        var ended: (call: ModelCallID, at: Instant)?
        var counts: [PlannerMachine.Purpose: Int] = [:]
        var tokens = 0
        var cost = 0.0
        var usageOfCall = TokenUsage()
        var pricesOfCall: TokenPrices?
        var isEnded = false
    }

    private var books: [RunID: Book] = [:]

    mutating func accept(_ run: RunID, _ bounds: Bounds) {
        if books[run] == nil { books[run] = Book(bounds: bounds) }
    }

    mutating func begin(_ call: ModelCallID, _ purpose: PlannerMachine.Purpose) -> String? {
        guard var book = books[call.run] else { return "\(call) is for no goal" }
        defer { books[call.run] = book }
        if book.isEnded { return "\(call) was made after the end" }
        if let open = book.open { return "\(call) was made while \(open.call) was open" }
        if call.number != book.latest + 1 { return "\(call) follows call \(book.latest)" }
        if let bound = book.bounds.tokens, book.tokens >= bound {
            return "\(call) was made after \(book.tokens) tokens, though \(bound) are allowed"
        }
        if let bound = book.bounds.cost, book.cost >= bound {
            return "\(call) was made after a cost of \(book.cost), though \(bound) is allowed"
        }
        count += 1
        book.latest = call.number
        book.open = (call, false)
        book.counts[purpose, default: 0] += 1
        let bounds = book.bounds
        let limit = (bounds.steps.map { $0 + 1 } ?? bounds.rounds) * (1 + bounds.repairs)
        return book.counts[purpose, default: 0] > limit
            ? "\(call) is one \(purpose.rawValue) more than \(limit)" : nil
    }

    /// A call may end while the actions that follow its beginning are executed, and a cancel be
    /// among these: the coordinator has not heard of the end.
    mutating func cancel(_ call: ModelCallID, at now: Instant) -> String? {
        if let ended = books[call.run]?.ended, ended.call == call, ended.at == now { return nil }
        guard books[call.run]?.open?.call == call else { return "\(call) is cancelled, not open" }
        books[call.run]?.open?.isCancelled = true
        return nil
    }

    mutating func report(_ event: ModelEvent, of call: ModelCallID, at now: Instant) {
        switch event {
        case .charged(let prices): books[call.run]?.pricesOfCall = prices
        case .usage(let usage): books[call.run]?.usageOfCall = usage
        case .ended, .failed:
            guard var book = books[call.run] else { return }
            book.open = nil
            book.ended = (call, now)
            book.tokens += book.usageOfCall.total
            book.cost += book.usageOfCall.charged(at: book.pricesOfCall).cost ?? 0
            book.usageOfCall = TokenUsage()
            book.pricesOfCall = nil
            books[call.run] = book
        case .delta, .formatLowered: break
        }
    }

    /// The process that made the open calls is gone: each may be made once more.
    mutating func loseOpenCalls() {
        for (run, book) in books {
            guard let open = book.open else { continue }
            var book = book
            book.open = nil
            book.latest = open.call.number
            book.usageOfCall = TokenUsage()
            book.pricesOfCall = nil
            for purpose in book.counts.keys { book.counts[purpose, default: 0] -= 1 }
            books[run] = book
        }
    }

    mutating func end(_ run: RunID) -> String? {
        guard let book = books[run] else { return nil }
        books[run]?.isEnded = true
        if let open = book.open, !open.isCancelled {
            return "run \(run) ended while \(open.call) was open"
        }
        return nil
    }

    /// The calls that have not ended although everything is over.
    var open: [ModelCallID] { books.values.compactMap { $0.open?.call } }

    /// How many calls there were.
    private(set) var count = 0
}
