// Which keys are accepted while the coordinator runs: keys that come, change, end or are revoked,
// and what an identity may do. The proof of a key is in the handshake.

internal import Core
internal import Scheduling
internal import Wire

extension CoordinatorMachine {
    /// Unix time in milliseconds.
    func unixMilliseconds(at now: Instant) -> Int {
        configuration.unixMillisecondsAtZero + Int(now.milliseconds)
    }

    /// Unix time in milliseconds, for the ends of keys.
    func calendarTime(at now: Instant) -> Int { calendar + Int(now.milliseconds) }

    /// Whether a key ends by itself, so that the calendar matters.
    public var awaitsEndOfKey: Bool { keyringEnd != nil }

    /// When the next key ends.
    func keyringEnd(after now: Instant) -> Instant? {
        keyring.nextEnd(after: calendarTime(at: now)).map {
            Instant(milliseconds: Int64($0 - calendar))
        }
    }

    /// Accepts these keys from now on, and closes connections whose key is not among them.
    mutating func changeKeyring(_ keyring: Keyring, in turn: inout CoordinatorTurn) {
        self.keyring = keyring
        checkKeys(in: &turn)
    }

    /// Closes connections whose key is not accepted any more, and ends the sessions of workers
    /// that are away and could not come back.
    private mutating func checkKeys(in turn: inout CoordinatorTurn) {
        let time = calendarTime(at: turn.now)
        keyringEnd = keyringEnd(after: turn.now)
        for id in Array(peers.ids) {
            guard let access = peers[id]?.access else { continue }
            let entry = keyring.entry(of: access.key, at: time)
            if let entry, entry.identity.role == access.identity.role {
                peers.inPlace(id) { $0.access = entry }
                continue
            }
            // It gets nothing more, not even what waits for it.
            turn.append(.discardBacklog(id))
            let error = WireError(
                code: .authFailed,
                message: "The key \(access.key.name ?? "") is not accepted any more; get a new one."
            )
            violate(id, error, waitsForEnd: false, in: &turn)
        }
        for worker in Array(fleet.ids) {
            guard let session = fleet[worker], session.connection == nil,
                let identity = session.about.identity,
                !keyring.hasKey(of: identity, at: time)
            else { continue }
            lose(worker, reason: "the keys of \(identity) are not accepted any more", in: &turn)
        }
    }

    /// Closes the connections of keys whose time has ended.
    mutating func endKeys(in turn: inout CoordinatorTurn) {
        guard let due = keyringEnd, due <= turn.now else { return }
        checkKeys(in: &turn)
        turn.append(.dropEndedKeys)
    }

    /// The calendar was read again; only a clock that was set changes anything.
    mutating func changeCalendar(_ calendar: Int, in turn: inout CoordinatorTurn) {
        guard abs(calendar - self.calendar) >= Self.toleratedDrift else { return }
        self.calendar = calendar
        checkKeys(in: &turn)
        turn.append(.dropEndedKeys)
    }

    /// Milliseconds by which two readings of the clocks may differ for no reason.
    private static let toleratedDrift = 100

    /// The connection is encrypted with a key of that name.
    mutating func noteEncryption(
        of id: ConnectionID,
        withKey name: String
    ) {
        peers.inPlace(id) { peer in
            guard case .handshaking(var responder) = peer.state else { return }
            responder.noteEncryption(withKey: name)
            peer.state = .handshaking(responder)
        }
    }
}

extension Identity {
    /// The owner of its runs, if they share a bound.
    var runOwner: RunOwner? { maxRunning.map { RunOwner(name: name, maxRunning: $0) } }
}

extension Submit {
    /// A tool that was asked for and that the identity may not use.
    func forbiddenTool(for identity: Identity?) -> String? {
        guard let allowed = identity?.allowedTools else { return nil }
        return tools?.first { !allowed.contains($0) }
    }

    /// The submission as an identity may make it: with no further tools, and with no more nodes
    /// running at a time.
    func restricted(to identity: Identity?) -> Submit {
        guard let identity else { return self }
        var submit = self
        if let allowed = identity.allowedTools { submit.tools = tools ?? allowed }
        if let bound = identity.maxRunning {
            submit.budget.running = min(budget.running ?? bound, bound)
        }
        return submit
    }
}
