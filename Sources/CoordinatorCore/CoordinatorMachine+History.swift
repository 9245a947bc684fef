// Runs that are on disk only: what asks for one waits until it is read, and the connection with it.
// A finished run that was read stays in memory like others, until there is no room for it.

public import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Scheduling
internal import Wire

/// A run that is looked for on disk.
public enum WantedRun: Sendable, Hashable {
    /// By its name.
    case id(RunID)
    /// By the key of its submission.
    case key(String)
}

/// The runs that are on disk only.
struct RunHistory: Sendable {
    /// What a question waits for.
    private struct Waiting: Sendable {
        var connection: ConnectionID
        var message: Message
    }

    /// Digests of the names and keys of all runs that have ended, in a few bytes each: one that is
    /// here is surely looked for, one that is not is surely not there.
    private var known: Set<UInt64> = []
    private var waiting: [WantedRun: [Waiting]] = [:]

    mutating func note(_ id: RunID, key: String) {
        known.insert(Self.digest(of: .id(id)))
        known.insert(Self.digest(of: .key(key)))
    }

    mutating func forget(_ wanted: WantedRun) { known.remove(Self.digest(of: wanted)) }

    /// Whether a run may be on disk.
    func mayHave(_ wanted: WantedRun) -> Bool {
        !known.isEmpty && known.contains(Self.digest(of: wanted))
    }

    /// Keeps a message until the run is read; says whether that is asked for the first time.
    mutating func wait(
        for wanted: WantedRun,
        _ connection: ConnectionID,
        _ message: Message
    ) -> Bool {
        waiting[wanted, default: []].append(Waiting(connection: connection, message: message))
        return waiting[wanted]?.count == 1
    }

    /// Takes out the messages that waited for a run, in the order in which they came.
    mutating func takeWaiting(
        for wanted: WantedRun
    ) -> [(connection: ConnectionID, message: Message)] {
        (waiting.removeValue(forKey: wanted) ?? []).map { ($0.connection, $0.message) }
    }

    /// FNV-1a: the same in every process, so that simulations repeat.
    private static func digest(of wanted: WantedRun) -> UInt64 {
        let (kind, text): (UInt64, String) =
            switch wanted {
            case .id(let id): (1, id.text)
            case .key(let key): (2, key)
            }
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325 ^ kind
        for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return digest
    }
}

extension CoordinatorMachine {
    /// A run that has ended is on disk: it is found there when it is asked for.
    ///
    /// Called for each of them after `restore`, before the first event.
    public mutating func noteHistory(of run: RunID, key: String) {
        history.note(run, key: key)
    }

    /// The run on disk that a message of an observer needs; nil if it needs none.
    private func wantedRun(of message: Message) -> WantedRun? {
        let id: RunID?
        switch message {
        case .submit(let submit):
            guard runs.slot(ofKey: submit.key) == nil else { return nil }
            if history.mayHave(.key(submit.key)) { return .key(submit.key) }
            id = submit.retry?.run
        case .watch(let watch): id = watch.run
        case .cancelRun(let cancel): id = cancel.run
        case .approve(let answer): id = answer.run
        case .get(let get): id = get.id.flatMap(RunID.init)
        case .remember(let remember):
            guard case .run(let run) = remember.source else { return nil }
            id = run
        default: return nil
        }
        guard let id, runs.slot(of: id) == nil else { return nil }
        return .id(id)
    }

    /// Keeps a message of an observer until the run that it needs is read; false if it needs none.
    mutating func waitsForHistory(
        _ message: Message,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) -> Bool {
        guard let wanted = wantedRun(of: message), history.mayHave(wanted) else { return false }
        // What follows on the connection is answered after it.
        turn.append(.pauseReading(id))
        if history.wait(for: wanted, id, message) { turn.append(.loadRun(wanted)) }
        return true
    }

    /// A run was read, or is not there.
    mutating func passLoaded(
        _ wanted: WantedRun,
        _ records: [RunRecord]?,
        in turn: inout CoordinatorTurn
    ) {
        if let run = records.flatMap({ restored($0, turn.now) }) {
            if runs.slot(of: run.id) == nil { keepFinished(run) }
        } else {
            history.forget(wanted)
        }
        for (id, message) in history.takeWaiting(for: wanted) {
            guard case .observer(let role, _)? = peers[id]?.state else { continue }
            turn.append(.resumeReading(id))
            // It may need another run, too.
            receive(message, fromObserver: role, id, in: &turn)
        }
        makeRoomForFinished()
    }

    /// A client does not need a run any more, which has ended.
    mutating func forget(_ run: RunID, _ id: ConnectionID, in turn: inout CoordinatorTurn) {
        let slot = runs.slot(of: run)
        guard slot != nil || history.mayHave(.id(run)) else {
            return unknownRun(run, request: nil, id, in: &turn)
        }
        if let slot {
            guard runs[slot].state.isEnded else {
                let error = ErrorMessage(
                    code: .conflict,
                    message: "Run \(run) goes on; cancel it first, with `weft cancel \(run)`.",
                    isFatal: false,
                    about: run.text
                )
                return turn.append(.send(id, .error(error)))
            }
            history.forget(.key(runs[slot].state.acceptance.key))
            runs.removeFinished(run)
            scheduler.handle(.runReleased(run), at: .zero, into: &schedulerActions)
        }
        history.forget(.id(run))
        if configuration.keepsRecords { turn.append(.forgetRun(run)) }
    }

    private func restored(_ records: [RunRecord], _ now: Instant) -> HeldRun? {
        let calendar = unixMilliseconds(at: now)
        guard let run = HeldRun(restoring: records, at: now, calendar: calendar),
            run.state.isEnded
        else { return nil }
        return run
    }

    /// Keeps a run that has ended, with its last event.
    private mutating func keepFinished(_ run: HeldRun) {
        var run = run
        run.log.begin(at: configuration.firstSequence)
        if let end = run.state.lastRecord {
            _ = run.keep(end, answer: nil, within: logBound, detailBytes: limits.detailBytes)
        }
        let slot = runs.insert(run, isNew: false)
        runs.markUnbooked(slot)
        runs.book(runBytes: .max)
        runs.finish(slot)
    }
}

extension Run {
    /// The record with which it ended; nil if it goes on.
    fileprivate var lastRecord: RunRecord? {
        endedAt.map { RunRecord(at: $0, .ended(status)) }
    }
}
