// The bounds of runs: how many attempts of a run, and of all runs of its owner, workers hold at a time.
// A run at a bound sets its turns aside; the end of an attempt brings them back.

internal import Core
internal import DequeModule

extension Scheduler {
    /// Whether workers may hold no further attempt of the run.
    func isAtBound(_ run: Int) -> Bool {
        isAtOwnBound(run) || runs[run].owner >= 0 && owners.isAtBound(runs[run].owner)
    }

    func isAtOwnBound(_ run: Int) -> Bool { runs[run].liveAttempts >= runs[run].maxRunning }

    /// Sets a turn aside, because its run is at a bound.
    mutating func park(_ turn: PlacementClass.QueueTurn) {
        runs[turn.run].parkedQueues.append(turn.queue)
        runs[turn.run].queues[turn.queue].isParked = true
        waitForOwner(turn.run)
    }

    /// Notes that a run with parked queues waits for the bound of its owner, unless it is at its own.
    private mutating func waitForOwner(_ run: Int) {
        guard runs[run].owner >= 0, !runs[run].waitsForOwner, !isAtOwnBound(run),
            !runs[run].parkedQueues.isEmpty
        else { return }
        runs[run].waitsForOwner = true
        let use = ScheduledRun.Use(run: run, generation: runs[run].generation)
        owners.wait(use, for: runs[run].owner)
    }

    mutating func beginAttempt(of run: Int) {
        runs[run].liveAttempts += 1
        if runs[run].owner >= 0 { owners.beginAttempt(of: runs[run].owner) }
    }

    mutating func endAttempt(of run: Int) {
        runs[run].liveAttempts -= 1
        runs.list(run)
        if runs[run].owner >= 0 { owners.endAttempt(of: runs[run].owner) }
    }

    /// Adds a run without nodes and returns its slot.
    @discardableResult
    mutating func addRun(
        _ id: RunID,
        _ policy: MissingToolPolicy,
        maxRunning: Int?,
        _ owner: RunOwner?
    ) -> Int {
        let slot = runs.insert(id, policy, maxRunning: maxRunning)
        if let owner { runs[slot].owner = owners.addRun(of: owner) }
        return slot
    }

    mutating func releaseRun(_ id: RunID) {
        if let slot = runs.slot(of: id), runs[slot].owner >= 0 {
            owners.removeRun(of: runs[slot].owner)
        }
        runs.release(id)
    }

    // MARK: - Going on

    /// Gives runs that were at their bound their turns back, one after the other until they are at
    /// their bound again.
    mutating func resumeRuns(_ now: Instant, _ actions: inout [Action]) {
        for use in runs.takeListed() where runs.has(use) {
            runs[use.run].isListed = false
            while !isAtBound(use.run), resumeQueue(of: use, now, &actions) {}
            if runs.has(use) { waitForOwner(use.run) }
        }
    }

    /// Gives runs that waited for their owner a turn each, until the owner is at its bound again.
    mutating func resumeOwners(_ now: Instant, _ actions: inout [Action]) {
        for owner in owners.takeListed() {
            while !owners.isAtBound(owner), let use = owners.nextWaiting(for: owner) {
                guard runs.has(use) else { continue }
                runs[use.run].waitsForOwner = false
                // One at its own bound comes again when an attempt of its own has ended.
                guard !isAtOwnBound(use.run), resumeQueue(of: use, now, &actions) else { continue }
                waitForOwner(use.run)
            }
        }
    }

    /// Gives the first parked queue its turn back; false if there is none, or the run is over.
    private mutating func resumeQueue(
        of use: ScheduledRun.Use,
        _ now: Instant,
        _ actions: inout [Action]
    ) -> Bool {
        guard let queue = runs[use.run].parkedQueues.popFirst() else { return false }
        runs[use.run].queues[queue].isParked = false
        addTurn(of: use.run, queue)
        placeClass(runs[use.run].queues[queue].placement, now, &actions)
        // A run whose last node failed for want of its tool is over.
        return runs.has(use)
    }
}
