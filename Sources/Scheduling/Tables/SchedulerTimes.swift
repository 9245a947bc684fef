// When the scheduler has to act although no event arrives: attempts that are due, the ends of pauses
// of workers and of tools on workers, and stalled prefetches.

internal import Core
internal import HeapModule

/// All that is due at some time.
///
/// Entries stay when they become pointless; the scheduler skips them when they are due.
struct SchedulerTimes: Sendable {
    private var attempts = Heap<Deadline>()
    /// Ends of the pauses of workers that refused an attempt as one too many.
    private var pauses = Heap<WorkerPause>()
    /// When tools that could not be started are tried again, the earliest first.
    private var coolings: [CoolingEnd] = []
    /// Workers with tools that could not be started lately, in the order in which they joined.
    private(set) var coolingWorkers: [WorkerID] = []
    /// Workers that held more attempts than slots when last checked, and when that is again.
    private var reviewed: [WorkerID] = []
    private var reviewAt: Instant?

    /// The earliest time of all.
    var next: Instant? {
        var next = attempts.min?.at
        for other in [reviewAt, pauses.min?.at, coolings.first?.at] {
            guard let other else { continue }
            next = next.map { min($0, other) } ?? other
        }
        return next
    }

    mutating func add(_ deadline: Deadline) { attempts.insert(deadline) }

    mutating func popDeadline(until now: Instant) -> Deadline? {
        guard let first = attempts.min, first.at <= now else { return nil }
        return attempts.removeMin()
    }

    mutating func add(_ pause: WorkerPause) { pauses.insert(pause) }

    mutating func popPause(until now: Instant) -> WorkerPause? {
        guard let first = pauses.min, first.at <= now else { return nil }
        return pauses.removeMin()
    }

    // MARK: - Tools that pause

    mutating func add(_ end: CoolingEnd) {
        coolings.append(end)
        coolings.sort { ($0.at, $0.worker) < ($1.at, $1.worker) }
    }

    mutating func popCooling(until now: Instant) -> CoolingEnd? {
        guard let first = coolings.first, first.at <= now else { return nil }
        return coolings.removeFirst()
    }

    /// A tool of the worker pauses, or has one attempt at a time.
    mutating func noteCooling(_ worker: WorkerID) {
        guard !coolingWorkers.contains(worker) else { return }
        coolingWorkers.append(worker)
        coolingWorkers.sort()
    }

    /// No tool of the worker pauses, or it is gone.
    mutating func forgetCooling(_ worker: WorkerID) { coolingWorkers.removeAll { $0 == worker } }

    // MARK: - Stalled prefetches

    /// Checks a worker at the next review.
    mutating func review(_ worker: WorkerID) { reviewed.append(worker) }

    /// Sets the time of the next review, unless there is one.
    mutating func scheduleReview(at time: Instant) { reviewAt = reviewAt ?? time }

    /// The workers to look at, if the time of the review has come.
    mutating func takeReview(until now: Instant) -> [WorkerID]? {
        guard let due = reviewAt, due <= now else { return nil }
        reviewAt = nil
        return exchange(&reviewed, with: [])
    }
}
