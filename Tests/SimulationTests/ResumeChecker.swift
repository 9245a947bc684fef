// A worker that comes back in time to its session keeps what it runs: after a restart of the
// coordinator, too, as far as the records on disk say that it has it.

import Core
import Runs
import Wire

@testable import CoordinatorCore

/// What workers must get back after a restart.
struct ResumeChecker {
    /// The attempts that records on disk say are held, with the process that got each.
    private var held: [AttemptID: String] = [:]
    /// The latest session of each process.
    private var sessions: [String: String] = [:]
    /// The attempts of processes that were told, by another session, that theirs had ended.
    ///
    /// A crash may undo the record of that, but not what was said.
    private var ended: Set<AttemptID> = []
    /// Until when they are kept.
    private var until = Instant.zero
    /// What each process says that it holds, until that is answered.
    private var listed: [ConnectionID: [AttemptID]] = [:]

    /// The coordinator was started again.
    mutating func restart(_ held: [AttemptID: String], until: Instant) {
        self.held = held.filter { !ended.contains($0.key) }
        self.until = until
        listed = [:]
    }

    /// The run is cancelled or has ended, or another process has the name: nothing is owed any more.
    mutating func release(where isReleased: (AttemptID, String) -> Bool) {
        held = held.filter { !isReleased($0.key, $0.value) }
    }

    /// A process reads which session it has; `attempts` are those it got so far.
    mutating func welcome(_ process: String, session: String, attempts: () -> [AttemptID]) {
        let earlier = sessions.updateValue(session, forKey: process)
        guard let earlier, earlier != session else { return }
        ended.formUnion(attempts())
        held = held.filter { !ended.contains($0.key) }
    }

    /// A process registers, with what it holds.
    mutating func register(
        _ attempts: [AttemptID],
        by process: String,
        on connection: ConnectionID
    ) {
        listed[connection] = attempts.filter { held[$0] == process }
    }

    /// The coordinator answers: what the process holds and records say that it has is adopted.
    mutating func answer(
        _ registered: Registered,
        to process: String,
        on connection: ConnectionID,
        at now: Instant
    ) -> String? {
        let attempts = listed.removeValue(forKey: connection) ?? []
        defer { release { _, holder in holder == process } }
        guard now < until else { return nil }
        let adopted = Set(registered.adopt)
        let lost = attempts.first { !adopted.contains($0) }
        return lost.map { "\(process) came back in time with \($0), which is not adopted" }
    }
}
