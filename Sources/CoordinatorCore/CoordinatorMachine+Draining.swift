// Before the coordinator ends, and when its disk fails it: which runs are accepted, and when all is
// done that can still be done.

internal import Core
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Takes back what workers have not begun; the rest may finish.
    mutating func drain(in turn: inout CoordinatorTurn) {
        guard !isDraining else { return }
        isDraining = true
        for worker in Array(fleet.ids) { giveBackUnsent(of: worker, in: &turn) }
        schedule(.placementEnded, in: &turn)
    }

    /// Whether nothing is left that could still be finished after `drainRequested`: no worker holds
    /// an attempt, no model is being called, and all records are on disk.
    public var isDrained: Bool {
        guard isDraining, scheduler.isIdle else { return false }
        guard !configuration.keepsRecords || journal.written >= journal.position else {
            return false
        }
        return runs.active.allSatisfy { id in
            runs.slot(of: id).map { runs[$0].modelCall == nil } ?? true
        }
    }

    /// How many attempts workers hold.
    public var heldAttempts: Int {
        fleet.ids.reduce(0) { $0 + scheduler.attemptCount(on: $1) }
    }

    /// Whether so much of the journal waits for the disk that nothing more is dispatched: what would
    /// come of it has to wait there, too.
    var isJournalBehind: Bool { journal.unwrittenBytes > limits.unwrittenBytes }

    /// Why no further run is accepted now, whatever it is; nil if one is.
    func obstacle(to key: String) -> ErrorMessage? {
        func error(_ code: ErrorCode, _ message: String) -> ErrorMessage {
            ErrorMessage(code: code, message: message, isFatal: false, about: key)
        }
        if isDraining {
            return error(
                .shuttingDown,
                "The coordinator is about to end and accepts no further run; try again when it is "
                    + "started again."
            )
        }
        if journal.isStalled {
            return error(
                .busy,
                "The disk with the coordinator's journal is full, so no further run is accepted; "
                    + "those that were accepted go on. Make room on it, then try again."
            )
        }
        if isJournalBehind {
            return error(
                .busy,
                "The disk is slow: \(journal.unwrittenBytes) bytes of the journal wait for it, of "
                    + "\(limits.unwrittenBytes) that may. Try again later, or raise "
                    + "unwritten_bytes in the coordinator's configuration."
            )
        }
        guard runs.active.count < limits.unfinishedRuns else {
            return error(.busy, "No further run is accepted now; try again later.")
        }
        return nil
    }
}
