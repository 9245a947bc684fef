// The end of a coordinator with grace: workers finish what they have begun, for a time.

internal import CoordinatorCore
internal import Logging
internal import UVLoop

extension CoordinatorService {
    /// Whether it ends as soon as workers have finished what they hold.
    public var isDraining: Bool { drainTimer != nil }

    /// Accepts no further run, lets workers finish what they have begun for a time, and stops.
    ///
    /// Without any time it stops at once.
    public func drain(for time: Duration) {
        guard !isStopped, !isDraining else { return }
        guard time > .zero else { return stop() }
        drainTimer = Timer(loop: loop) { [weak self] in
            guard let self else { return }
            logger.warning(
                "the time to finish is over",
                metadata: ["attempts": "\(machine.heldAttempts)"]
            )
            stop()
        }
        drainTimer?.schedule(after: time)
        handle(.drainRequested)
        logger.info(
            "draining; another signal stops at once",
            metadata: ["attempts": "\(machine.heldAttempts)"]
        )
    }

    /// The turn ends: stops if nothing is left to wait for but the last traces, which get a moment.
    func stopIfDrained() {
        guard isDraining, !isStopped, !sendsLastTraces, machine.isDrained else { return }
        guard let exporter, exporter.hasWaiting else {
            return loop.nextTurn { [weak self] in self?.stop() }
        }
        sendsLastTraces = true
        exporter.finish { [weak self] in self?.stop() }
    }
}
