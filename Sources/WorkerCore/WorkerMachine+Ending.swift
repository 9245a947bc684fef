// How a worker ends: draining, its deadline, and the exit.
internal import Core
internal import Wire

extension WorkerMachine {
    mutating func drainRequested(
        deadline: Duration?,
        at now: Instant,
        into actions: inout [Action]
    ) {
        beginDraining("The worker was asked to end.", deadline, at: now, into: &actions)
        if hasCoordinatorEnded { giveUpAttempts(into: &actions) }
        guard isReady, let draining else { return }
        announceDrain(draining, at: now, into: &actions)
    }

    mutating func drainOrdered(
        _ drain: Drain,
        at now: Instant,
        into actions: inout [Action]
    ) {
        beginDraining(
            drain.reason ?? "The coordinator asked the worker to end.",
            drain.deadlineMilliseconds.map { .milliseconds($0) },
            at: now,
            into: &actions
        )
        rejectQueued(into: &actions)
    }

    private mutating func beginDraining(
        _ reason: String,
        _ allowed: Duration?,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let deadline = allowed.map { now + $0 }
        if draining == nil {
            actions.append(.report(.draining(reason: reason)))
            draining = Draining(reason: reason, deadline: deadline)
        } else if let deadline, var draining, draining.end == nil {
            draining.deadline = min(draining.deadline ?? deadline, deadline)
            self.draining = draining
        }
    }

    /// Tells the coordinator, and gives back what has not begun.
    mutating func announceDrain(
        _ draining: Draining,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let left = draining.deadline.map { max(.zero, $0 - now) }
        let drain = Drain(
            reason: draining.reason,
            deadlineMilliseconds: left.map(\.millisecondsRoundedUp)
        )
        actions.append(.send(.drain(drain)))
        rejectQueued(into: &actions)
    }

    private mutating func rejectQueued(into actions: inout [Action]) {
        guard queued > 0, let draining else { return }
        for index in attempts.inOrder() where attempts[index].isQueued {
            let id = attempts[index].id
            unqueue(at: index)
            attempts.remove(at: index)
            reject(id, .draining, draining.reason, into: &actions)
        }
    }

    mutating func drainDeadlineReached(at now: Instant, into actions: inout [Action]) {
        if let deadline = draining?.deadline, now >= deadline {
            let grace = configuration.limits.cancelGrace
            draining?.deadline = nil
            draining?.end = now + grace + configuration.limits.lease
            for index in attempts.inOrder() {
                guard case .running(let stop) = attempts[index].state else { continue }
                if stop == nil { attempts[index].state = .running(.cancelled) }
                actions.append(.cancelAttempt(attempts[index].id, grace: grace))
            }
        }
        if let end = draining?.end, now >= end {
            exit(.stopped, into: &actions)
        }
    }

    mutating func exitIfDrained(into actions: inout [Action]) {
        guard draining != nil, attempts.isEmpty else { return }
        exit(.drained, into: &actions)
    }

    /// Ends the worker, whatever it does.
    mutating func exit(_ reason: ExitReason, into actions: inout [Action]) {
        if hasEnded { return }
        for index in attempts.inOrder() {
            if attempts[index].isRunning {
                actions.append(.cancelAttempt(attempts[index].id, grace: .zero))
            }
            if !attempts[index].isAbandoned {
                actions.append(.report(.lost(attempts[index].id)))
            }
        }
        if isConnected {
            switch reason {
            case .refused, .replaced, .nameTaken: break
            case .unannounceable, .noCoordinator, .drained, .stopped:
                actions.append(.send(.bye(Bye(reason: "\(reason)"))))
            }
            actions.append(.disconnect)
        }
        link = .ended
        actions.append(.exit(reason))
    }
}
