// Decides when received lines are handled: at once, until a connection or the loop's turn has used
// its share of time; the rest in later turns. The content of a line does not matter here.
public import UVLoop

/// Shares the time of one loop among the connections that have lines.
///
/// A connection handles lines for a few milliseconds a turn. Then its socket is not read until the
/// received lines are handled in the next turns, so that timers, other connections and other work
/// of the loop run in between. Preferred connections come first; the others share the rest of a
/// turn, one after the other. The list lives as long as the loop.
public final class Inboxes {
    private let loop: EventLoop
    private var hook: TurnHook?
    private var preferred: [MessageConnection] = []
    private var others: [MessageConnection] = []
    private var hasFurtherTurn = false
    private var isTaking = false
    /// The number of the turn, so that a connection which is read twice in a turn gets one share of
    /// it.
    private var turn = 0
    /// When connections without preference stop handling lines in this turn; nil before the first.
    private var turnEnds: Int64?

    /// Nanoseconds a turn for a preferred connection, for another one, and for all others together.
    private static let preferredShare: Int64 = 5_000_000
    private static let share: Int64 = 1_000_000
    private static let sharePerTurn: Int64 = 20_000_000

    /// Makes the list for a loop.
    public init(loop: EventLoop) {
        self.loop = loop
        hook = loop.onTurnEnd { [weak self] in self?.endTurn() }
    }

    /// The share of a connection in one turn.
    struct Share {
        fileprivate var turn: Int
        fileprivate var ends: Int64
    }

    /// The share of a connection in this turn; nil if it has had its share, or others come first.
    func share(of connection: MessageConnection, after last: Share?) -> Share? {
        let now = loop.nowNanoseconds
        if let last, last.turn == turn { return now < last.ends ? last : nil }
        if connection.isPreferred {
            return Share(turn: turn, ends: now + Self.preferredShare)
        }
        guard isTaking || others.isEmpty else { return nil }
        let ends = turnEnds ?? now + Self.sharePerTurn
        turnEnds = ends
        return now < ends ? Share(turn: turn, ends: min(now + Self.share, ends)) : nil
    }

    /// Whether the share is used up.
    func isSpent(_ share: Share) -> Bool {
        loop.nowNanoseconds >= share.ends
    }

    /// Remembers a connection that may have more lines.
    func add(_ connection: MessageConnection) {
        if connection.isPreferred {
            preferred.append(connection)
        } else {
            others.append(connection)
        }
        guard !hasFurtherTurn else { return }
        hasFurtherTurn = true
        loop.nextTurn { [weak self] in self?.handleWaiting() }
    }

    /// Removes the hook, for a list that only one connection used.
    func close() {
        hook?.cancel()
        hook = nil
        preferred = []
        others = []
    }

    private func handleWaiting() {
        isTaking = true
        let first = preferred
        preferred.removeAll(keepingCapacity: true)
        for connection in first { connection.handleWaitingLines() }
        let second = others
        others = []
        for (index, connection) in second.enumerated() {
            if let turnEnds, loop.nowNanoseconds >= turnEnds {
                others.insert(contentsOf: second[index...], at: 0)
                break
            }
            connection.handleWaitingLines()
        }
        isTaking = false
        hasFurtherTurn = !preferred.isEmpty || !others.isEmpty
        if hasFurtherTurn {
            loop.nextTurn { [weak self] in self?.handleWaiting() }
        }
    }

    private func endTurn() {
        turn += 1
        turnEnds = nil
    }
}

@available(*, unavailable)
extension Inboxes: Sendable {}
