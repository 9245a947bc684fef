// Whether the state of a launch agrees with itself, for tests; and the turn of its machine.
internal import Core

extension LaunchMachine {
    /// What does not agree in the state, for tests; nil if nothing.
    func flaw() -> String? {
        for member in members.values where member.hasProcess && member.starts == 0 {
            return "\(member.id) has a process that was never started"
        }
        if hasEnded, members.values.contains(where: \.hasProcess) { return "processes are left" }
        if hasEnded, sites.contains(where: \.needsRelease) { return "sites are left" }
        return nil
    }
}

/// One turn of the launch's machine.
typealias LaunchTurn = Turn<LaunchMachine.Action>

extension Member {
    var hasFailed: Bool {
        if case .failed = state { true } else { false }
    }

    /// Whether what its process tells changes its state.
    var canBecomeReady: Bool {
        switch state {
        case .starting, .pending, .running: true
        case .waiting, .ending, .ended, .failed: false
        }
    }
}
