// Which keys are accepted while the coordinator runs: keys that come, change, end or are revoked,
// and what an identity may do. The proof of a key is in the handshake.

internal import Core
internal import Wire

extension CoordinatorMachine {
    /// Unix time in milliseconds.
    func unixMilliseconds(at now: Instant) -> Int {
        configuration.unixMillisecondsAtZero + Int(now.milliseconds)
    }

    /// When the next key ends.
    func keyringEnd(after now: Instant) -> Instant? {
        keyring.nextEnd(after: unixMilliseconds(at: now)).map {
            Instant(nanoseconds: 0)
                + .milliseconds($0 - configuration.unixMillisecondsAtZero)
        }
    }

    /// Accepts these keys from now on, and closes connections whose key is not among them.
    mutating func changeKeyring(_ keyring: Keyring, in turn: inout CoordinatorTurn) {
        self.keyring = keyring
        checkKeys(in: &turn)
    }

    /// Closes connections whose key is not accepted any more.
    private mutating func checkKeys(in turn: inout CoordinatorTurn) {
        let time = unixMilliseconds(at: turn.now)
        keyringEnd = keyringEnd(after: turn.now)
        for id in Array(peers.ids) {
            guard let key = peers[id]?.access?.key else { continue }
            if let entry = keyring.entry(of: key, at: time) {
                peers.inPlace(id) { $0.access = entry }
                continue
            }
            let error = WireError(
                code: .authFailed,
                message: "The key \(key.name ?? "") is not accepted any more; get a new one."
            )
            violate(id, error, in: &turn)
        }
    }

    /// Closes the connections of keys whose time has ended.
    mutating func endKeys(in turn: inout CoordinatorTurn) {
        guard let due = keyringEnd, due <= turn.now else { return }
        checkKeys(in: &turn)
    }

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

extension Submit {
    /// The submission as an identity may make it: with no further tools, and with no more nodes
    /// running at a time.
    func restricted(to identity: Identity?) -> Submit {
        guard let identity else { return self }
        var submit = self
        if let allowed = identity.allowedTools {
            submit.tools = tools.map { $0.filter(allowed.contains) } ?? allowed
        }
        if let bound = identity.maxRunning {
            submit.budget.running = min(budget.running ?? bound, bound)
        }
        return submit
    }
}
