// The end of placement, before the coordinator ends: workers finish what they have begun, and what
// they have not begun comes back.

internal import Core

extension Scheduler {
    mutating func endPlacement(_ now: Instant, _ actions: inout [Action]) {
        guard isPlacing else { return }
        isPlacing = false
        for worker in workers.connected {
            let id = workers[worker].id
            for held in workers[worker].attempts {
                // It may have begun by now, so only what may run twice is called back.
                guard case .leased = record(held.node).state,
                    offer(for: held.node, on: id).isIdempotent
                else { continue }
                callBack(held.node, from: id, .recalled, now, &actions)
            }
        }
    }

    /// Whether no worker holds an attempt.
    public var isIdle: Bool { workers.connected.allSatisfy { workers[$0].attempts.isEmpty } }
}
