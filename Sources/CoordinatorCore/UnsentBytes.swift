// How much memory is held by what waits for peers. Values that several peers wait for are held once.
// Who waits for what is in Peer; what follows from it is in CoordinatorMachine+Backlogs.swift.

import Core

/// A value that was sent to a peer.
struct SentValue: Sendable {
    /// Its length.
    var bytes: Int
    /// The run whose answer it is, which all who ask for it share; nil if it is the peer's alone.
    var answerOf: RunID?
    /// Bytes of it that are held for the peer alone, if its run holds the others; nil for all.
    var ownBytes: Int?

    var heldBytes: Int { ownBytes ?? bytes }
}

/// The bytes that wait for all peers, as they are held.
struct UnsentBytes: Sendable {
    /// Their sum.
    private(set) var total = 0
    private var answers: [RunID: (uses: Int, bytes: Int)] = [:]

    /// The encoded messages of a peer have become so many bytes more or fewer.
    mutating func change(encodedBytes change: Int) { total += change }

    /// A value waits for one more peer.
    mutating func add(_ value: SentValue) {
        guard let run = value.answerOf else {
            total += value.heldBytes
            return
        }
        let (uses, bytes) = answers[run] ?? (0, value.bytes)
        if uses == 0 { total += bytes }
        answers[run] = (uses + 1, bytes)
    }

    /// A value waits for one peer less.
    mutating func remove(_ value: SentValue) {
        guard let run = value.answerOf else {
            total -= value.heldBytes
            return
        }
        guard let (uses, bytes) = answers[run] else { return }
        answers[run] = uses > 1 ? (uses - 1, bytes) : nil
        if uses == 1 { total -= bytes }
    }
}
