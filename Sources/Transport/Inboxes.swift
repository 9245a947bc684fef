// When lines that have arrived are taken: at once, until a connection or the loop's turn has had
// its share of time; the rest in the turns that follow. What is in a line is not looked at here.
public import UVLoop

/// Shares the time of one loop among the connections that have lines.
///
/// A connection takes lines for a few milliseconds a turn. Then its socket is not read until the
/// lines that have arrived are taken, in the next turns, so that timers, other connections and
/// whatever else the loop does come in between. Preferred connections come first, the others share
/// what is left of a turn and come one after the other. It lasts as long as the loop.
public final class Inboxes {
    private let loop: EventLoop
    private var hook: TurnHook?
    private var preferred: [MessageConnection] = []
    private var others: [MessageConnection] = []
    private var hasFurtherTurn = false
    private var isTaking = false
    /// Counts the turns, so that a connection which is read twice in a turn has one share of it.
    private var turn = 0
    /// When connections without preference stop taking lines in this turn; nil before the first.
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

    /// The share of a connection in this turn; nil if it has had it, or others come first.
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
        loop.nextTurn { [weak self] in self?.takeWaiting() }
    }

    /// Gives the hook back, for a list that only one connection used.
    func close() {
        hook?.cancel()
        hook = nil
        preferred = []
        others = []
    }

    private func takeWaiting() {
        isTaking = true
        let first = preferred
        preferred.removeAll(keepingCapacity: true)
        for connection in first { connection.takeWaitingLines() }
        let second = others
        others = []
        for (index, connection) in second.enumerated() {
            if let turnEnds, loop.nowNanoseconds >= turnEnds {
                others.insert(contentsOf: second[index...], at: 0)
                break
            }
            connection.takeWaitingLines()
        }
        isTaking = false
        hasFurtherTurn = !preferred.isEmpty || !others.isEmpty
        if hasFurtherTurn {
            loop.nextTurn { [weak self] in self?.takeWaiting() }
        }
    }

    private func endTurn() {
        turn += 1
        turnEnds = nil
    }
}

@available(*, unavailable)
extension Inboxes: Sendable {}
