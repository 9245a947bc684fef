// When running attempts have taken too long. Attempts that end within the turn they start in never
// come here.
internal import Core
internal import HeapModule

/// The time limits of running attempts, the earliest first.
///
/// An attempt that ends leaves its entry behind; entries without an attempt are skipped, and thrown
/// out when they are the majority.
struct TimeoutQueue: Sendable {
    private struct Entry: Sendable, Comparable {
        let instant: Instant
        let sequence: UInt64
        let index: Int

        func isAlive(in attempts: AttemptTable) -> Bool {
            attempts.has(sequence, at: index) && attempts[index].isRunning
        }

        static func < (left: Entry, right: Entry) -> Bool {
            (left.instant, left.sequence) < (right.instant, right.sequence)
        }
    }

    private var heap = Heap<Entry>()

    /// The earliest limit; that of an attempt that has ended, if `prune` was not called since.
    var earliest: Instant? { heap.min?.instant }

    mutating func add(_ instant: Instant, _ sequence: UInt64, at index: Int) {
        heap.insert(Entry(instant: instant, sequence: sequence, index: index))
    }

    /// Drops entries whose attempt does not run any more from the front, or everywhere if there
    /// are many more entries than attempts running.
    mutating func prune(_ attempts: AttemptTable) {
        while let entry = heap.min, !entry.isAlive(in: attempts) { heap.removeMin() }
        guard heap.count > 2 * attempts.running + 64 else { return }
        heap = Heap(heap.unordered.filter { $0.isAlive(in: attempts) })
    }

    /// Removes the earliest limit if it has been reached; returns the attempt it belongs to.
    mutating func popReached(at now: Instant, _ attempts: AttemptTable) -> Int? {
        while let entry = heap.min, entry.instant <= now {
            heap.removeMin()
            if entry.isAlive(in: attempts) { return entry.index }
        }
        return nil
    }
}
