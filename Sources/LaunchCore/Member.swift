// One worker of a launch.
internal import Core

/// The states of a worker, as people see them.
public enum MemberState: String, Sendable, CaseIterable {
    /// It waits for its site, or for another try.
    case waiting
    /// Its site is being prepared: files are copied there.
    case copying
    /// Its process was started; it has no coordinator yet.
    case starting
    /// A batch system will start it.
    case pending
    /// It offers its tools.
    case running
    /// It takes nothing new and ends when what it runs is done.
    case draining
    /// It has ended as it should.
    case ended
    /// It could not be started, and is not tried again.
    case failed
}

/// A worker as people see it.
public struct MemberStatus: Sendable, Equatable {
    /// Which one.
    public var id: MemberID
    /// Where it is.
    public var site: Int
    /// How far it is.
    public var state: MemberState
    /// Why, if there is something to say.
    public var note: String
    /// How often its process was started.
    public var starts: Int
    /// How many nodes it runs at a time; nil as long as it has not told.
    public var slots: Int?
}

struct Member: Sendable {
    enum State: Sendable, Equatable {
        /// It has no process; it starts when its site is ready, not before that instant.
        case waiting(notBefore: Instant?, reason: String)
        case starting(note: String)
        case pending(reason: String)
        case running
        /// It was asked to end; stopped at one instant and killed at the other.
        case ending(stopAt: Instant?, killAt: Instant?)
        case ended(note: String)
        case failed(reason: String)
    }

    let id: MemberID
    let site: Int
    var state = State.waiting(notBefore: nil, reason: "")
    var retries = Retries()
    var starts = 0
    /// How many nodes it runs at a time, as it told last.
    var slots: Int?
    /// Since when it runs, if it does.
    var readySince: Instant?

    /// Whether there is a process, of which `memberEnded` will tell.
    var hasProcess: Bool {
        switch state {
        case .starting, .pending, .running, .ending: true
        case .waiting, .ended, .failed: false
        }
    }

    /// Whether it counts for the size of its group.
    var isWanted: Bool {
        switch state {
        case .waiting, .starting, .pending, .running, .failed: true
        case .ending, .ended: false
        }
    }

    /// Those that go first when a group shrinks: what does not work yet.
    var dispensability: Int {
        switch state {
        case .failed: 0
        case .waiting: 1
        case .pending: 2
        case .starting: 3
        case .running: 4
        case .ending, .ended: 5
        }
    }

    var deadline: Instant? {
        switch state {
        case .waiting(let notBefore, _): notBefore
        case .ending(let stopAt, let killAt): [stopAt, killAt].compactMap(\.self).min()
        case .starting, .pending, .running, .ended, .failed: nil
        }
    }

    func status(at site: Site) -> MemberStatus {
        let (state, note): (MemberState, String) =
            switch self.state {
            case .waiting(_, let reason):
                switch site.state {
                case .preparing(let step): (.copying, step)
                case .pausing(_, let reason), .failed(let reason): (.waiting, reason)
                case .untouched, .ready, .releasing, .released: (.waiting, reason)
                }
            case .starting(let note): (.starting, note)
            case .pending(let reason): (.pending, reason)
            case .running: (.running, "")
            case .ending: (.draining, "")
            case .ended(let note): (.ended, note)
            case .failed(let reason): (.failed, reason)
            }
        return MemberStatus(
            id: id,
            site: self.site,
            state: state,
            note: note,
            starts: starts,
            slots: slots
        )
    }
}
