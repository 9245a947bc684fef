// The queue of a run's events from the loop to the task that reads them: all of them for a reader,
// a limited number while there is no reader.
internal import UVLoop

/// The events of a run, from its first to its last.
///
/// For one reader. While there is a reader, every event waits until it is read. Before that, and
/// after the reader has released its iterator, the newest ``RunEvents/keptEvents`` are kept, of at
/// most ``RunEvents/keptBytes`` of data, so that a run of which only the result is awaited needs no
/// memory for its events. An event tells how many events were dropped before it:
/// ``RunEvent/missedBefore``. The last event of a run is always kept.
public struct RunEvents: AsyncSequence, Sendable {
    /// The number of events that are kept while there is no reader.
    public static let keptEvents = 4_096
    /// The bytes of data, as JSON, of these events together.
    public static let keptBytes = 8 << 20

    let buffer: EventBuffer

    /// Starts reading.
    public func makeAsyncIterator() -> Iterator {
        Iterator(reader: EventBuffer.Reader(buffer))
    }

    /// Reads one event after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let reader: EventBuffer.Reader

        /// The next event; nil after the last one, and when the reading task is cancelled.
        public mutating func next() async -> RunEvent? {
            await reader.buffer.next()
        }
    }
}

/// The unread events of one run.
final class EventBuffer: Sendable {
    private struct State {
        var events: [(event: RunEvent, bytes: Int)] = []
        /// The position of the first event that was not delivered.
        var first = 0
        var bytes = 0
        /// Events dropped since the last delivered one.
        var missed = 0
        var readers = 0
        var isEnded = false
        var waiters: [(number: Int, continuation: CheckedContinuation<RunEvent?, Never>)] = []
        var waits = 0

        /// Drops the oldest events when there is no reader and too many events.
        mutating func trim() {
            guard readers == 0 else { return }
            while events.count - first > 1,
                events.count - first > RunEvents.keptEvents || bytes > RunEvents.keptBytes
            {
                missed += 1 + removeFirst().missedBefore
            }
        }

        mutating func removeFirst() -> RunEvent {
            let (event, size) = events[first]
            bytes -= size
            first += 1
            if first > RunEvents.keptEvents, first > events.count / 2 {
                events.removeFirst(first)
                first = 0
            } else if first == events.count {
                events = []
                first = 0
            }
            return event
        }

        /// The next event with the number of dropped ones before it, nil at the end, no value while
        /// there is none.
        mutating func removeNext() -> RunEvent?? {
            guard first < events.count else { return isEnded ? .some(nil) : nil }
            var event = removeFirst()
            event.missedBefore += missed
            missed = 0
            return event
        }
    }

    /// Counts as a reader while it exists.
    final class Reader {
        let buffer: EventBuffer

        init(_ buffer: EventBuffer) {
            self.buffer = buffer
            buffer.state.withLock { $0.readers += 1 }
        }

        deinit {
            buffer.state.withLock { state in
                state.readers -= 1
                state.trim()
            }
        }
    }

    private let state = Locked(State())

    /// Adds an event whose data has that many bytes as JSON.
    func add(_ event: RunEvent, bytes: Int) {
        change { state in
            guard !state.isEnded else { return }
            state.events.append((event, bytes))
            state.bytes += bytes
            state.isEnded = event.isTerminal
            state.trim()
        }
    }

    /// Ends the queue.
    func end() {
        change { $0.isEnded = true }
    }

    /// Waits for the next event; nil at the end and when the task is cancelled.
    func next() async -> RunEvent? {
        let number = state.withLock { state in
            state.waits += 1
            return state.waits
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let next: RunEvent?? = state.withLock { state in
                    if Task.isCancelled { return .some(nil) }
                    if let next = state.removeNext() { return next }
                    state.waiters.append((number, continuation))
                    return nil
                }
                if let next { continuation.resume(returning: next) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.number == number }
                    .map { state.waiters.remove(at: $0).continuation }
            }
            waiter?.resume(returning: nil)
        }
    }

    /// Changes the state, and resumes tasks that wait for an event.
    private func change(_ body: (inout State) -> Void) {
        let woken = state.withLock { state in
            body(&state)
            var woken: [(CheckedContinuation<RunEvent?, Never>, RunEvent?)] = []
            while !state.waiters.isEmpty, let next = state.removeNext() {
                woken.append((state.waiters.removeFirst().continuation, next))
            }
            return woken
        }
        for (continuation, event) in woken { continuation.resume(returning: event) }
    }
}
