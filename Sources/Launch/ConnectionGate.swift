// How many connections of ssh are opened at a time. An sshd drops some of those that have not logged in
// yet when there are more than its MaxStartups, by default ten, and all hosts of a launch may be behind
// one: a jump host, or one host under many names.
internal import DequeModule
internal import UVLoop

/// Lets connections be opened one after the other, a few at a time.
///
/// Confined to its loop.
final class ConnectionGate {
    /// A connection that is being opened; ends by itself after a while, since one to a host that
    /// does not answer uses none of the connections that its sshd allows.
    final class Pass {
        private weak var gate: ConnectionGate?
        private var timer: Timer?

        fileprivate init(_ gate: ConnectionGate) {
            self.gate = gate
            timer = Timer(loop: gate.loop) { [weak self] in self?.end() }
            timer?.schedule(after: ConnectionGate.longest)
            timer?.detachFromLoopLife()
        }

        /// The connection is open, or has failed; once or more.
        func end() {
            timer?.close()
            timer = nil
            gate?.passed()
            gate = nil
        }
    }

    /// Below the ten of an sshd, so that others can log in as well.
    private static let most = 8
    private static let longest = Duration.seconds(3)

    private let loop: EventLoop
    private var open = 0
    private var waiting: Deque<(Pass) -> Void> = []

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    /// Calls back, now or later, when a connection may be opened; the callee ends the pass.
    func enter(_ body: @escaping (Pass) -> Void) {
        waiting.append(body)
        admit()
    }

    private func admit() {
        while open < Self.most, let body = waiting.popFirst() {
            open += 1
            body(Pass(self))
        }
    }

    private func passed() {
        open -= 1
        admit()
    }
}
