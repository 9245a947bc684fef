// Times at which something is due, for subjects that mostly do not need it any more by then.

internal import Core
internal import HeapModule

/// When each of many subjects is due; the next one is known at once, changes take logarithmic time.
struct DueTimes<Subject: Hashable & Sendable>: Sendable {
    private struct Entry: Comparable {
        var at: Instant
        /// Which of two that are due together was set first.
        var order: UInt64
        var subject: Subject

        static func < (left: Entry, right: Entry) -> Bool {
            left.at != right.at ? left.at < right.at : left.order < right.order
        }

        static func == (left: Entry, right: Entry) -> Bool { left.order == right.order }
    }

    /// Holds entries that are out of date, too, but never at its top.
    private var heap = Heap<Entry>()
    private var times: [Subject: UInt64] = [:]
    private var nextOrder: UInt64 = 0

    var count: Int { times.count }

    var isEmpty: Bool { times.isEmpty }

    /// The earliest time of all.
    var next: Instant? { heap.min?.at }

    /// The subject that is due first.
    var first: Subject? { heap.min?.subject }

    func contains(_ subject: Subject) -> Bool { times[subject] != nil }

    /// Sets when a subject is due, in place of an earlier time.
    mutating func set(_ subject: Subject, at instant: Instant) {
        heap.insert(Entry(at: instant, order: nextOrder, subject: subject))
        times[subject] = nextOrder
        nextOrder += 1
        dropOutdated()
    }

    /// The subject is not due any more.
    mutating func remove(_ subject: Subject) {
        guard !times.isEmpty, times.removeValue(forKey: subject) != nil else { return }
        dropOutdated()
    }

    /// Takes out the subject that has been due for longest; nil if none is due.
    mutating func popDue(until now: Instant) -> Subject? {
        guard let first = heap.min, first.at <= now else { return nil }
        heap.removeMin()
        times[first.subject] = nil
        dropOutdated()
        return first.subject
    }

    private func isCurrent(_ entry: Entry) -> Bool { times[entry.subject] == entry.order }

    private mutating func dropOutdated() {
        while let first = heap.min, !isCurrent(first) { heap.removeMin() }
        guard heap.count > 2 * times.count + 32 else { return }
        let current = heap.unordered.filter(isCurrent)
        heap = Heap(current)
    }
}
