// Ends a process with its whole group: first with SIGTERM, then with SIGKILL.
internal import Glibc
internal import UVLoop

/// Ends the group of a child: SIGTERM, then SIGKILL after the grace period.
final class GroupKilling {
    private let loop: EventLoop
    private let child: ChildProcess
    private let timer: Timer
    private let question: Timer
    private var deadline: Int64?

    init(loop: EventLoop, child: ChildProcess) {
        self.loop = loop
        self.child = child
        timer = Timer(loop: loop) { child.signalGroup(SIGKILL) }
        question = Timer(loop: loop) { child.signalGroup(SIGTERM) }
    }

    /// Starts the ending, or shortens the grace period of one that is under way.
    func kill(grace: Duration) {
        guard grace > .zero else {
            deadline = .min
            return child.signalGroup(SIGKILL)
        }
        if deadline == nil { child.signalGroup(SIGTERM) }
        forceAfter(grace)
    }

    /// Ends a child that was asked to end in another way: SIGTERM after half of the grace period,
    /// SIGKILL after all of it.
    func killUnlessEnded(within grace: Duration) {
        guard deadline == nil else { return forceAfter(grace) }
        question.schedule(after: grace / 2)
        forceAfter(grace)
    }

    private func forceAfter(_ grace: Duration) {
        let wanted = loop.deadline(after: grace)
        guard wanted < deadline ?? .max else { return }
        deadline = wanted
        timer.schedule(at: wanted)
    }

    /// The child has ended.
    func end() {
        timer.close()
        question.close()
    }
}
