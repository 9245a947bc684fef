// A coordinator among several that share a journal: it stands by until it leads, goes on with the runs
// of the leader before, and leaves off when it does not lead any more.

internal import CoordinatorCore
internal import Glibc
internal import Journal
internal import Logging
internal import UVLoop
internal import Wire

extension CoordinatorService {
    /// What a coordinator is among those that share a journal.
    public enum Standing: Sendable, Equatable {
        /// Another one leads, at this address if it is known.
        case standby(leader: String?)
        /// This one leads, as one did so often before, this time included.
        case leading(epoch: Int)
    }

    /// Waits until this one leads; peers are refused meanwhile.
    func standBy(with place: PostgresPlace, _ address: SocketAddress) {
        let candidate = PostgresCandidate(
            loop: loop,
            place: place,
            lease: options.machine.limits.lease,
            address: Self.reachable(address)
        )
        self.candidate = candidate
        candidate.onStandby = { [weak self] leader in
            self?.handle(.leaderNamed(leader))
            self?.onStanding?(.standby(leader: leader))
        }
        candidate.onLeading = { [weak self] in self?.begin(with: $0) }
        candidate.onFailure = { [weak self] in self?.onJournalFailure?($0) }
        candidate.onProblem = { [logger] problem in
            logger.warning("the journal is tried again", metadata: ["error": "\(problem)"])
        }
        candidate.start()
    }

    /// The address as others on the network may know it: they cannot use that of all interfaces.
    private static func reachable(_ address: SocketAddress) -> String {
        guard ["0.0.0.0", "::"].contains(address.host) else { return "\(address)" }
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "\(address)" }
        let length = name.firstIndex(of: 0) ?? name.count
        let host = String(decoding: name[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(host):\(address.port)"
    }

    /// Reads what the leader before has left, while the lead is kept.
    private func begin(with store: PostgresStore) {
        candidate = nil
        sharedStore = store
        store.onFailure = { [weak self] in self?.handleJournalProblem($0) }
        store.begin { [weak self] result in
            guard let self, !isStopped else { return }
            switch result {
            case .success(let start):
                lead(with: CoordinatorJournal(start, store, loop: loop))
            case .failure(let problem): handleJournalProblem(problem)
            }
        }
    }

    /// Peers that are being refused begin again, with a machine that has the runs.
    private func lead(with journal: CoordinatorJournal) {
        handle(.shutdownRequested)
        sharedStore = nil
        self.journal = journal
        options.machine.standsBy = false
        options.machine.keepsRecords = true
        options.machine.epoch = journal.starts
        options.machine.keyring = keyring
        options.machine.unixMillisecondsAtZero = Self.unixMillisecondsAtZero(of: loop)
        machine = Self.makeMachine(options.machine, on: loop)
        armedFor = nil
        takeUpRuns()
        onStanding?(.leading(epoch: journal.starts))
    }

    /// Whether what is said now counts; if not, this one ends.
    ///
    /// A leader that was stopped for longer than the lease learns it here, before it does anything.
    func leadsStill() -> Bool {
        guard options.sharedJournal != nil, let journal,
            loop.nowNanoseconds >= journal.validUntil
        else { return true }
        handleJournalProblem(
            JournalError(
                .superseded,
                "This coordinator does not lead any more: the journal did not answer for as long as "
                    + "the lease, or this process was stopped. It ends at once; start it again to "
                    + "stand by."
            )
        )
        return false
    }
}
